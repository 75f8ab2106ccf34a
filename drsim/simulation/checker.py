"""Judges a target from outside: what it calls recoverable must be the order's prefix, and nothing else."""

from __future__ import annotations

from drsim.replication import actions as do
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine


class OrderChecker:
    """Watches a target engine's actions.

    In order: what is staged and written to the volumes continues the order, each write once; what is called
    recoverable was staged. A copy (rows of seq 0) makes the volumes follow no order until the engine says that it
    was regained: until then nothing new may be called recoverable.
    """

    def __init__(self, *, copying: bool = False, recoverable: int = 0) -> None:
        self.holds = True
        self.problems: list[str] = []
        self._staged = 0
        self._written = 0
        self._recoverable = recoverable
        self._copying = copying

    def __call__(self, action: do.Action) -> None:
        """See one action."""
        match action:
            case do.AppendStaging(batch=batch):
                self._require(self._copying or batch.first > self._staged, "a write was staged twice")
                self._staged = max(self._staged, batch.last)
            case do.WriteBlocks(batch=batch) if len(batch) and int(batch.seq[0]) > 0:
                self._require(batch.first > self._written, "a write reached the volumes out of order")
                self._written = batch.last
            case do.StateChanged(new=new):
                self._copying = new == "INCONSISTENT"
            case do.Exposed() if not self._copying:
                self._recoverable = 0  # The engine says it: what it kept was a point of another order.
            case do.Recoverable(seq=seq):
                self._require(
                    not self._copying or int(seq[-1]) == self._recoverable, "recoverable during a copy"
                )
                self._require(int(seq[0]) >= self._recoverable, "a recoverable point went back")
                self._recoverable = int(seq[-1])
            case _:
                pass

    def _require(self, truth: bool, problem: str) -> None:
        if not truth:
            self.holds = False
            self.problems.append(problem)


def judge_of(engine: TargetEngine) -> OrderChecker:
    """A judge of a target that has a past: in the midst of a copy its protective snapshot is all it has."""
    kept = engine.leg.protected
    copying = engine.state is Target.INCONSISTENT
    return OrderChecker(copying=copying, recoverable=kept[1] if kept and copying else 0)
