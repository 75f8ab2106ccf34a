"""A copy's pace against closed forms: the engine's source over a link that is one number, bytes a second."""

import heapq
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import Lineage
from drsim.replication.settings import Resync, SourceSettings
from drsim.replication.source import SourceEngine

KIB = 1024


class Line:
    """A target that confirms each slice as soon as a link of ``rate`` bytes/s has carried it, ``latency`` later."""

    def __init__(self, sizes: tuple[int, ...], rate: float, latency: float = 0.0, **resync: str) -> None:
        settings = Resync.model_validate({"slice": "16 KiB", "row": "16 KiB"} | resync)
        self.engine = SourceEngine(SourceSettings(volumes=sizes, resync=settings, in_sync=False))
        self.rate, self.latency, self.free, self.now = rate, latency, 0.0, 0.0
        self.asked: list[tuple[float, int]] = []
        self.landed: list[tuple[float, int, int]] = []
        """(when, volume, bytes) of each slice confirmed."""
        self._later: list[tuple[float, int, ev.Event]] = []
        self._ties = count()
        for event in (ev.Due(), ev.LinkUp()):
            self.step(event)

    def run(self, until: float = np.inf) -> None:
        """Let time pass up to ``until``, or until nothing happens any more."""
        while True:
            due = self.engine.deadline()
            ahead = min(self._later[0][0] if self._later else np.inf, np.inf if due is None else due)
            if ahead > until or ahead == np.inf:
                return
            assert ahead > self.now or self._later, "a deadline that comes for ever"
            self.now = max(self.now, ahead)
            while self._later and self._later[0][0] <= self.now:
                self.step(heapq.heappop(self._later)[2])
            self.step(ev.Due())

    def step(self, event: ev.Event) -> None:
        for action in self.engine.step(event, self.now):
            match action:
                case do.ReadBlocks(ticket, extents):
                    self.asked.append((self.now, extents.nbytes))
                    self.later(self.now, ev.BlocksRead(ticket, _content(extents, self.now)))
                case do.Send(fr.Hello(session)):
                    self.answer(fr.Welcome(session, Lineage(), 0, 0, False), self.now)
                case do.Send(fr.ResyncBegin(session, base)):
                    self.answer(fr.Ready(session, base), self.now)
                case do.Send(fr.Resync(session, ticket, batch)):
                    self.free = max(self.free, self.now) + batch.nbytes / self.rate
                    done = self.free + self.latency
                    self.landed += [
                        (done, int(v), int(n)) for v, n in zip(batch.volume, batch.length, strict=True)
                    ]
                    self.answer(fr.ResyncAck(session, ticket, len(batch)), done)

    def answer(self, frame: fr.Frame, at: float) -> None:
        self.later(at, ev.Received(frame, np.array([at])))

    def later(self, at: float, event: ev.Event) -> None:
        heapq.heappush(self._later, (at, next(self._ties), event))

    def finished(self, volume: int) -> float:
        """When the last of a volume had landed."""
        return max(at for at, which, _ in self.landed if which == volume)


def _content(extents: Extents, now: float) -> WriteBatch:
    rows = len(extents)
    length, none = extents.stop - extents.start, np.zeros(rows, np.int64)
    return WriteBatch(none, np.full(rows, now), extents.volume, extents.start, length, none.astype(np.uint8))


def test_volumes_are_copied_one_after_another_or_side_by_side():
    """Equal volumes of V bytes: serially the first is done at V/r; side by side it is done one slice before 2V/r."""
    size, piece, rate = 256 * KIB, 16 * KIB, 64 * KIB
    times = {}
    for order in ("serial", "side by side"):
        line = Line((size, size), rate, volumes=order, window="32 KiB")
        line.run()
        times[order] = line.finished(0), line.finished(1)
        assert line.engine.copy.done
    assert times["serial"] == pytest.approx((size / rate, 2 * size / rate))
    first, second = sorted(times["side by side"])
    assert (first, second) == pytest.approx(((2 * size - piece) / rate, 2 * size / rate))


@pytest.mark.parametrize(("rate", "latency"), [(256 * KIB, 0.0), (64 * KIB, 0.0), (256 * KIB, 0.1)])
def test_with_a_delay_target_a_slice_is_confirmed_after_about_that_long(rate, latency):
    """What is on its way is then rate x (delay - latency) and the window a little more: a slice that waits."""
    delay = 0.5
    line = Line((32 << 20,), rate, latency, delay=f"{delay} s", window="8 MiB")
    line.run(until=30.0)
    took = [done[0] - asked[0] for asked, done in zip(line.asked, line.landed, strict=True) if asked[0] > 15]
    assert np.mean(took) == pytest.approx(delay, rel=0.15)
    assert line.engine.copy.flying == pytest.approx(rate * (delay - latency), rel=0.35)


def test_the_delay_target_follows_a_link_that_changes():
    line = Line((32 << 20,), 256 * KIB, delay="0.5 s", window="8 MiB")
    line.run(until=15.0)
    before = line.engine.copy.flying
    line.rate /= 4
    line.run(until=45.0)
    assert line.engine.copy.flying == pytest.approx(before / 4, rel=0.35)


def test_without_a_delay_target_the_window_is_kept_full_and_never_more():
    line = Line((8 << 20,), 64 * KIB, 0.2, window="64 KiB")
    line.run(until=30.0)
    assert line.engine.copy.flying == 64 * KIB


@given(st.lists(st.sampled_from([8, 64, 1024]), min_size=1, max_size=4), st.sampled_from([0.0, 0.05, 0.3]))
def test_what_a_limit_leaves_to_others_is_theirs(rates, latency):
    """In no stretch of time does the copy ask for more than ``limit`` x time and one slice: the rest is guaranteed."""
    limit, piece = 100_000, 16 * KIB
    line = Line((1 << 20,), rates[0] * KIB, latency, limit="100 kB/s", window="64 KiB")
    for i, rate in enumerate(rates):
        line.rate = rate * KIB
        line.run(until=3.0 * (i + 1))
    at = np.array([t for t, _ in line.asked])
    spent = np.cumsum([n for _, n in line.asked])
    for i in range(len(at)):
        assert (spent[i:] - spent[i] <= limit * (at[i:] - at[i]) + 1e-6).all()
    if (
        min(rates) >= 1024 and latency < 0.1
    ):  # The link would carry ten times as much: the limit is used to the full.
        assert spent[-1] >= min(1 << 20, limit * (at[-1] - at[0])) - piece
