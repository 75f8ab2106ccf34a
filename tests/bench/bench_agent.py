"""``make bench-agent``: the agent beside nbdkit and nbdcopy in the same run on the same files; prints ratios.

IOPS: 4 KiB random writes by fio at several depths, turn by turn: nbdkit's file plugin, our server on a plain
file, our source with its journal (durable before it answers, which nbdkit is not), and that with its target.
Throughput: a volume filled by nbdcopy until the target has confirmed all, against nbdcopy from one nbdkit to another
over TCP, which is how a volume is copied without us. Both end on stable media.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.agent.pair import Pair, die_with_parent, free_port, pair, run, until  # noqa: E402

SIZE = 256 << 20
PLAIN = """
import asyncio, sys
from pathlib import Path
from drsim.agent.disk import FileImage
from drsim.agent.nbd.exports import FileExport
from drsim.agent.nbd.server import NbdServer
async def main():
    image = FileImage(Path(sys.argv[1]), int(sys.argv[2]), create=True)
    server = NbdServer({"": FileExport("", image, read_only=False)})
    await server.listen_unix(Path(sys.argv[3]))
    await asyncio.sleep(600)
asyncio.run(main())
"""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def running(*command: str, socket: Path | None = None, port: int | None = None):
    """Run a server for as long as the context lasts."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, preexec_fn=die_with_parent, env=env)
    try:
        if socket is not None:
            until(socket.exists)
        if port is not None:
            time.sleep(0.5)
        yield process
    finally:
        process.kill()
        process.wait()


def fio(uri: str, depth: int, seconds: float, folder: Path) -> float:
    """Give the write IOPS of 4 KiB random writes."""
    report = folder / "fio.json"
    run(
        "fio", "--name=w", "--ioengine=nbd", f"--uri={uri}", "--rw=randwrite", "--bs=4k", f"--size={SIZE}",
        "--time_based", f"--runtime={int(seconds * 1000)}ms", f"--iodepth={depth}",
        "--output-format=json", f"--output={report}",
    )  # fmt: skip
    return float(json.loads(report.read_text())["jobs"][0]["write"]["iops"])


def bench_iops(folder: Path, depths: list[int], seconds: float, turns: int) -> dict[str, float]:
    """Measure all contestants turn by turn, so that a busy machine treats them alike; give ratios to nbdkit."""
    best: dict[tuple[str, int], float] = {}
    with contextlib.ExitStack() as stack:
        for name, command in {
            "nbdkit": ["nbdkit", "-f", "-U", "SOCKET", "file", "IMAGE"],
            "plain": [sys.executable, "-c", PLAIN, "IMAGE", str(SIZE), "SOCKET"],
        }.items():
            image, socket = folder / f"{name}.img", folder / f"{name}.sock"
            image.touch()
            os.truncate(image, SIZE)
            swap = {"IMAGE": str(image), "SOCKET": str(socket)}
            stack.enter_context(running(*(swap.get(c, c) for c in command), socket=socket))
        pairs = {}
        for name, sites in {"source": ["paris"], "replicated": ["paris", "lyon"]}.items():
            (folder / name).mkdir()
            made: Pair = stack.enter_context(
                pair(folder / name, "journal: {size: 2 GB, resident: 64 MiB}", size=SIZE)
            )
            made.start(*sites)
            pairs[name] = made
        until(lambda: pairs["replicated"].leg()["state"] == "STREAMING", 60)
        uris = {n: f"nbd+unix:///?socket={folder}/{n}.sock" for n in ("nbdkit", "plain")}
        uris |= {name: made.uri() for name, made in pairs.items()}
        for _ in range(turns):
            for depth in depths:
                for name, uri in uris.items():
                    found = fio(uri, depth, seconds, folder)
                    best[name, depth] = max(best.get((name, depth), 0.0), found)
        pairs["replicated"].settle(60)
    ratios = {}
    for (name, depth), value in sorted(best.items(), key=lambda item: (item[0][1], item[0][0])):
        ratio = value / best["nbdkit", depth]
        ratios[f"iops {name} depth {depth}"] = ratio
        say(f"4 KiB random writes, depth {depth:3d}: {name:11s} {value:9.0f} IOPS, {ratio:5.2f} of nbdkit")
    return ratios


def bench_throughput(folder: Path, turns: int) -> dict[str, float]:
    """Replicate a busy volume; give the ratio of its rate to nbdcopy's over TCP."""
    (folder / "through").mkdir()
    source = folder / "random.img"
    with source.open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(os.urandom(1 << 20))
    port, near = free_port(), folder / "near.sock"
    sink = folder / "sink.img"
    sink.touch()
    os.truncate(sink, SIZE)
    best = {"nbdcopy": 0.0, "agent": 0.0}
    with (
        running("nbdkit", "-f", "-r", "-U", str(near), "file", str(source), socket=near),
        running("nbdkit", "-f", "-p", str(port), "-i", "127.0.0.1", "file", str(sink), port=port),
        pair(folder / "through", "journal: {size: 2 GB, resident: 128 MiB}", size=SIZE) as two,
    ):
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", 60)
        for _ in range(turns):
            began = time.monotonic()
            run("nbdcopy", "--flush", f"nbd+unix:///?socket={near}", f"nbd://127.0.0.1:{port}")
            best["nbdcopy"] = max(best["nbdcopy"], SIZE / (time.monotonic() - began))
            began = time.monotonic()
            run("nbdcopy", "--flush", str(source), two.uri())
            two.settle(120)
            best["agent"] = max(best["agent"], SIZE / (time.monotonic() - began))
        assert two.leg()["journal_overflows"] == 0
    ratio = best["agent"] / best["nbdcopy"]
    for name, value in best.items():
        say(f"{SIZE >> 20} MiB through {name:8s} {value / (1 << 20):7.0f} MiB/s")
    say(f"replication at {ratio:.2f} of nbdcopy over TCP (every byte journalled, staged and confirmed)")
    return {"throughput": ratio}


SMALL = {
    "link": "retry: 300 ms, window: 1 MiB, memory: 1 MiB",
    "target": "rpo: 5 s, staging: {resident: 1 MiB}",
    "nbd": ", memory: 1 MiB, requests: 64",
}
LARGE = {"link": "retry: 300 ms", "target": "rpo: 5 s"}


def peak_mib(pid: int) -> float:
    """Give the largest memory a process ever had resident."""
    (line,) = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def bench_memory(folder: Path) -> dict[str, float]:
    """Fill a volume through agents with small limits and with the usual ones; give the MiB each came to take."""
    found = {}
    for name, limits in {"small": SMALL, "usual": LARGE}.items():
        (folder / name).mkdir()
        resident = ", resident: 1 MiB" if limits is SMALL else ", resident: 128 MiB"
        with pair(folder / name, f"journal: {{size: 2 GB{resident}}}", size=SIZE, **limits) as two:
            two.start()
            until(lambda two=two: two.leg()["state"] == "STREAMING", 60)
            rest = {site: peak_mib(process.pid) for site, process in two.processes.items()}
            for _ in range(2):
                run("nbdcopy", "--flush", str(folder / "random.img"), two.uri(), seconds=300)
                two.settle(300)
            for site, process in two.processes.items():
                found[f"memory {name} {site}"] = grown = peak_mib(process.pid) - rest[site]
                say(f"{name} limits, {site}: {rest[site]:.0f} MiB at rest, {grown:.0f} MiB more at the peak")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=None, help="where the files are (default: the temporary folder)")
    parser.add_argument("--depths", default="1,16,64")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None, help="write the ratios there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        ratios = bench_throughput(Path(name), given.turns)
        ratios |= bench_memory(Path(name))
        depths = [int(depth) for depth in given.depths.split(",") if depth]
        ratios |= bench_iops(Path(name), depths, given.seconds, given.turns) if depths else {}
    if given.json is not None:
        given.json.write_text(json.dumps(ratios, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
