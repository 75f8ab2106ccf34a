"""Golden stories: a text of commands, and below each what the engines did. Reads as a specification.

Commands (one a line; lines that start with ``#`` are prose; indented lines are what happened):
``settings KEY=VALUE …`` · ``link up|down`` · ``write VOLUME:OFFSET+LENGTH …`` (in blocks of 4 KiB) ·
``trim VOLUME:OFFSET+LENGTH`` · ``journal|deliver|staging|destage|reply [N]`` · ``read`` · ``snapshot`` ·
``settle`` · ``wait`` (until the next deadline) · ``crash source|target`` · ``source|target VERB [ARGUMENT]`` ·
``swap`` (the promoted site is the source from now on, the old source its target) · ``state`` ·
``at B`` (with ``settings sites=A,B,C``, A replicates to all others: what follows is of the leg to B) ·
``ship`` (the source's volumes onto media) · ``load SEQ`` (those media onto the target's volumes) ·
``rot VOLUME:OFFSET`` (a block of the target's volume decays).
"""

from dataclasses import replace

import numpy as np

from drsim.blocks.batch import Kind, WriteBatch, concat
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.history import Keep
from drsim.replication.overflow import KINDS as POLICIES
from drsim.replication.policy import KINDS as MODES
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.shelf import Schedule
from tests.replication.fleet import Fleet
from tests.replication.oracle import row
from tests.replication.pair import Pair

BLOCK = 4096
SIZES = (8 * BLOCK, 8 * BLOCK)
_KEPT = {"window": "history", "size": "history_size"}


def retell(text: str) -> str:
    """Carry out the commands of a story; give it back with what happens now."""
    told: list[str] = []
    tale = Tale(told)
    for line in text.splitlines():
        if line.startswith("    "):
            continue
        told.append(line)
        if line and not line.startswith("#"):
            tale.do(line)
    return "\n".join(told) + "\n"


class Voice:
    """The two ends of one leg, by the names of their sites."""

    def __init__(self, told: list[str], source: str, target: str) -> None:
        self.told, self.source, self.target = told, source, target

    def __call__(self, line: str) -> None:
        who, _, what = line.partition(": ")
        name = f"{self.source} (to {self.target})" if who == "source" else self.target
        self.told.append(f"    {name}: {what}")


class Tale:
    """One story being told."""

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self._pair: Pair | None = None
        self._fleet: Fleet | None = None

    @property
    def pair(self) -> Pair:
        if self._pair is None:
            self.settings([])
        assert self._pair is not None
        return self._pair

    def sites(self, leg: SourceSettings, target: TargetSettings, names: list[str]) -> None:
        """One source and several targets with the same settings."""
        source, *targets = names
        settings = [(leg, replace(target, origin=origin)) for origin, _ in enumerate(targets, start=2)]
        self._fleet = Fleet(settings, [Voice(self.told, source, name) for name in targets])
        self._pair = self._fleet.pairs[0]

    def at(self, target: str) -> None:
        """Go on with the leg to another site."""
        assert self._fleet is not None
        (self._pair,) = (
            p for p in self._fleet.pairs if isinstance(p.tell, Voice) and p.tell.target == target
        )

    def swap(self) -> None:
        """The promoted site is the source from now on, for every other site."""
        if self._fleet is None:
            self._pair = self.pair.swap()
            return
        voices = [p.tell for p in self._fleet.pairs if isinstance(p.tell, Voice)]
        mine = self.pair.tell
        assert isinstance(mine, Voice)
        old, new = mine.source, mine.target
        for voice in voices:
            voice.source = new
        mine.target = old
        self._fleet.swap(self._fleet.pairs.index(self.pair))
        self._pair = self._fleet.pairs[0]

    def do(self, line: str) -> None:
        verb, *rest = line.split()
        count = int(rest[0]) if rest and rest[0].isdigit() else 100
        match verb:
            case "settings":
                self.settings(rest)
            case "link":
                self.pair.link_up() if rest[0] == "up" else self.pair.link_down()
            case "write" | "trim":
                self.write(rest, Kind.WRITE if verb == "write" else Kind.TRIM)
            case "journal" | "deliver" | "staging" | "destage" | "reply":
                self.drain(verb, count)
            case "read":
                self.pair.read_blocks()
                self.pair.answer_read()
            case "snapshot":
                self.pair.snap()
            case "settle":
                self.pair.settle()
            case "wait":
                self.pair.tick()
            case "crash":
                crash_source = self.pair.crash_source if self._fleet is None else self._fleet.crash_source
                (crash_source if rest[0] == "source" else self.pair.crash_target)(0)
            case "source" | "target":
                event = ev.Command(rest[0], " ".join(rest[1:]))
                (self.pair.step_source if verb == "source" else self.pair.step_target)(event)
            case "swap":
                self.swap()
            case "at":
                self.at(rest[0])
            case "ship":
                self.pair.ship()
            case "load":
                self.pair.load(f"{self.pair.source.leg.lineage.current}:{rest[0]}")
            case "rot":
                self.rot(rest[0])
            case "state":
                self.state()
            case _:
                raise ValueError(f"no such command: {line}")

    def drain(self, verb: str, count: int) -> None:
        move = {
            "journal": self.pair.journal_done,
            "deliver": self.pair.to_target,
            "staging": self.pair.staging_done,
            "destage": self.pair.destage,
            "reply": self.pair.to_source,
        }[verb]
        move(count)
        while count == 100 and move(count):
            pass

    def settings(self, words: list[str]) -> None:
        """Blocks of 4 KiB unless a unit is given."""
        given = dict(w.split("=", 1) for w in words)
        policy = given.pop("on_full", "track")
        sites = given.pop("sites", "")
        mode = given.pop("mode", "journal")
        options = {
            k: given.pop(k).replace("_", " ")
            for k in ("every", "rpo", "on_loss", "fold", "cycle_size")
            if k in given
        }
        spill = {"size": given.pop("spill").replace("_", " ")} if "spill" in given else {}
        extra = {"at_once": True} if given.pop("at_once", "") else {}
        if "cycle_size" in options:
            options["size"] = options.pop("cycle_size")
        if "journal_below" in given:
            extra["journal_below"] = given.pop("journal_below").replace("_", " ")
        blocks = given.pop("journal", None)
        resync = Resync.model_validate(
            {
                "window": given.get("slice", "8_KiB").replace("_", " "),
                "slice": given.pop("slice", "8_KiB").replace("_", " "),
                "row": "4 KiB",
                "checksum": "checksum" in given,
            }
        )
        given.pop("checksum", None)
        in_sync = given.pop("seed", "in-sync") == "in-sync"
        source = SourceSettings(
            volumes=SIZES,
            mode=MODES[mode].model_validate({"kind": mode} | options),
            on_full=POLICIES[policy].model_validate({"kind": policy} | spill | extra),
            size=None if blocks is None else int(blocks) * BLOCK,
            resync=resync,
            in_sync=in_sync,
            activity=int(given.pop("activity")) if "activity" in given else None,
        )
        keep = {k: given.pop(n).replace("_", " ") for k, n in _KEPT.items() if n in given}
        schedule = given.pop("snapshots", None)
        target = TargetSettings(
            protect=given.pop("protect", "yes") == "yes",
            in_sync=in_sync,
            history=Keep.model_validate(keep) if keep else None,
            snapshots=()
            if schedule is None
            else (Schedule.model_validate({"every": schedule.replace("_", " ")}),),
        )
        assert not given, f"unknown settings {given}"
        if sites:
            self.sites(source, target, sites.split(","))
        else:
            self._pair = Pair(source, target, self.say)

    def say(self, line: str) -> None:
        who, _, what = line.partition(": ")
        self.told.append(f"    {who}: {what}")

    def write(self, places: list[str], kind: Kind) -> None:
        rows: list[WriteBatch] = []
        for place in places:
            volume, _, extent = place.partition(":")
            offset, _, length = extent.partition("+")
            seq = self.pair.history.last + 1 + len(rows)
            size = int(length or 1) * BLOCK
            content = bytes([seq % 255 + 1]) * size if kind == Kind.WRITE else b""
            rows.append(row(seq, self.pair.now, int(volume), int(offset) * BLOCK, size, kind, content))
        while rows:
            before = self.pair.history.last
            legs = [self.pair] if self._fleet is None else self._fleet.pairs
            took = [leg.write(concat(rows)) for leg in legs]
            if not all(took):
                self.told.append("    (the hosts are held)")
                return
            if self.pair.history.last == before:
                return
            del rows[: self.pair.history.last - before]

    def rot(self, place: str) -> None:
        """Decay that no engine can know of; from here on the judges would be right to complain."""
        volume, _, offset = place.partition(":")
        self.pair.image[int(volume)][int(offset) * BLOCK] ^= 255
        self.pair.rotten = True

    def state(self) -> None:
        source, target = self.pair.source.leg, self.pair.target.leg
        self.told.append(
            f"    source {source.state.value}: last={source.last} acknowledged={source.acknowledged} "
            f"confirmed={source.confirmed} journal={source.journal.nbytes // BLOCK} "
            f"dirty={source.dirty.nbytes // BLOCK}"
        )
        kept = "" if target.protected is None else f" protected={target.protected[1]}"
        self.told.append(
            f"    target {target.state.value}: recoverable={self.pair.recoverable} staged={target.staged} "
            f"written={target.written}{kept}"
        )


def describe(action: do.Action) -> str:
    """One line an action; only what a reader needs."""
    match action:
        case do.AppendJournal(batch, spilled):
            return f"AppendJournal {_batch(batch)}{' spilled' if spilled else ''}"
        case do.Send(frame, _):
            return f"send {_frame(frame)}"
        case do.Acknowledge(seq, _):
            return f"Acknowledge {_seqs(seq)}"
        case do.FailWrites(seq):
            return f"FailWrites {_seqs(seq)}"
        case do.MarkDirty(extents, dirty):
            return f"MarkDirty {_extents(extents)}" if dirty else f"clean {_extents(extents)}"
        case do.SaveHeader(header):
            named = [
                f"{k}={getattr(header, k)}" for k in ("ordered", "base", "end", "open") if hasattr(header, k)
            ]
            return "SaveHeader " + " ".join(n for n in named if not n.endswith("=None"))
        case do.ReadBlocks(ticket, extents):
            return f"ReadBlocks #{ticket} {_extents(extents)}"
        case do.WriteBlocks(ticket, batch, _):
            return f"WriteBlocks #{ticket} {_batch(batch)}"
        case do.AppendStaging(batch, _):
            return f"AppendStaging {_batch(batch)}"
        case do.TrimJournal(n) | do.TrimStaging(n) | do.CutStaging(n):
            return f"{type(action).__name__} {n}"
        case do.TakeSnapshot(name, seq):
            return f"TakeSnapshot {name} at {seq}"
        case do.DropSnapshot(name) | do.RestoreSnapshot(name):
            return f"{type(action).__name__} {name}"
        case do.Recoverable(seq, _):
            return f"Recoverable {_seqs(seq)}"
        case do.StateChanged(old, new, _, cause):
            return f"{old} -> {new} ({cause})"
        case do.Noted(what, value):
            return f"Noted {what} {value:g}"
        case do.PaceHosts(delay):
            return f"PaceHosts {delay * 1000:.3g} ms"
        case do.Disconnect(cause):
            return f"Disconnect ({cause})"
    return type(action).__name__


def _seqs(seq: np.ndarray) -> str:
    return str(int(seq[0])) if len(seq) == 1 else f"{int(seq[0])}..{int(seq[-1])}"


def _batch(batch: WriteBatch) -> str:
    names = {Kind.WRITE: "", Kind.TRIM: "trim ", Kind.ZERO: "zero "}
    rows = []
    for i in range(len(batch)):
        at, size = int(batch.offset[i]) // BLOCK, int(batch.length[i]) // BLOCK
        place = f"{names[Kind(int(batch.kind[i]))]}{int(batch.volume[i])}:{at}" + (
            f"+{size}" if size != 1 else ""
        )
        rows.append(f"{int(batch.seq[i])}@{place}" if batch.seq[i] else place)
    return " ".join(rows)


def _extents(extents: object) -> str:
    return " ".join(f"{v}:{a // BLOCK}+{(b - a) // BLOCK}" for v, a, b in extents.rows())


def _frame(frame: fr.Frame) -> str:
    match frame:
        case fr.Hello(_, _, _, first, last, ordered):
            return f"Hello first={first} last={last}{'' if ordered else ' unordered'}"
        case fr.Welcome(_, _, held, partial, consistent):
            part = f" partial={partial}" if partial != held else ""
            return f"Welcome held={held}{part}{'' if consistent else ' inconsistent'}"
        case fr.Data(_, batch, _, folded):
            return f"Data {_batch(batch)}{' folded' if folded else ''}"
        case fr.Resync(_, ticket, batch):
            return f"Resync #{ticket} {_batch(batch)}"
        case fr.Ack(_, seq):
            return f"Ack {_seqs(seq)}"
        case fr.ResyncAck(_, ticket, rows):
            return f"ResyncAck #{ticket} rows={rows}"
        case fr.Differ(_, ticket, rows):
            return f"Differ #{ticket} {''.join('x' if r else '=' for r in rows)}"
        case fr.Hashes(_, ticket, extents):
            return f"Hashes #{ticket} {_extents(extents)}"
        case fr.Dirt(_, extents):
            return f"Dirt {_extents(extents)}"
        case fr.Refuse(_, reason):
            return f"Refuse ({reason})"
    named = [f for f in ("base", "seq", "name") if getattr(frame, f, "") != ""]
    return " ".join([type(frame).__name__, *(f"{n}={getattr(frame, n)}" for n in named)])
