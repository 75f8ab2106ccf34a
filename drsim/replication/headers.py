"""What an engine must remember across a crash beside journal, staging and bitmap: a few numbers each."""

from __future__ import annotations

from dataclasses import dataclass, field

from drsim.replication.generations import Lineage


@dataclass(frozen=True, slots=True)
class SourceHeader:
    """The durable facts of a source leg.

    Attributes:
        lineage: whose data this is.
        boot: lives of the engine so far; sessions of different lives never share a number.
        ordered: the journal alone tells what the target lacks; otherwise the bitmap does.
        last: the order was durable through here when the header was saved (the journal may know of more).
        confirmed: the target durably held the order through here.
        seeded: the target has had all the data; a target without any is a new disk.
        marks: points that applications marked, as (seq, name), as far as the target may not have heard of them.
        named: `TargetLeg.named` of the takeover, until target and source have met.
    """

    lineage: Lineage = field(default_factory=Lineage)
    boot: int = 0
    ordered: bool = True
    last: int = 0
    confirmed: int = 0
    seeded: bool = False
    marks: tuple[tuple[int, str], ...] = ()
    named: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TargetHeader:
    """The durable facts of a target leg.

    Attributes:
        lineage: whose data this is.
        applied: the volumes held the order through here; staging tells the rest.
        open: seq of the last checkpoint, while a folded cycle is being received: staged rows after it
            are no image yet. None when every staged row is one.
        base: seq at which the running unordered copy restarted the order; None when the order is whole.
        end: seq at which that copy makes the image consistent again; None while unknown.
        protected: name and seq of the protective snapshot; None when there is none.
        promoted: the site has taken over.
        complete: and its image holds all that its old source was ever told is safe here; otherwise the way back
            must copy more than the two sites' own writes (`TargetLeg.dirt` says what, until a crash forgets it).
        retired: the site was the group's source, and can name all in which it differs from where it was left.
        feeder: generation of the source whose copy was begun last, until the image is whole; 0 when none was begun.
        whole: volumes that hold less hold perhaps a part of what was staged through here, and are no image.
        cycles: last seq of each whole cycle in staging that is not on the volumes yet.
        marks: points that applications marked and that the volumes have not passed, as (seq, name).
    """

    lineage: Lineage = field(default_factory=Lineage)
    applied: int = 0
    open: int | None = None
    base: int | None = None
    end: int | None = None
    protected: tuple[str, int] | None = None
    promoted: bool = False
    complete: bool = False
    retired: bool = False
    feeder: int = 0
    whole: int = 0
    cycles: tuple[int, ...] = ()
    marks: tuple[tuple[int, str], ...] = ()
