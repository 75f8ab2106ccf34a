"""Rounds of harm to a pair under load, and what must still be true after each."""

import random
import time
from pathlib import Path

from tests.agent.host import Host
from tests.agent.pair import BLOCK, Pair, copied, pair, until
from tests.agent.proxy import Proxy

BLOCKS = 256
SEGMENT = 64 << 20  # bytes, as it is where a group says nothing of it


class Campaign:
    """One pair, one host, one proxy, many rounds.

    Args:
        folder: empty; everything happens below it.
        seed: decides everything but the timing of processes.
        weather: one of `WEATHERS`: the group's settings, and whether order must survive under them.
    """

    def __init__(self, folder: Path, seed: int, weather: str = "journal") -> None:
        self.random = random.Random(seed)
        self.host = Host(BLOCKS, seed)
        self.proxy: Proxy | None = None
        self.pair: Pair
        self.folder = folder
        self.group, self.ordered, self.kinds = WEATHERS[weather]
        self.protected = "protect: false" not in self.group
        self.counts: dict[str, int] = {}
        self.resyncs = 0

    def __enter__(self) -> "Campaign":
        probe = Pair(self.folder, size=BLOCKS * BLOCK)
        self.proxy = Proxy(probe.ports["lyon"])
        self._context = pair(self.folder, self.group, between=self.proxy.port, size=BLOCKS * BLOCK)
        self.pair = self._context.__enter__()
        self.proxy.to = self.pair.ports["lyon"]
        self.pair.start()
        until(lambda: self.pair.leg()["state"] == "STREAMING", what="seeded")
        return self

    def __exit__(self, *error: object) -> None:
        self.host._stop.set()
        self._context.__exit__(*error)
        self.proxy.close()

    def round(self, kind: str) -> None:
        """Load, harm, repair, judge."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        two = self.pair
        resyncs = two.leg()["resyncs"]
        self.host.start(two.uri())
        time.sleep(self.random.uniform(0.02, 0.25))
        getattr(self, kind)()
        time.sleep(self.random.uniform(0, 0.1))
        self.host.stop()
        self.judge_source(ordered=kind != "flip_source_disk")
        two.settle(30)
        if self.ordered and kind not in ("flip_target_disk", "flip_source_disk"):
            now = two.leg()["resyncs"]
            assert now in (0, resyncs), f"a resync where the journal suffices, after {kind}"
        self.judge_target(whole=True)

    # Harm.

    def kill_source(self) -> None:
        self.pair.kill("paris")
        self.host.stop()
        self.judge_target()
        self.pair.start("paris")

    def kill_target(self) -> None:
        self.pair.kill("lyon")
        time.sleep(self.random.uniform(0, 0.2))
        self.pair.start("lyon")

    def kill_both(self) -> None:
        self.pair.kill("paris", "lyon")
        self.host.stop()
        self.pair.start()

    def cut_link(self) -> None:
        self.proxy.cut_after = self.random.randrange(1, 300_000)
        until(lambda: self.proxy.cut_after is None, 10, "the link was cut")

    def flip_wire(self) -> None:
        self.proxy.flip_after = self.random.randrange(1, 300_000)
        until(lambda: self.proxy.flip_after is None, 10, "a bit was flipped")

    def flip_source_disk(self) -> None:
        self._flip("paris", "journal")

    def flip_target_disk(self) -> None:
        self._flip("lyon", "staging")

    def _flip(self, site: str, folder: str) -> None:
        """Kill a site, flip a bit of its newest journal records, start it.

        What was answered and killed before it was on the source's volume has that one record; if it is that which the
        disk has changed, nothing else holds those writes.
        """
        self.pair.kill(site)
        state = self.pair.states[site] / "erp"
        landed, told = self.host.acknowledged, self.pair.log(site).count("journal damaged")
        if site == "paris":
            self.host.stop()
            landed = self.host.landed((state / "volumes/v.img").read_bytes())
        segments = sorted((state / folder).glob("*.seg"))
        path = next((p for p in reversed(segments) if p.stat().st_size), None)
        if path is not None:
            size = len(path.read_bytes().rstrip(b"\0"))  # behind the records there is room for more
            at = self.random.randrange(max(0, size - 200_000), size)
            with path.open("r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << self.random.randrange(8)]))
        self.pair.start(site)
        if site == "paris" and self.pair.log(site).count("journal damaged") > told:
            self.host.acknowledged = landed

    def failing_source(self) -> None:
        self._failing("paris", f"fsync:{self.random.randrange(20, 200)}")

    def failing_target(self) -> None:
        self._failing("lyon", f"fsync:{self.random.randrange(20, 200)}")

    def full_source(self) -> None:
        self._failing("paris", f"space:{self._space('paris', 'journal')}")

    def full_target(self) -> None:
        self._failing("lyon", f"space:{self._space('lyon', 'staging')}")

    def _space(self, site: str, folder: str) -> int:
        """Give a size that the site's journal will soon reach, and no other file passes.

        It is less than a whole segment: behind that the next one begins, and nothing would ever reach more.
        """
        sizes = [p.stat().st_size for p in (self.pair.states[site] / "erp" / folder).glob("*.seg")]
        soon = max(sizes, default=0) + self.random.randrange(50_000, 1_000_000)
        return max(BLOCKS * BLOCK + 100_000, min(soon, SEGMENT - self.random.randrange(50_000, 1_000_000)))

    def _failing(self, site: str, fault: str) -> None:
        """Run a site on a bad disk until it says so, then kill it and give it a good one."""
        self.pair.stop(site)
        self.host.stop()
        self.pair.start(site, env={"DRSIM_FAULT": fault})
        until(lambda: self.pair.status(site).get("role"), what="up on a bad disk")
        self.judge_source()
        self.host.start(self.pair.uri())
        until(lambda: self.pair.status(site)["faults"] > 0, 20, f"{site} noticed {fault}")
        self.pair.kill(site)
        self.host.stop()
        self.pair.start(site)

    # Judgement.

    def judge_source(self, *, ordered: bool = True) -> None:
        """The source holds exactly writes 1..s, and every acknowledged one among them."""
        image = self.folder / "source.img"
        copied(self.pair.uri(), image)
        if not ordered:
            self.host.forgive(image.read_bytes())
        self.host.survived(self.host.reach(image.read_bytes()))

    def judge_target(self, *, whole: bool = False) -> None:
        """A failover now would find exactly writes 1..s; all of them, if ``whole``.

        In the middle of a resync whose source is dead there is none on the volumes, which the target must say;
        the one to fail over to is then the protective snapshot, or none, if the group is not protected.
        """
        if not whole and self._says_none():
            return
        answer = until(lambda: self._rehearsal(), 20, "an image at the target")
        image = self.folder / "target.img"
        copied(self.pair.uri("lyon", "erp/v@judge"), image)
        s = self.host.reach(image.read_bytes())
        self.pair.ask("lyon", "drop", name="judge")
        assert answer["seq"] >= 0
        if whole:
            source = (self.folder / "source.img").read_bytes()
            assert image.read_bytes() == source, f"the target stands at {s}"

    def _says_none(self) -> bool:
        status = self.pair.status("lyon")
        if status["state"] != "INCONSISTENT" or status["connected"]:
            return False
        kept = any(name.startswith("protect-") for name in status["snapshots"])
        assert kept is self.protected, status
        assert status["exposed"] is not self.protected, status
        assert "no consistent image" in self.pair.ask("lyon", "rehearse", name="judge")["error"]
        return True

    def _rehearsal(self) -> dict | None:
        answer = self.pair.ask("lyon", "rehearse", name="judge")
        return None if "error" in answer else answer


KINDS = [
    "kill_source", "kill_target", "kill_both", "cut_link", "flip_wire", "failing_source", "failing_target",
    "full_source", "full_target", "flip_source_disk", "flip_target_disk",
]  # fmt: skip
ROOMY = [kind for kind in KINDS if not kind.startswith("full")]  # no file ever grows large in these
PLAIN = ["kill_source", "kill_target", "kill_both", "cut_link", "flip_wire"]
WEATHERS = {
    "journal": ("journal: {size: 400 MB, on_full: track}", True, KINDS),
    "segments": (
        "journal: {size: 400 MB, on_full: track, resident: 64 KiB}\n    segment: 128 KiB",
        True,
        ROOMY,
    ),
    "overflow": ("journal: {size: 256 KB, on_full: track}", False, ROOMY),
    "unprotected": ("journal: {size: 256 KB, on_full: track}\n    resync: {protect: false}", False, PLAIN),
    "cycle": ("mode: {kind: cycle, every: 200 ms}", True, ROOMY),
    "snapshot": ("mode: {kind: snapshot, every: 300 ms}", True, ROOMY),
    "sync": ("mode: sync", True, PLAIN),
    "cached": ("cache: 1 MiB", True, ROOMY),
    "cached_overflow": ("cache: 1 MiB\n    journal: {size: 256 KB, on_full: track}", False, ROOMY),
    "fold": ("mode: {kind: journal, fold: checkpoint}", True, ROOMY),
    "checksum": ("journal: {size: 256 KB, on_full: track}\n    resync: {checksum: true}", False, ROOMY),
    "pace": ("journal: {size: 1 MB, on_full: {kind: pace, delay: 5 ms}}", True, PLAIN),
    "block": ("journal: {size: 256 KB, on_full: block}", True, PLAIN),
}
