"""A target's change of role, and its snapshots: promotion, rehearsal, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drsim.blocks.extents import Extents
from drsim.replication.actions import CutStaging, DropSnapshot, Noted, RestoreSnapshot, TakeSnapshot
from drsim.replication.generations import successor
from drsim.replication.protect import Protect
from drsim.replication.shelf import Shelf
from drsim.replication.staging import Staging
from drsim.replication.states import Cause, Target
from drsim.replication.target_leg import TargetLeg


@dataclass(slots=True)
class _Wanted:
    """A snapshot that waits for the volumes to stand still."""

    name: str
    scheduled: bool = False
    taken: bool = False


class Roles:
    """Promotes and keeps snapshots; both wait until what was given to the volumes is on them."""

    def __init__(self, leg: TargetLeg, staging: Staging, protect: Protect) -> None:
        self.leg = leg
        self.staging = staging
        self.protect = protect
        self.shelf = Shelf(leg.settings.snapshots)
        self.drills: set[str] = set()
        """Rehearsals' snapshots that exist."""
        self._wanted: list[_Wanted] = []
        self._restoring: str | None = None
        self._older: tuple[str, int] | None = None
        """Name and seq of the snapshot on which the site is to take over, when an older image is wanted."""
        self.rolled_back = False
        """The site took over on such a one: what it passed on itself is no longer what it holds."""

    @property
    def draining(self) -> bool:
        """Whether snapshots wait, and nothing else, until what was given to the volumes is on them."""
        return bool(self._wanted) and not self.leg.promoting and self._restoring is None

    @property
    def busy(self) -> bool:
        """Whether the next completion decides something."""
        return bool(self._wanted) or self.leg.promoting or self._restoring is not None

    def promote(self, point: str) -> None:
        """Take over: at the newest image, at a seq, or at a marker; on the protective snapshot in mid-resync.

        ``NAME@SEQ`` puts one of the snapshots kept here back, which is consistent at SEQ. What was overwritten since it
        was taken differs from what others hold, and so does what was staged; everything, where the snapshots' keeper
        can't say what was overwritten.

        The loss is exact: every acknowledged write beyond the seq noted as ``promoted``, and no other.
        """
        leg = self.leg
        if leg.state is Target.PROMOTED or leg.promoting:
            return
        kept = self._kept_as(point)
        if leg.state is Target.INCONSISTENT and leg.protected is None and kept is None:
            leg.out.append(Noted("promotion refused: no consistent image", 1, leg.now))
            return
        seq = self._seq_of(point) if kept is None else kept[1]
        if seq is None:
            leg.out.append(Noted(f"promotion refused: no point {point}", 1, leg.now))
            return
        leg.session = 0
        self.staging.session_over()
        self.protect.session_over()
        leg.promoting, leg.frozen = True, True
        leg.wish, self._older = seq, kept
        if kept is not None:
            self.shelf.lost(kept[0])  # No snapshot that is being taken makes it go.
        self._wanted = [w for w in self._wanted if w.taken]
        self.go_on()

    def rehearse(self, name: str) -> None:
        """Keep the image under ``name`` so that it can be tried out while replication goes on.

        A rehearsal of the same name that exists already is replaced.
        """
        leg, name = self.leg, name or "rehearsal"
        if leg.state is Target.INCONSISTENT:
            leg.out.append(Noted("rehearsal refused: no consistent image on the volumes", 1, leg.now))
        elif self._shut() or any(w.name == name for w in self._wanted):
            leg.out.append(Noted("rehearsal refused: the volumes are about to change hands", 1, leg.now))
        elif self.shelf.timetable_of(name) is not None or name.startswith("protect-"):
            leg.out.append(Noted(f"rehearsal refused: {name} is no name for one", 1, leg.now))
        else:
            self._want(name)

    def drop(self, name: str) -> None:
        """The rehearsal is over."""
        leg, name = self.leg, name or "rehearsal"
        if name not in self.drills:
            leg.out.append(Noted(f"no rehearsal {name}", 1, leg.now))
            return
        self.drills.remove(name)
        leg.out.append(DropSnapshot(name))

    def snapshot_lost(self, name: str) -> None:
        """Room for a snapshot ran out."""
        self.shelf.lost(name)
        self.drills.discard(name)

    def restore(self, names: Sequence[str]) -> None:
        """After a crash: these snapshots exist."""
        self.drills.update(n for n in self.shelf.restore(names) if not n.startswith("protect-"))

    def go_on(self) -> None:
        """Something landed: go on with what waits for it."""
        leg = self.leg
        if leg.promoting:
            self._promote()
        elif (
            self._wanted and not self._wanted[0].taken and leg.issued == leg.written and self.staging.between
        ):
            self._wanted[0].taken = True
            leg.out.append(TakeSnapshot(self._wanted[0].name, leg.written))

    def snapshot_taken(self, name: str, overwritten: Extents | None = None) -> None:
        """A snapshot is kept, or one has been put back in place of what was ``overwritten`` since it was taken."""
        leg = self.leg
        if name == self._restoring:
            self._restoring = None
            assert leg.protected is not None
            before, seq = leg.written, leg.protected[1]
            if self.rolled_back or not leg.dirt_known:
                self._leave_out(overwritten)
            self.staging.restart(seq)
            self._promoted()
            if before > seq:
                leg.out.append(CutStaging(seq))
        elif self._wanted and self._wanted[0].name == name:
            self._kept(self._wanted.pop(0))
            leg.frozen = bool(self._wanted) or leg.promoting
            self.go_on()
            self.staging.destage()

    def _kept(self, snapshot: _Wanted) -> None:
        if not snapshot.scheduled:
            self.drills.add(snapshot.name)
            return
        for old in self.shelf.taken(snapshot.name):
            self.leg.out.append(DropSnapshot(old))

    def due(self) -> None:
        """Time has passed: snapshots may be due. One that falls into a resync or a takeover is left out."""
        for name in self.shelf.due(self.leg.now):
            if self._shut():
                self.leg.out.append(Noted("snapshots_missed", 1, self.leg.now))
            else:
                self._want(name, scheduled=True)

    def deadline(self) -> float | None:
        """When the next snapshot is due."""
        return None if self.leg.state is Target.PROMOTED else self.shelf.deadline()

    def forget_wishes(self) -> None:
        """A resync comes first: what waits is left out; what is being taken is waited for."""
        for left in self._wanted:
            if not left.taken:
                self.leg.out.append(Noted("snapshots_missed", 1, self.leg.now))
        self._wanted = [w for w in self._wanted if w.taken]
        self.leg.frozen = bool(self._wanted)

    def _shut(self) -> bool:
        """Whether the volumes have no image that stands still, or soon will have none."""
        leg = self.leg
        return leg.state is not Target.FOLLOWING or leg.promoting or self.protect.asked is not None

    def _want(self, name: str, *, scheduled: bool = False) -> None:
        self._wanted.append(_Wanted(name, scheduled))
        self.leg.frozen = True
        self.go_on()

    def _seq_of(self, point: str) -> int | None:
        leg = self.leg
        if leg.state is Target.INCONSISTENT:
            assert leg.protected is not None
            return leg.protected[1] if not point else None
        if not point:
            return leg.held
        seq = int(point) if point.isdigit() else leg.marked(point)
        there = seq is not None and leg.issued <= seq <= leg.held and self.staging.is_point(seq)
        return seq if there else None

    def _kept_as(self, point: str) -> tuple[str, int] | None:
        """Give name and seq of a snapshot that is named ``NAME@SEQ`` and is there."""
        name, _, seq = point.rpartition("@")
        replaced = any(w.taken and w.name == name for w in self._wanted)
        there = (name in self.drills or name in self.shelf.kept) and not replaced
        return (name, int(seq)) if there and seq.isdigit() else None

    def _promote(self) -> None:
        leg = self.leg
        if not self.staging.quiet or not self.protect.quiet or self._restoring is not None or self._wanted:
            return
        if leg.state is Target.INCONSISTENT or self._older is not None:
            if leg.issued != leg.written:
                return
            self._fall_back()
            assert leg.protected is not None
            self._restoring = leg.protected[0]
            leg.out.append(RestoreSnapshot(self._restoring))
            return
        assert leg.wish is not None
        if leg.point is None:
            leg.frozen, leg.point, leg.named = False, leg.wish, (leg.wish, leg.held)
            self.staging.cut(leg.wish)
            self.staging.destage()
        if leg.written >= leg.wish:
            self._promoted()

    def _fall_back(self) -> None:
        """An older image is wanted: durably, before anything is put back, the volumes hold none but that snapshot."""
        if self._older is None:
            return
        leg, kept = self.leg, self.leg.protected
        self.staging.cut(leg.held)
        leg.protected, seq = self._older, self._older[1]
        leg.named = (seq + 1, seq)  # In mid-copy no order tells what others hold.
        if leg.state is Target.FOLLOWING:
            leg.base, leg.named = leg.held, (max(seq, leg.since), leg.held)
            leg.become(Cause.DISCARDED)
        leg.save()
        if kept is not None:
            leg.out.append(DropSnapshot(kept[0]))
        self._older, self.rolled_back = None, True

    def _leave_out(self, overwritten: Extents | None) -> None:
        """Note in what an older image differs from what others were told is here: on the volumes, or staged."""
        leg = self.leg
        own = (
            leg.dirt_known or not leg.retired
        )  # Else a crash forgot what this site wrote when it was source.
        leg.dirt_known = own and overwritten is not None
        if overwritten is not None:
            leg.dirt.mark(overwritten)
        self.staging.store.mark_beyond(leg.written, leg.dirt)

    def _promoted(self) -> None:
        leg = self.leg
        leg.promoting, leg.frozen, leg.point = False, False, None
        leg.become(Cause.PROMOTED)
        leg.base = leg.end = None
        snapshot, leg.protected = leg.protected, None
        leg.lineage = leg.lineage.parted(successor(leg.lineage, leg.settings.origin))
        leg.save()
        leg.out.append(Noted("promoted", leg.written, leg.now))
        if snapshot is not None:
            leg.out.append(DropSnapshot(snapshot[0]))
