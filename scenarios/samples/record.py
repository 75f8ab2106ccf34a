"""Record the block writes of PostgreSQL under pgbench: how ``pgbench.csv.gz`` was made (``make trace``).

Needs PostgreSQL with pgbench, and strace; run it as root (the server runs as user postgres) or as any user
who may trace own processes. Nothing but the server's own files is touched, below a temporary directory.

What is recorded are the system calls that write to the server's files: times and sizes at which PostgreSQL
asked the kernel to write. The write-ahead log is flushed with each commit, so for the volume ``log`` that is
what a disk sees; pages of ``tables`` may stay in the page cache for up to 30 s and be merged there.
"""

from __future__ import annotations

import argparse
import getpass
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SETTINGS = {
    "shared_buffers": "32MB",
    "checkpoint_timeout": "30s",
    "max_wal_size": "96MB",
    "min_wal_size": "64MB",
    "listen_addresses": "''",
    "autovacuum_naptime": "20s",
}
WRITTEN = re.compile(r"^\d+ +(?P<at>\d+\.\d+) pwrite(?:64|v2?)\(\d+<(?P<path>[^>]*)>,.* = (?P<done>\d+)$")
PLACED = re.compile(r", (?P<offset>\d+)(?:, 0)?\) = ")
RENAMED = re.compile(r"^\d+ +\d+\.\d+ rename\(\"(?P<old>[^\"]+)\", \"(?P<new>[^\"]+)\"\) = 0$")
ALIGN = 1 << 20
PAGE = 4096


@dataclass
class File:
    """One file of the server: which volume it lies on, and how far it was written."""

    volume: str
    end: int = 0
    writes: list[tuple[int, int, int]] = field(default_factory=list)


def main() -> None:
    """Record and write the trace."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=150)
    options.add_argument("--rate", type=int, default=60, help="transactions a second")
    options.add_argument("--scale", type=int, default=10, help="pgbench's scale: 16 MB of tables each")
    options.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("pgbench.csv.gz"))
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="drsim-trace-") as name:
        folder = Path(name)
        log = record(folder, asked.seconds, asked.rate, asked.scale)
        files = read(log, folder / "data")
    rows = list(place(files))
    save(rows, asked.output)
    sys.stderr.write(f"{asked.output}: {len(rows)} writes, {sum(row[3] for row in rows)} bytes\n")


def record(folder: Path, seconds: int, rate: int, scale: int) -> Path:
    """Run the benchmark under strace; gives strace's log."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = "postgres" if os.getuid() == 0 else getpass.getuser()
    shutil.chown(folder, user) if user == "postgres" else None
    lower = ["runuser", "-u", user, "--"] if os.getuid() == 0 else []

    def run(program: str, *words: str) -> None:
        subprocess.run([*lower, str(programs / program), *words], check=True, stdout=subprocess.DEVNULL)

    data, socket = folder / "data", ["-h", str(folder), "-p", "54329"]
    run("initdb", "-D", str(data), "-U", "bench", "--no-sync", "--auth=trust")
    settings = [f"-c{key}={value}".replace("''", "") for key, value in SETTINGS.items()]
    log = folder / "strace.log"
    command = [
        *lower,
        str(programs / "postgres"),
        "-D",
        str(data),
        "-k",
        str(folder),
        "-p",
        "54329",
        *settings,
    ]
    calls = "trace=pwrite64,pwritev,pwritev2,rename"
    tracer = ["strace", "-f", "-ttt", "-y", "-s", "0", "-e", calls, "-e", "signal=none", "-o", str(log)]
    server = subprocess.Popen([*tracer, *command], stderr=subprocess.DEVNULL)
    try:
        for _ in range(60):
            time.sleep(0.5)
            if subprocess.run([str(programs / "pg_isready"), "-q", *socket], check=False).returncode == 0:
                break
        run("createdb", *socket, "-U", "bench", "bench")
        run("pgbench", "-i", "-q", "-s", str(scale), *socket, "-U", "bench", "bench")
        mark = len(log.read_bytes())
        run("pgbench", "-n", "-c", "4", "-T", str(seconds), "-R", str(rate), *socket, "-U", "bench", "bench")
    finally:
        subprocess.run([*lower, str(programs / "pg_ctl"), "-D", str(data), "-m", "fast", "stop"], check=False)
        server.wait()
    (folder / "mark").write_text(str(mark))
    return log


def read(log: Path, data: Path) -> dict[str, File]:
    """Give the files with their writes, in microseconds since the benchmark began; loading only lays out."""
    files: dict[str, File] = {}
    mark = int(log.with_name("mark").read_text())
    done, begin = 0, None
    with log.open(errors="replace") as lines:
        for line in lines:
            done += len(line.encode(errors="replace"))
            text = line.rstrip("\n")
            if renamed := RENAMED.match(text):
                old, new = (str(data / renamed[part]) for part in ("old", "new"))
                if old in files:
                    files[new] = files.pop(old)
            elif (written := WRITTEN.match(text)) and (placed := PLACED.search(text)):
                path, offset, length = written["path"], int(placed["offset"]), int(written["done"])
                if not path.startswith(str(data)):
                    continue
                file = files.setdefault(path, File("log" if "/pg_wal/" in path else "tables"))
                file.end = max(file.end, offset + length)
                if done > mark:
                    at = round(float(written["at"]) * 1e6)
                    begin = at if begin is None else begin
                    file.writes.append((at - begin, offset, length))
    return files


def place(files: dict[str, File]) -> Iterator[tuple[int, str, int, int]]:
    """Lay each volume's files one after another on whole MiB; gives (us, volume, offset, length) by time."""
    rows, next_free = [], {"log": 0, "tables": 0}
    for file in files.values():
        start = next_free[file.volume]
        next_free[file.volume] = -(-(start + file.end) // ALIGN) * ALIGN
        for at, offset, length in file.writes:
            # The kernel writes whole pages of its cache.
            first, last = offset // PAGE * PAGE, -(-(offset + length) // PAGE) * PAGE
            rows.append((at, file.volume, start + first, last - first))
    yield from sorted(rows, key=lambda row: row[0])


def save(rows: list[tuple[int, str, int, int]], target: Path) -> None:
    """Write the canonical form, compressed; the same rows give the same bytes."""
    lines = ["t_us,dev,op,offset_bytes,length_bytes"]
    lines += [f"{at},{volume},W,{offset},{length}" for at, volume, offset, length in rows]
    packed = gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0)
    target.write_bytes(packed)


if __name__ == "__main__":
    main()
