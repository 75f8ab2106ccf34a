"""``make foreign``: QEMU's blockdev-mirror and drsim's bitmap policy under the same writes on the same link.

The mirror (``sync=none``) copies the granules of a dirty bitmap for ever; drsim's group has a journal so small
that it overflows at once, so that it tracks and copies too, in granules of the same size. Both cross the same relay.
The load is more than the link carries, then stops. A table on stdout, both backlogs in docs/reality/foreign.svg.
"""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.agent.pair import Pair, die_with_parent, needs, pair, until
from tests.reality.flight import Player, Story, writes
from tests.reality.wan import RelayedWan, needed

GRANULE = 8192
STORY = Story("foreign", mbit=10, share=1.6, seconds=30, length=GRANULE, volume=64 << 20, delay=0.005)
Curve = tuple[np.ndarray, np.ndarray]


class Qmp:
    """QEMU's control socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rw")
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> list[dict]:
        words = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._lines.write(json.dumps({"execute": command, "arguments": words}) + "\n")
        self._lines.flush()
        while True:
            answer = json.loads(self._lines.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, preexec_fn=die_with_parent)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def plan(seed: int = 1) -> list[tuple[float, int]]:
    """Give the writes: whole granules, so that neither side amplifies them."""
    return [(moment, offset // GRANULE * GRANULE) for moment, offset in writes(STORY, seed)]


def watched(uri: str, backlog: Callable[[], float], most: float = 60) -> Curve:
    """Play the writes; give the backlog every fifth of a second until it is gone."""
    start = time.time() + 0.5
    player = Player(uri, plan(), GRANULE, start)
    player.start()
    times, values = [], []
    while True:
        now = time.time() - start
        times.append(now)
        values.append(backlog())
        if not player.is_alive() and (values[-1] == 0 or now > STORY.seconds + most):
            break
        time.sleep(0.2)
    assert player.error is None, player.error
    return np.array(times), np.array(values, float)


def mirror(folder: Path) -> Curve:
    """Give the backlog of QEMU's mirror: bytes of dirty granules and of those on their way."""
    source, control = folder / "src.sock", folder / "qmp.sock"
    with (folder / "src.raw").open("wb") as file:
        file.truncate(STORY.volume)
    with RelayedWan(STORY.mbit, STORY.delay, 0.0) as wan, contextlib.ExitStack() as stack:
        stack.enter_context(
            running(*wan.inside("lyon"), "nbdkit", "-f", "-p", "10809", "memory", f"{STORY.volume}")
        )
        time.sleep(1)
        stack.enter_context(
            running(
                *wan.inside("paris"), "qemu-storage-daemon",
                "--blockdev", f"driver=file,node-name=f0,filename={folder}/src.raw",
                "--blockdev", "driver=raw,node-name=src,file=f0",
                "--blockdev", "driver=nbd,node-name=dst,server.type=inet,server.host=10.99.0.2,server.port=10809",
                "--nbd-server", f"addr.type=unix,addr.path={source}",
                "--export", "type=nbd,id=e0,node-name=src,writable=on,name=src",
                "--chardev", f"socket,path={control},server=on,wait=off,id=c0", "--monitor", "chardev=c0",
            )
        )  # fmt: skip
        until(control.exists)
        qmp = Qmp(control)
        qmp.ask(
            "blockdev-mirror", job_id="m0", device="src", target="dst", sync="none", granularity=GRANULE,
            buf_size=1 << 20,
        )  # fmt: skip

        def left() -> float:
            (job,) = qmp.ask("query-block-jobs")
            return job["len"] - job["offset"]

        return watched(f"nbd+unix:///src?socket={source}", left)


def tracking(folder: Path) -> Curve:
    """Give the backlog of a drsim pair that tracks and copies."""
    group = (
        "journal: {size: 128 KiB, on_full: track}\n"
        f"    resync: {{granularity: {GRANULE} B, window: 1 MiB, slice: 128 KiB, protect: false}}"
    )
    with RelayedWan(STORY.mbit, STORY.delay, 0.0) as wan:
        two = Pair(
            folder,
            group,
            size=STORY.volume,
            top="insecure: true",
            hosts={"paris": "10.99.0.1", "lyon": "10.99.0.2"},
            link="congestion: cubic",
            target="seed: in-sync",
            prefix={site: wan.inside(site) for site in ("paris", "lyon")},
        )
        with pair(folder, made=two):
            two.start()
            until(lambda: two.leg()["state"] == "STREAMING", what="connected")
            curve = watched(two.uri(), lambda: two.leg()["backlog_bytes"])
            assert two.leg()["resyncs"] > 0
            two.settle()
            two.stop()
            assert two.image("paris") == two.image("lyon")
            return curve


def facts(curve: Curve) -> dict[str, float]:
    """Give what is compared: how fast the backlog grows, how large it becomes, when it is gone."""
    t, backlog = curve
    loaded = (t > 5) & (t < STORY.seconds - 1)
    return {
        "growth_MB_s": float(np.polyfit(t[loaded], backlog[loaded], 1)[0]) / 1e6,
        "peak_MB": float(backlog.max()) / 1e6,
        "area_MB_s": float(np.trapezoid(backlog, t)) / 1e6,
        "drained_s": float(t[backlog > 0][-1]) - STORY.seconds,
    }


def picture(curves: dict[str, Curve], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "drsim", "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
        for (name, (t, backlog)), colour in zip(curves.items(), ("#0173b2", "black"), strict=True):
            axes.plot(t, backlog / 1e6, label=name, color=colour, lw=1.2)
        axes.set(xlabel="seconds", ylabel="backlog, MB", ylim=(0, None), xlim=(0, None))
        axes.set_title("Backlog of a bitmap: QEMU's mirror and drsim, the same writes and link", loc="left")
        axes.legend(loc="upper right", frameon=False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def main() -> int:
    try:
        needed()
        needs("qemu-storage-daemon", "nbdkit")
    except pytest.skip.Exception as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        curves = {"QEMU blockdev-mirror": mirror(Path(one)), "drsim, bitmap": tracking(Path(other))}
    picture(curves, Path(__file__).parents[2] / "docs/reality/foreign.svg")
    theirs, ours = (facts(curve) for curve in curves.values())
    lines = [
        f"| {key} | {theirs[key]:.3f} | {ours[key]:.3f} | {ours[key] / theirs[key] - 1:+.1%} |"
        for key in ours
    ]
    sys.stdout.write("| | QEMU | drsim | difference |\n|---|---|---|---|\n" + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
