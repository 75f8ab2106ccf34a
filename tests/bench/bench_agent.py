"""``make bench-agent``: the agent beside nbdkit and nbdcopy in the same run on the same disk; prints ratios.

IOPS: 4 KiB random writes by fio at several depths, turn by turn, each beside an nbdkit that promises as much:
answered from memory (nbdkit's file plugin; our server on a plain file; a source with ``cache``), or durable before
it is answered (the same plugin under ``fuamode=force``; a source without ``cache``). Sources journal every write,
alone (their target is away) and with their target on the same disk and processors.
Throughput: a volume filled by nbdcopy until the target has confirmed all, beside nbdcopy from one nbdkit to another
over TCP, and beside the same work without us: nbdcopy into an nbdkit at the source, then from there to one at the
target. All end on stable media. The first turns warm files up and do not count; rates are medians.
"""

import argparse
import contextlib
import json
import os
import statistics
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
    os.sync()  # what the one before left behind is not this one's burden
    run(
        "fio", "--name=w", "--ioengine=nbd", f"--uri={uri}", "--rw=randwrite", "--bs=4k", f"--size={SIZE}",
        "--time_based", f"--runtime={int(seconds * 1000)}ms", f"--iodepth={depth}",
        "--output-format=json", f"--output={report}",
    )  # fmt: skip
    return float(json.loads(report.read_text())["jobs"][0]["write"]["iops"])


FILE = ["nbdkit", "-f", "-U", "SOCKET", "file", "IMAGE"]
SERVERS = {
    "nbdkit": FILE,
    "our server, plain file": [sys.executable, "-c", PLAIN, "IMAGE", str(SIZE), "SOCKET"],
    "nbdkit, durable": [*FILE[:4], "--filter=fua", *FILE[4:], "fuamode=force"],
}
CACHE = "\n    cache: 32 MiB"
SOURCES = {  # what it is beside, more of the group, sites
    "source, cache": ("nbdkit", CACHE, ["paris"]),
    "replicated, cache": ("nbdkit", CACHE, ["paris", "lyon"]),
    "source, durable": ("nbdkit, durable", "", ["paris"]),
    "replicated, durable": ("nbdkit, durable", "", ["paris", "lyon"]),
}
BESIDE = {"our server, plain file": "nbdkit"} | {name: peer for name, (peer, _, _) in SOURCES.items()}


@contextlib.contextmanager
def contestants(folder: Path):
    """Give the URI of every contestant by name."""
    with contextlib.ExitStack() as stack:
        uris, pairs = {}, []
        for number, (name, command) in enumerate(SERVERS.items()):
            image, socket = folder / f"{number}.img", folder / f"{number}.sock"
            image.touch()
            os.truncate(image, SIZE)
            swap = {"IMAGE": str(image), "SOCKET": str(socket)}
            stack.enter_context(running(*(swap.get(c, c) for c in command), socket=socket))
            uris[name] = f"nbd+unix:///?socket={socket}"
        for number, (name, (_, group, sites)) in enumerate(SOURCES.items()):
            (folder / f"pair{number}").mkdir()
            group = f"journal: {{size: 8 GB, resident: 64 MiB}}{group}"
            target = "rpo: 5 s, seed: in-sync"
            made: Pair = stack.enter_context(pair(folder / f"pair{number}", group, size=SIZE, target=target))
            made.start(*sites)
            uris[name] = made.uri()
            if len(sites) == 2:
                until(lambda made=made: made.leg()["state"] == "STREAMING", 60)
                pairs.append(made)
        yield uris
        for made in pairs:
            made.settle(60)


def bench_iops(folder: Path, depths: list[int], seconds: float, turns: int) -> dict[str, float]:
    """Measure all contestants turn by turn, so that a busy machine treats them alike; give the ratios."""
    found: dict[tuple[str, int], list[float]] = {}
    with contestants(folder) as uris:
        for uri in uris.values():
            fio(uri, 64, seconds, folder)  # warm
        for _ in range(turns):
            for depth in depths:
                for name, uri in uris.items():
                    found.setdefault((name, depth), []).append(fio(uri, depth, seconds, folder))
    iops = {key: statistics.median(values) for key, values in found.items()}
    ratios = {}
    for depth in depths:
        for name in uris:
            line = f"4 KiB random writes, depth {depth:3d}: {name:22s} {iops[name, depth]:9.0f} IOPS"
            if peer := BESIDE.get(name):
                ratios[f"iops {name} depth {depth}"] = ratio = iops[name, depth] / iops[peer, depth]
                line += f", {ratio:5.2f} of {peer}"
            say(line)
    return ratios


def serving(image: Path, *where: object):
    """Run nbdkit's file plugin; the last of ``where`` is its socket or its port."""
    ready = {"socket": where[-1]} if isinstance(where[-1], Path) else {"port": where[-1]}
    return running("nbdkit", "-f", *map(str, where), "file", str(image), **ready)


def copying(source: Path, near: Path, local: Path, port: int, two: Pair):
    """Give what fills the target, by name: each returns when all of it is on stable media at both ends."""
    sink, unix = f"nbd://127.0.0.1:{port}", "nbd+unix:///?socket="

    def nbdcopy() -> None:
        run("nbdcopy", "--flush", f"{unix}{near}", sink)

    def twice() -> None:
        run("nbdcopy", "--flush", str(source), f"{unix}{local}")
        run("nbdcopy", "--flush", f"{unix}{local}", sink)

    def agent() -> None:
        run("nbdcopy", "--flush", str(source), two.uri())
        two.settle(120)

    return {"nbdcopy over TCP": nbdcopy, "into a volume, then over TCP": twice, "agents": agent}


def bench_throughput(folder: Path, turns: int, warm: int = 6) -> dict[str, float]:
    """Replicate a busy volume; give the ratio of its rate to each of the others'."""
    (folder / "through").mkdir()
    source = folder / "random.img"
    with source.open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(os.urandom(1 << 20))
    for name in ("sink", "local"):
        (folder / f"{name}.img").touch()
        os.truncate(folder / f"{name}.img", SIZE)
    taken: dict[str, list[float]] = {}
    with (
        serving(source, "-r", "-U", near := folder / "near.sock"),
        serving(folder / "local.img", "-U", local := folder / "local.sock"),
        serving(folder / "sink.img", "-i", "127.0.0.1", "-p", port := free_port()),
        pair(folder / "through", "journal: {size: 8 GB, resident: 128 MiB}", size=SIZE) as two,
    ):  # fmt: skip
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", 60)
        for turn in range(-warm, turns):
            for name, copy in copying(source, near, local, port, two).items():
                began = time.monotonic()
                copy()
                if turn >= 0:
                    taken.setdefault(name, []).append(time.monotonic() - began)
        assert two.leg()["journal_overflows"] == 0
    rates = {name: SIZE / statistics.median(times) for name, times in taken.items()}
    ratios = {}
    for name, rate in rates.items():
        line = f"{SIZE >> 20} MiB, {name:28s} {rate / (1 << 20):7.0f} MiB/s"
        if name != "agents":
            ratios[f"throughput beside {name}"] = ratio = rates["agents"] / rate
            line += f"; the agents at {ratio:.2f} of it"
        say(line)
    return ratios


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
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path, default=None, help="write the ratios there")
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        ratios = bench_throughput(Path(name), given.turns)
        if given.memory:
            ratios |= bench_memory(Path(name))
        depths = [int(depth) for depth in given.depths.split(",") if depth]
        ratios |= bench_iops(Path(name), depths, given.seconds, min(given.turns, 3)) if depths else {}
    if given.json is not None:
        given.json.write_text(json.dumps(ratios, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
