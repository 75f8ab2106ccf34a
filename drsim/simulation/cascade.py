"""What a target that feeds another one passes on: the order while it keeps it, places only while it is copied to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import none, written
from drsim.replication import actions as do
from drsim.replication import events as on
from drsim.replication.frames import Ready
from drsim.replication.source import SourceEngine
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine


class Relay:
    """One hop of a cascade: tells the next source engine what happened on the volumes it sends from.

    While the feeding target is copied to, its volumes are no image, and a copy of them would be none either: the
    hop is suspended, and learns which places changed. It goes on, by a copy of those places, once the volumes
    have reached the seq at which order was regained.

    Args:
        feeder: the target engine, as it is now, whose volumes are read.
        deliver: the next source engine's door.
        next_source: that engine as it is now; None while its site is lost.
        headroom: bytes it takes before it, or a full target behind it, must decide; None: no limit.
        foreign: what is on those volumes is of another order, until the feeding target opens a copy.
    """

    def __init__(
        self,
        feeder: Callable[[], TargetEngine],
        deliver: Callable[[on.Event], None],
        next_source: Callable[[], SourceEngine | None],
        headroom: Callable[[], int | None],
        *,
        foreign: bool = False,
    ) -> None:
        self._feeder = feeder
        self._deliver = deliver
        self._next = next_source
        self._headroom = headroom
        self._coming: deque[tuple[int, int]] = deque()
        self._coming_bytes = 0
        self.foreign = foreign
        self._copying = self._stopped = False
        self._regained: int | None = None
        self._applied = 0

    def coming(self, batch: WriteBatch) -> None:
        """Hosts wrote what will be on the feeding target's volumes one day."""
        self._coming.append((batch.last, batch.nbytes))
        self._coming_bytes += batch.nbytes

    def restarted(self, last: int) -> None:
        """Hosts' writes after ``last`` are forgotten: they never come."""
        while self._coming and self._coming[-1][0] > last:
            self._coming_bytes -= self._coming.pop()[1]

    def slack(self) -> int | None:
        """Bytes hosts may write before that could be, whatever comes when; None: no limit."""
        room = None if self._copying or self._next() is None else self._headroom()
        return None if room is None else room - self._coming_bytes

    @property
    def waiting(self) -> bool:
        """Whether the next write on those volumes may decide: the hop goes on, or its journal is full."""
        if self._next() is None:
            return False
        slack = self.slack()
        return self._regained is not None or (slack is not None and slack <= 0)

    @property
    def stopped(self) -> bool:
        """Whether the next source is suspended because of what goes on here."""
        return self._stopped

    def begin(self) -> None:
        """The hop's engine has begun its life, or goes on after its site was lost."""
        self._copying = self.foreign or self._feeder().state is Target.INCONSISTENT
        self._stopped, self._regained, self._applied = False, None, 0
        if self._copying:
            self._stop()

    def told(self, action: do.Action) -> None:
        """The feeding target's engine has spoken."""
        match action:
            case do.Send(frame=Ready()):
                self.foreign, self._regained, self._applied = False, None, 0
            case do.StateChanged(new=Target.INCONSISTENT.value):
                self._copying, self._regained = True, None
                self._stop()
            case do.StateChanged(new=Target.FOLLOWING.value, at=at) if not self.foreign:
                self._regained = self._feeder().leg.held
                self._go_on(at)
            case _:
                pass

    def written(self, batch: WriteBatch) -> None:
        """Rows are on the feeding target's volumes; ``batch.time`` says when."""
        while self._coming and self._coming[0][0] <= batch.last:
            self._coming_bytes -= self._coming.popleft()[1]
        if not self._copying:
            self._deliver(on.HostWrites(batch))
            return
        if not self.foreign:
            self._applied = max(self._applied, batch.last)
        self._deliver(on.Copied(written(batch), self._applied, float(batch.time[0])))
        self._go_on(float(batch.time[-1]))

    def _stop(self) -> None:
        engine = self._next()
        if not self._stopped and engine is not None and not engine.leg.suspended:
            self._stopped = True
            self._deliver(on.Command("suspend"))

    def _go_on(self, at: float) -> None:
        if self._regained is None:
            return
        standing = self._feeder().leg.written
        if (
            self._applied < self._regained <= standing
        ):  # All of it was on the volumes when order was regained.
            self._applied = standing
            self._deliver(on.Copied(none(), standing, at))
        if self._applied < self._regained:
            return
        self._copying, self._regained = False, None
        if self._stopped:
            self._stopped = False
            self._deliver(on.Command("resume"))
