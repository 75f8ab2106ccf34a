"""Judges a target by content: each recoverable image must equal the source after its seq, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from drsim.blocks.batch import WriteBatch
from drsim.replication import actions as do
from drsim.simulation.content import Image, Names, Origin, Trail, paint
from drsim.simulation.spill import Spill


class Comparer:
    """Keeps what is on one target's volumes and staging, and compares it with the source's past.

    Two images are judged. What a failover would find, volumes with the staged writes on top, each time the
    engine calls a seq recoverable; and the volumes alone, whenever they have reached what staging may
    forget, and before each snapshot. Blocks that changed since the last comparison are compared; all of
    them after a copy, which follows no order. Of volumes to which cycles are applied only a cycle's end is
    judged. With the takeover the target goes its own way, and the comparison ends with a last look.
    """

    def __init__(self, origin: Origin, *, in_sync: bool, cycles: bool) -> None:
        self.holds = True
        self.problems: list[str] = []
        self.compared = 0
        self.volumes = Image()
        self._names: Names = origin.names
        self._staged = Spill()
        self._whole = _Side(self.volumes, origin.trail())
        self._found = _Side(Image(), origin.trail())
        self._overlaid = 0
        self._applied = 0
        self._copying = not in_sync
        self._stale = False
        self._sound = 0
        self._ends: set[int] | None = set() if cycles else None
        self._kept: dict[str, tuple[Image, int]] = {}
        self._ended = False
        self._hands: dict[type, Callable[[Any], None]] = {
            do.AppendStaging: lambda action: self._staged.append(action.batch),
            do.CutStaging: lambda action: self._staged.cut(action.after),
            do.TrimStaging: self._trim,
            do.StateChanged: lambda action: self._changed(action.new),
            do.Recoverable: lambda action: self._recoverable(int(action.seq[-1])),
            do.TakeSnapshot: self._keep,
            do.RestoreSnapshot: self._restore,
            do.DropSnapshot: self._drop,
        }

    def __call__(self, action: do.Action) -> None:
        """See one action of the target engine, before it is carried out."""
        if self._ended:
            return
        hand = self._hands.get(type(action))
        if hand is not None:
            hand(action)

    def written(self, batch: WriteBatch) -> None:
        """Rows are on the volumes: of the order, or of a copy (seq 0)."""
        if self._ended:
            return
        paint(self.volumes, self._names, batch)
        if len(batch) and batch.last:
            self._applied = batch.last
        else:
            self._stale = True

    def revived(self, staged: int, *, copying: bool) -> None:
        """The target is back after a loss: staging has what was durable, through ``staged``."""
        self._staged.cut(staged)
        self._copying = copying

    def _trim(self, action: do.TrimStaging) -> None:
        self._staged.trim(action.through)
        through = action.through
        if self._ends is not None:
            if through not in self._ends:
                return
            self._ends = {end for end in self._ends if end > through}
        if through == self._applied >= self._sound and not self._copying:
            self._judge(self._whole, through, "the volumes")

    def _keep(self, action: do.TakeSnapshot) -> None:
        self._judge(self._whole, action.seq, f"snapshot {action.name}")
        self._kept[action.name] = (self.volumes.copy(), action.seq)

    def _changed(self, state: str) -> None:
        self._copying = state == "INCONSISTENT"
        if state == "PROMOTED":
            self._judge(self._whole, self._applied, "the image taken over")
            self._ended = True

    def _recoverable(self, seq: int) -> None:
        if self._copying:
            return  # The snapshot is what a failover would find; it was compared when it was taken.
        if self._stale:
            self._found.image = self.volumes.copy()
            self._found.everything = self._whole.everything = True
            self._overlaid, self._stale = 0, False
            self._sound = seq  # Copied blocks may be as new as this, and the volumes are not there yet.
        paint(self._found.image, self._names, self._staged.read(self._overlaid + 1, seq))
        self._overlaid = seq
        if self._ends is not None:
            self._ends.add(seq)
        self._judge(self._found, seq, "what a failover would find")

    def _restore(self, action: do.RestoreSnapshot) -> None:
        image, seq = self._kept[action.name]
        self._whole.image = self.volumes = image.copy()
        self._whole.everything, self._applied = True, seq

    def _drop(self, action: do.DropSnapshot) -> None:
        self._kept.pop(action.name, None)

    def _judge(self, side: _Side, seq: int, what: str) -> None:
        different = side.differs(seq, len(self._names))
        self.compared += 1
        if different:
            self.holds = False
            self.problems.append(f"{what} differs from the source after write {seq} in {different} blocks")


class _Side:
    """An image and the source's past it must equal."""

    def __init__(self, image: Image, trail: Trail) -> None:
        self.image = image
        self.everything = False
        self._trail = trail

    def differs(self, seq: int, names: int) -> int:
        """How many times a block is found that is not as the source's after ``seq`` writes."""
        self._trail.advance(seq)
        changed = np.concatenate([self._trail.image.touched(), self.image.touched()])
        look = np.arange(names) if self.everything else changed
        self.everything = False
        return int(np.count_nonzero(self.image.read(look) != self._trail.image.read(look)))
