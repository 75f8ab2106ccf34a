"""What a target that feeds another one passes on: the order while it keeps it, places only while it is copied to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import written
from drsim.replication import actions as do
from drsim.replication import events as on
from drsim.replication.source import SourceEngine
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine


class Relay:
    """One hop of a cascade: tells the next source engine what happened on the volumes it sends from.

    While the feeding target is copied to, its volumes are no image, and a copy of them would be none either: the
    hop is suspended, and learns which places changed. It goes on, by a copy of those places, once the volumes
    have reached the seq at which order was regained.

    Args:
        feeder: the target engine whose volumes are read.
        deliver: the next source engine's door.
        next_source: that engine as it is now.
    """

    def __init__(
        self,
        feeder: TargetEngine,
        deliver: Callable[[on.Event], None],
        next_source: Callable[[], SourceEngine],
    ) -> None:
        self._feeder = feeder
        self._deliver = deliver
        self._next = next_source
        self._coming: deque[tuple[int, int]] = deque()
        self._coming_bytes = 0
        self._copying = feeder.state is Target.INCONSISTENT
        self._stopped = False
        self._regained: int | None = None
        self._applied = 0

    def coming(self, batch: WriteBatch) -> None:
        """Hosts wrote what will be on the feeding target's volumes one day."""
        self._coming.append((batch.last, batch.nbytes))
        self._coming_bytes += batch.nbytes

    def slack(self) -> int | None:
        """Bytes hosts may write before the next source's journal could be full, whatever comes when; None: no limit."""
        room = self._next().headroom()
        return None if room is None or self._copying else room - self._coming_bytes

    @property
    def waiting(self) -> bool:
        """Whether the next write on those volumes may decide: the hop goes on, or its journal is full."""
        slack = self.slack()
        return self._regained is not None or (slack is not None and slack <= 0)

    def begin(self) -> None:
        """The hop's engine has begun its life."""
        if self._copying:
            self._stop()

    def told(self, action: do.Action) -> None:
        """The feeding target's engine has spoken."""
        if not isinstance(action, do.StateChanged):
            return
        if action.new == Target.INCONSISTENT.value:
            self._copying, self._regained = True, None
            self._stop()
        elif action.new == Target.FOLLOWING.value:
            self._regained = self._feeder.leg.held
            self._go_on()

    def written(self, batch: WriteBatch) -> None:
        """Rows are on the feeding target's volumes; ``batch.time`` says when."""
        while self._coming and self._coming[0][0] <= batch.last:
            self._coming_bytes -= self._coming.popleft()[1]
        if not self._copying:
            self._deliver(on.HostWrites(batch))
            return
        self._applied = max(self._applied, batch.last)
        self._deliver(on.Copied(written(batch), self._applied, float(batch.time[0])))
        self._go_on()

    def _stop(self) -> None:
        if not self._stopped and not self._next().leg.suspended:
            self._stopped = True
            self._deliver(on.Command("suspend"))

    def _go_on(self) -> None:
        if self._regained is None or self._applied < self._regained:
            return
        self._copying, self._regained = False, None
        if self._stopped:
            self._stopped = False
            self._deliver(on.Command("resume"))
