"""What a leg's history says so far: RPO lag, violations, backlog, in the summary's words.

Numbers are exact sums over events, as in the simulator's summary; only the moment at which the
source learns of a confirmation is later than the confirmation, by the way back.
"""

from __future__ import annotations

from collections import Counter, deque

from drsim.replication.actions import Action, Noted, Send, StateChanged
from drsim.replication.events import Event, HostWrites, Received
from drsim.replication.frames import Data, Regained
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source

_MOST = 65536  # batches remembered; beyond, neighbours are joined and the lag may be overstated by a batch


class LagWatch:
    """RPO lag of one leg, as its source knows it.

    Lag at time t is t minus the time of the oldest write that no consistent image at the target holds: 0
    when there is none. It grows with slope 1 between confirmations, so sums over the pieces are exact.
    """

    def __init__(self, rpo_s: float | None, start: float) -> None:
        self.rpo_s = rpo_s
        self.lag_max_s = 0.0
        self.violations = 0
        self.violation_s = 0.0
        self.violation_longest_s = 0.0
        self._open: deque[tuple[int, float]] = deque()  # (last seq, time of the first write) of each batch
        self._at = start  # summed up to here
        self._violated_s = 0.0  # of the violation that is going on, so far

    def written(self, last: int, time: float) -> None:
        """Writes through ``last`` were handed over, the first of them at ``time``."""
        self._advance(time)
        self._open.append((last, time))
        if len(self._open) > _MOST:
            pairs = list(self._open)
            self._open = deque((b[0], a[1]) for a, b in zip(pairs[::2], pairs[1::2], strict=False))
            if len(pairs) % 2:
                self._open.append(pairs[-1])

    def confirmed(self, seq: int, now: float) -> None:
        """The target's newest consistent image holds the order through ``seq``."""
        self._advance(now)
        while self._open and self._open[0][0] <= seq:
            self._open.popleft()
        if self._violated_s and self.lag_s(now) <= (self.rpo_s or 0.0):
            self._violated_s = 0.0

    def lag_s(self, now: float) -> float:
        """Give the lag at ``now``, seconds."""
        return max(0.0, now - self._open[0][1]) if self._open else 0.0

    def _advance(self, now: float) -> None:
        """Sum up the time since the last call, in which nothing was confirmed."""
        if not self._open or now <= self._at:
            self._at = max(self._at, now)
            return
        oldest = self._open[0][1]
        if now - oldest > self.lag_max_s:
            self.lag_max_s = now - oldest
        if self.rpo_s is not None:
            over = now - max(self._at, oldest + self.rpo_s)
            if over > 0:
                self.violations += self._violated_s == 0.0
                self.violation_s += over
                self._violated_s += over
                self.violation_longest_s = max(self.violation_longest_s, self._violated_s)
        self._at = now

    def settle(self, now: float) -> None:
        """Bring the sums up to ``now``."""
        self._advance(now)


class LegWatch:
    """Everything that is counted about a leg; an observer of its driver."""

    def __init__(self, engine: SourceEngine, rpo_s: float | None, start: float) -> None:
        self.engine = engine
        self.lag = LagWatch(rpo_s, start)
        self.noted: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.backlog_peak_bytes = 0
        self.journal_peak_bytes = 0
        self.sent_writes = 0
        self.confirmed = 0  # the target's newest image holds the order through here, as far as is known

    def __call__(self, now: float, event: Event, actions: list[Action]) -> None:
        """See one step."""
        leg = self.engine.leg
        if isinstance(event, HostWrites):
            self.lag.written(event.batch.last, event.batch.time.item(0))
            if (occupied := leg.journal.nbytes) > self.journal_peak_bytes:
                self.journal_peak_bytes = occupied
            if (backlog := self.backlog_bytes) > self.backlog_peak_bytes:
                self.backlog_peak_bytes = backlog
        for action in actions:
            self._count(action)
        if leg.confirmed > self.confirmed and leg.state in (Source.STREAMING, Source.BUFFERING):
            self._confirm(leg.confirmed, now)
        if isinstance(event, Received) and isinstance(event.frame, Regained):
            self._confirm(event.frame.seq, now)

    def _count(self, action: Action) -> None:
        if isinstance(action, Send):
            if isinstance(action.frame, Data):
                self.sent_writes += len(action.frame.batch)
        elif isinstance(action, Noted):
            self.noted[action.what] += int(action.value)
        elif isinstance(action, StateChanged):
            self.states[action.new] += 1

    def _confirm(self, seq: int, now: float) -> None:
        if seq > self.confirmed:
            self.confirmed = seq
            self.lag.confirmed(seq, now)

    @property
    def backlog_bytes(self) -> int:
        """Bytes the target lacks as far as the source knows: in the journal, under dirty bits, or being copied."""
        leg = self.engine.leg
        return leg.journal.nbytes + leg.dirty.nbytes + self.engine.copy.flying

    def summary(self, now: float) -> dict[str, float | int | None]:
        """Give the counts under the summary's names, and the present lag and backlog."""
        self.lag.settle(now)
        return {
            "rpo_s": self.lag.rpo_s,
            "lag_s": self.lag.lag_s(now),
            "lag_max_s": self.lag.lag_max_s,
            "violations": self.lag.violations,
            "violation_s": self.lag.violation_s,
            "violation_longest_s": self.lag.violation_longest_s,
            "backlog_bytes": self.backlog_bytes,
            "backlog_peak_bytes": self.backlog_peak_bytes,
            "journal_peak_bytes": self.journal_peak_bytes,
            "journal_overflows": self.noted["journal_overflows"],
            "resyncs": self.states[Source.RESYNCING.value],
            "resync_bytes": self.noted["resync_bytes"],
            "folded_bytes": self.noted["folded_bytes"],
        }
