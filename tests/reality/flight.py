"""A real pair over a real link under a given list of writes; afterwards its flight recordings are read exactly."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from drsim.agent import revive
from drsim.agent.load import load
from drsim.agent.recorder import digest, steps
from drsim.agent.stores import SourceStore, TargetStore
from drsim.replication.actions import Acknowledge, Recoverable, Send
from drsim.replication.events import HostWrites, LinkUp, Received, StagingDurable
from drsim.replication.frames import Data
from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.replication.wire import wire_size
from tests.agent.pair import Pair, libnbd, pair, until
from tests.reality.wan import RelayedWan, Wan, at

BLOCK = 4096
SEGMENT, HEADERS = 1448, 66  # TCP bytes in a full packet, and the bytes before them that the line carries too


@dataclass(frozen=True)
class Story:
    """What happens to the link: (seconds from the start, what, new rate in Mb/s or 0)."""

    name: str
    mbit: float
    share: float  # of the link that the load takes, on average
    seconds: float
    journal: str = "400 MB"
    cuts: tuple[tuple[float, float], ...] = ()  # (from, for)
    slow: tuple[tuple[float, float, float], ...] = ()  # (from, for, share that remains)
    length: int = 8192
    volume: int = 16 << 20
    delay: float | None = None  # seconds one way, over the relay; None for the kernel's shaper, without delay
    loss: float = 0.0


@dataclass
class Flight:
    """What really happened, seconds from the start of the load.

    Attributes:
        time, offset, length: of each write, as it entered the order.
        acknowledged: when its host could have been told so.
        recovered: when an image with it was first recoverable at the target; nan if never.
        journal_s, staging_s: mean time of a group commit at the source, at the target.
        handling_s: mean time a frame on an idle line took longer from engine to engine than the line itself.
        redials: time from each healed link to the next connection.
        cuts, slow: when the link really was cut or slowed.
    """

    time: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    acknowledged: np.ndarray
    recovered: np.ndarray
    end: float
    journal_peak: int
    journal_s: float
    staging_s: float
    handling_s: float
    redials: list[float]
    cuts: list[tuple[float, float]] = field(default_factory=list)
    slow: list[tuple[float, float, float]] = field(default_factory=list)


def writes(story: Story, seed: int) -> list[tuple[float, int]]:
    """Give (time, offset) of Poisson writes to random blocks: about ``share`` of the link."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    mean = story.length * 8 / (story.mbit * 1e6 * 0.95 * story.share)
    times = np.cumsum(rng.exponential(mean, int(story.seconds / mean * 1.5)))
    times = times[times < story.seconds]
    places = rng.integers(0, (story.volume - story.length) // BLOCK, len(times)) * BLOCK
    return list(zip(times.tolist(), places.tolist(), strict=True))


class Player(threading.Thread):
    """Plays a list of writes in real time, many in flight."""

    def __init__(self, uri: str, plan: list[tuple[float, int]], length: int, start: float) -> None:
        super().__init__(daemon=True)
        self.uri, self.plan, self.length, self.start_at = uri, plan, length, start
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._play()
        except BaseException as error:
            self.error = error

    def _play(self) -> None:
        nbd = libnbd()
        handle = nbd.NBD()
        handle.connect_uri(self.uri)
        content = nbd.Buffer.from_bytearray(bytearray(np.random.default_rng(5).bytes(self.length)))
        flying: list[int] = []
        for moment, offset in self.plan:
            while (left := self.start_at + moment - time.time()) > 0.0005:
                if flying:
                    handle.poll(max(1, min(int(left * 1000), 20)))
                    flying = [c for c in flying if not handle.aio_command_completed(c)]
                else:
                    time.sleep(left)
            flying.append(handle.aio_pwrite(content, offset))
        while flying:
            handle.poll(100)
            flying = [c for c in flying if not handle.aio_command_completed(c)]
        handle.shutdown()


class WanPair(Pair):
    """A pair whose sites are in the namespaces of a link."""

    def __init__(self, folder: Path, wan: Wan, story: Story) -> None:
        super().__init__(
            folder,
            f"journal: {{size: {story.journal}, on_full: track}}",
            size=story.volume,
            top=f"insecure: true\nrecord: {folder}/flights",
            hosts={"paris": "10.99.0.1", "lyon": "10.99.0.2"},
            link="retry: 200 ms, heartbeat: 200 ms, dead: 1 s, congestion: cubic",
            target="rpo: 5 s, seed: in-sync",
            prefix={site: wan.inside(site) for site in ("paris", "lyon")},
        )


def fly(story: Story, folder: Path, seed: int = 1) -> Flight:
    """Run a story for real."""
    plan = writes(story, seed)
    wide = Wan(story.mbit) if story.delay is None else RelayedWan(story.mbit, story.delay, story.loss)
    with wide as wan, pair(folder, made=WanPair(folder, wan, story)) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="connected")
        start = time.time() + 0.5
        player = Player(two.uri(), plan, story.length, start)
        player.start()
        cuts, slow = [], []
        for moment, what, argument in _script(story):
            at(start + moment)
            _act(wan, story, what, argument)
            _note(cuts, slow, what, argument, time.time() - start)
        player.join(story.seconds + 60)
        assert player.error is None, player.error
        until(two.settled, 120, "everything has arrived")
        end = time.time() - start
        status = two.status("paris")
        two.stop()
        assert two.image("paris") == two.image("lyon")
    return _read(folder, story, start, end, status, cuts, slow)


def _script(story: Story) -> list[tuple[float, str, float]]:
    found = []
    for begin, length in story.cuts:
        found += [(begin, "cut", 0.0), (begin + length, "heal", 0.0)]
    for begin, length, share in story.slow:
        found += [(begin, "slow", share), (begin + length, "fast", 0.0)]
    return sorted(found)


def _act(wan: Wan, story: Story, what: str, argument: float) -> None:
    if what in ("cut", "heal"):
        getattr(wan, what)()
    else:
        wan.shape(story.mbit * (argument or 1.0))


def _note(cuts: list, slow: list, what: str, argument: float, now: float) -> None:
    if what == "cut":
        cuts.append((now, now))
    elif what == "heal":
        cuts[-1] = (cuts[-1][0], now)
    elif what == "slow":
        slow.append((now, now, argument))
    else:
        slow[-1] = (slow[-1][0], now, slow[-1][2])


def _read(
    folder: Path, story: Story, start: float, end: float, status: dict, cuts: list, slow: list
) -> Flight:
    """Take the instants out of the recordings: the source's of the writes, the target's of their recovery."""
    source = list(steps(_recording(folder, "source")))
    target = list(steps(_recording(folder, "target")))
    batches = [event.batch for _, event, _ in source if isinstance(event, HostWrites)]
    entered = np.concatenate([b.time for b in batches]) - start
    seq = np.concatenate([b.seq for b in batches])
    acknowledged = _reached(seq, *_facts(_source(folder), source, Acknowledge, start))
    recovered = _reached(seq, *_facts(_target(folder), target, Recoverable, start))
    ups = np.array([now - start for now, event, _ in source if isinstance(event, LinkUp)])
    redials = [float(ups[ups > heal].min() - heal) for _, heal in cuts]
    return Flight(
        entered,
        np.concatenate([b.offset for b in batches]),
        np.concatenate([b.length for b in batches]),
        acknowledged,
        recovered,
        end,
        status["targets"]["lyon"]["journal_peak_bytes"],
        float(np.mean(acknowledged - entered)),
        _staging_s(target),
        _handling_s(story, folder, source, target),
        redials,
        cuts,
        slow,
    )


def _recording(folder: Path, role: str) -> Path:
    (path,) = (folder / "flights").glob(f"{role}-*.flight")
    return path


def _source(folder: Path) -> SourceEngine:
    config = load(folder / "paris.yaml")
    settings = revive.source_settings(config, "erp", "lyon")
    store = SourceStore.open(folder / "twin-source", config.groups["erp"])
    return revive.source_engine(settings, store, revive.open_leg(store, settings, "lyon"), 0)


def _target(folder: Path) -> TargetEngine:
    config = load(folder / "lyon.yaml")
    store = TargetStore.open(folder / "twin", config.groups["erp"])
    return revive.target_engine(revive.target_settings(config, "erp"), store)


def _facts(
    engine: SourceEngine | TargetEngine, recording: list, kind: type, start: float
) -> tuple[list[int], list[float]]:
    """Fly a recording again: a fresh engine says the same, and says when the order had got how far."""
    seqs, times = [0], [-np.inf]
    for now, event, asked in recording:
        done = engine.step(event, now)
        assert digest(done) == asked
        for action in done:
            if isinstance(action, kind):
                for s, t in zip(action.seq.tolist(), action.at.tolist(), strict=True):
                    if s > seqs[-1]:
                        seqs.append(s)
                        times.append(t - start)
    return seqs, times


def _reached(seq: np.ndarray, seqs: list[int], times: list[float]) -> np.ndarray:
    """Give when each write was reached; nan if never."""
    places = np.searchsorted(seqs, seq, side="left")
    return np.where(places < len(seqs), np.array(times)[np.minimum(places, len(seqs) - 1)], np.nan)


def _staging_s(target: list) -> float:
    """Give the mean time from a train's arrival until it was durable."""
    arrived: list[tuple[int, float]] = []
    took = []
    for now, event, _ in target:
        if isinstance(event, Received) and isinstance(event.frame, Data):
            arrived.append((event.frame.batch.last, now))
        elif isinstance(event, StagingDurable):
            while arrived and arrived[0][0] <= event.seq[-1]:
                took.append(float(event.at[-1]) - arrived.pop(0)[1])
    return float(np.mean(took))


def _handling_s(story: Story, folder: Path, source: list, target: list) -> float:
    """Give the mean time beyond the line's own that single frames took when nothing was ahead of them."""
    arrived: dict[int, float] = {}
    for now, event, _ in target:
        if isinstance(event, Received) and isinstance(event.frame, Data):
            arrived |= dict.fromkeys(event.frame.batch.seq.tolist(), now)
    engine, last, extra = _source(folder), 0.0, []
    for now, event, _ in source:
        for action in engine.step(event, now):
            if isinstance(action, Send) and isinstance(action.frame, Data):
                seq = action.frame.batch.last
                if len(action.frame.batch) == 1 and last <= now and seq in arrived:
                    size = wire_size(action.frame)
                    line = (size + HEADERS * -(-size // SEGMENT)) * 8 / (story.mbit * 1e6)
                    extra.append(arrived[seq] - now - line - (story.delay or 0.0))
                last = max(last, arrived.get(seq, last))
    usual = [each for each in extra if each < 0.1]  # the others were lost, or met a slower line
    return float(np.mean(usual)) if usual else 0.0
