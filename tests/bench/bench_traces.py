"""How fast trace formats are read, and in how much memory: ``python -m tests.bench.bench_traces``.

Each file has ten million writes (``--rows``) of eight devices, sizes and addresses at random, and is read by a
process of its own through everything a replay does: parse, check, count, sort out devices, hold the clock. Prints
writes a second by the clock and by CPU time, best of three, and the process's peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from drsim.workload.traces.blktrace import _dtype
from drsim.workload.traces.cleaning import Cleaner, clean
from drsim.workload.traces.formats import recognise
from drsim.workload.traces.parquet import import_trace
from drsim.workload.traces.report import Report
from drsim.workload.traces.vscsi import VscsiV1, VscsiV2

ROUNDS = 3
BLOCK = 1 << 20
Columns = dict[str, Any]


def blocks(rows: int) -> Iterator[Columns]:
    """The writes: microseconds, sectors, bytes, devices."""
    rng, now = np.random.default_rng(1), 0
    for begin in range(0, rows, BLOCK):
        n = min(BLOCK, rows - begin)
        us = now + np.cumsum(rng.integers(0, 200, n))
        now = int(us[-1])
        sector, length = rng.integers(0, 1 << 28, n) * 8, rng.choice([4096, 8192, 65_536], n)
        yield {"us": us, "sector": sector, "bytes": length, "device": rng.integers(0, 8, n)}


def _text(*columns: Any) -> Callable[[IO[bytes], Columns], None]:
    def write(file: IO[bytes], c: Columns) -> None:
        made = {
            str(i): made(c) if callable(made) else [made] * len(c["us"]) for i, made in enumerate(columns)
        }
        options = csv.WriteOptions(include_header=False, quoting_style="none")
        csv.write_csv(pa.table(made), file, options)

    return write


def _binary(dtype: np.dtype[Any], **columns: Any) -> Callable[[IO[bytes], Columns], None]:
    def write(file: IO[bytes], c: Columns) -> None:
        rows = np.zeros(len(c["us"]), dtype)
        for name, made in columns.items():
            rows[name] = made(c) if callable(made) else made
        file.write(rows.tobytes())

    return write


def _host(c: Columns) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(c["device"] // 4), pa.array(["usr", "proj"])).cast(
        pa.string()
    )


US = lambda c: c["us"]  # noqa: E731
SECTOR = lambda c: c["sector"]  # noqa: E731
OFFSET = lambda c: c["sector"] * 512  # noqa: E731
BYTES = lambda c: c["bytes"]  # noqa: E731
SECTORS = lambda c: c["bytes"] // 512  # noqa: E731
DEVICE = lambda c: c["device"]  # noqa: E731
MAKE: dict[str, Callable[[IO[bytes], Columns], None]] = {
    "canonical": _text(US, DEVICE, "W", OFFSET, BYTES),
    "msr": _text(lambda c: c["us"] * 10 + 128_166_372_003_061_629, _host, lambda c: c["device"] % 4, "Write",
                 OFFSET, BYTES, lambda c: c["sector"] % 90_000 + 10_000),
    "spc": _text(DEVICE, SECTOR, BYTES, "w", lambda c: c["us"] / 1e6),
    "alibaba": _text(lambda c: c["device"] + 100, "W", OFFSET, BYTES, lambda c: c["us"] + 1_577_808_000_000_000),
    "tencent": _text(lambda c: c["us"] // 1_000_000 + 1_538_323_200, SECTOR, SECTORS, 1, lambda c: c["device"] + 1283),
    "cydonia": _text(US, SECTOR, "w", BYTES),
    "vscsi-v1": _binary(VscsiV1._dtype(), version=1 << 8, command=0x2A, time=US, block=SECTOR, length=BYTES),
    "vscsi-v2": _binary(VscsiV2._dtype(), version=2 << 8, command=0x2A, time=US, block=SECTOR, length=BYTES),
    "blktrace": _binary(_dtype("<"), magic=0x65617407, action=1 | (2 | 16) << 16, device=8 << 20,
                        time=lambda c: c["us"] * 1000, sector=SECTOR, length=BYTES),
}  # fmt: skip


def make(name: str, rows: int, path: Path) -> None:
    """Write a file of that format."""
    with path.open("wb") as file:
        if name == "canonical":
            file.write(b"t_us,dev,op,offset_bytes,length_bytes\n")
        for block in blocks(rows):
            MAKE[name](file, block)


def measure(path: Path, name: str) -> dict[str, float]:
    """Read a file once: rows, seconds by the clock and of CPU, peak memory in bytes."""
    wall, cpu = time.perf_counter(), time.process_time()
    reader, report = recognise([path], name), Report()
    cleaner = Cleaner(path, report, device="apart", own_zero=reader.OWN_ZERO)
    writes = sum(len(block) for block in clean([path], reader, report, cleaner))
    assert report.bad == 0, report.faults
    return {
        "writes": writes,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": peak_bytes(),
    }


def peak_bytes() -> float:
    """This process's peak memory; what getrusage tells begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("VmHWM"))


def told(path: Path, name: str, label: str, rows: int) -> None:
    """Read a file a few times, each in a fresh process, and print the best."""
    found = []
    for _ in range(ROUNDS):
        words = [sys.executable, "-m", "tests.bench.bench_traces", "--one", str(path), name]
        found.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
        assert found[-1]["writes"] == rows
    wall, cpu = (rows / min(f[key] for f in found) / 1e6 for key in ("wall", "cpu"))
    peak = max(f["peak"] for f in found) / 1e6
    size = path.stat().st_size / rows
    say(f"{label:18}{wall:8.1f} M writes/s{cpu:8.1f} a CPU second{peak:8.0f} MB{size:8.1f} B a write")


def packed(path: Path, program: str) -> Path:
    """Compress a file as its own program does."""
    target = path.with_name(f"{path.name}.{program}")
    with target.open("wb") as file:
        subprocess.run([program, "-c", str(path)], check=True, stdout=file, stderr=subprocess.DEVNULL)
    return target


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure what was asked for."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--rows", type=lambda text: int(float(text)), default=10_000_000)
    options.add_argument("--kinds", default=",".join(MAKE))
    options.add_argument("--one", nargs=2, metavar=("FILE", "FORMAT"), help="Read one file and print JSON.")
    asked = options.parse_args()
    if asked.one:
        say(json.dumps(measure(Path(asked.one[0]), asked.one[1])))
        return
    say(f"{asked.rows} writes a file, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.kinds.split(","):
            path = Path(folder) / name
            make(name, asked.rows, path)
            told(path, name, name, asked.rows)
            if name == "canonical":
                for program in ("gzip", "zstd"):
                    told(packed(path, program), name, f"{name}, {program}", asked.rows)
                imported = Path(folder) / "imported"
                import_trace([path], recognise([path]), imported)
                told(imported, "parquet", "parquet", asked.rows)
            path.unlink()


if __name__ == "__main__":
    main()
