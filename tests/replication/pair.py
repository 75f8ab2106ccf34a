"""A source and a target joined by a fake link over fake media: every delay is in the caller's hand.

Nothing happens by itself. Each queue (journal medium, link either way, staging, volume, reads, snapshots)
moves only when told to, by as many rows as told. After every step the judges look: `check_image` (what the
engine calls consistent is the source after writes 1..s) and `check_nothing_lost` (meaning 10, on what persists).
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from drsim.blocks.batch import Kind, WriteBatch, concat, empty
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import Extents, join, written
from drsim.blocks.payload import BytesPayload
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import Outcome, compare
from drsim.replication.handover import step_down, take_over
from drsim.replication.headers import TargetHeader
from drsim.replication.recovery import SavedSource, recover_source, recover_target
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source, Target
from drsim.replication.target import TargetEngine
from drsim.replication.trains import members, part
from tests.replication import oracle

UNIT = 512


class CrashError(Exception):
    """A machine stopped between two actions."""


class Pair:
    """Both engines, both media, the link, the judges."""

    rubbish = 255
    """What a target's volumes hold where they are not known to equal the source's."""

    def __init__(
        self, source: SourceSettings, target: TargetSettings, tell: Callable[[str], None] | None = None
    ):
        self._media(source, target, tell)
        self.source, self.target = SourceEngine(source), TargetEngine(target)
        if not target.in_sync:
            self.image = [np.full(size, self.rubbish, np.uint8) for size in self.sizes]
        self.step_source(ev.Due())
        self.step_target(ev.Due())

    def _media(
        self, source: SourceSettings, target: TargetSettings, tell: Callable[[str], None] | None
    ) -> None:
        self.settings = source
        self.sizes = source.volumes
        self.history = oracle.History(self.sizes)
        self.now = 0.0
        self.tell = tell
        self.held_hosts = False
        self.failed = 0
        self.told: list[WriteBatch] = []
        # The source's media.
        self.volume = oracle.blank(self.sizes)
        self.journal: list[WriteBatch] = []
        self.journal_trimmed = 0
        self.journal_queue: deque[WriteBatch] = deque()
        self.bits = Bitmap(source.granularity)
        self.acknowledged = 0
        self.reads: deque[do.ReadBlocks] = deque()
        self.read_done: deque[ev.BlocksRead] = deque()
        self.compares: deque[do.ReadBlocks] = deque()
        # The link.
        self.up = False
        self.striped = False
        """Several connections carry the link side by side: any frame may arrive before any other, or twice."""
        self.recovered = 0
        """Bytes a source found in the journal's medium after a crash: more than its size where other legs had room."""
        self.dropped = False
        self.forward, self.backward = Line(), Line()
        self.ghosts: list[tuple[str, fr.Frame]] = []
        # The target's media.
        self.image = oracle.blank(self.sizes)
        self.staging: list[WriteBatch] = []
        self.staging_queue: deque[WriteBatch] = deque()
        self.writes: deque[tuple[int, WriteBatch]] = deque()
        self.snapshot_queue: deque[do.TakeSnapshot] = deque()
        self.snapshots: dict[str, tuple[int, list[np.ndarray]]] = {}
        self.since: dict[str, list[Extents]] = {}
        """All that was given to the volumes since a snapshot was taken."""
        self.recoverable = -1
        self.exposed = False
        self.kept_dirt = Bitmap(4096)
        self.elder: oracle.History | None = None
        """The order that the target knew, as long as it has not joined the source's."""
        self.label = ""
        self.media: list[np.ndarray] | None = None
        """A seed under way on a truck: as good as the target's, while the target has none."""
        self.also: Callable[[Pair], None] | None = None
        """One more judge."""
        self.keeper_knows = True
        """The keeper of the target's snapshots can say what was overwritten since."""
        self.rotten = False
        """The target's volumes decayed: no judge can count on them."""
        self.started = False
        self.swapped = False
        """The target was a source once: its image has no place in the new order until the two have met."""
        self.greedy = False
        """Settle queue by queue rather than in turns."""
        self.fuse: dict[str, int] = {}
        self.crashes = 0
        self.headers: dict[str, object] = {}
        self.hot: set[tuple[int, int]] = set()
        self.staging_trimmed = 0
        self.target_settings = target
        self.states: list[tuple[str, str]] = []
        self.marked: set[tuple[int, str]] = set()
        """Where applications marked points."""

    # Stepping.

    def step_source(self, event: ev.Event) -> None:
        if isinstance(event, ev.Command) and event.verb == "mark":
            self.marked.add((self.source.leg.last, event.argument))
        queue = deque([event])
        try:
            while queue:
                self.now += 1.0
                for action in self.source.step(queue.popleft(), self.now):
                    self._burn("source")
                    self._say("source", action)
                    answer = self._perform_source(action)
                    if answer is not None:
                        queue.append(answer)
                if self.started:
                    self.check()
            self._hang_up()
        except CrashError:
            self.crash_source(0)

    def step_target(self, event: ev.Event) -> None:
        self.now += 1.0
        queue = deque([event])
        try:
            while queue:
                for action in self.target.step(queue.popleft(), self.now):
                    self._burn("target")
                    self._say("target", action)
                    answer = self._perform_target(action)
                    if answer is not None:
                        queue.append(answer)
                self.started = True
                self.check()
            self._hang_up()
        except CrashError:
            self.crash_target(0)

    def _hang_up(self) -> None:
        """An engine dropped the connection in this step."""
        if self.dropped:
            self.dropped = False
            self.link_down()

    def _disconnect(self, who: str, cause: str) -> None:
        """Only frames that overtake others are a reason to drop a connection: nobody here breaks the protocol."""
        allowed = self.striped and "before their turn" in cause
        assert allowed, f"{who} disconnected: {cause}"
        self.dropped = True

    def _burn(self, who: str) -> None:
        """Between two actions a machine may stop: what was persisted so far is all there is."""
        if who in self.fuse:
            self.fuse[who] -= 1
            if self.fuse[who] <= 0:
                del self.fuse[who]
                raise CrashError

    def crash_source(self, torn: int, through: int = 0) -> None:
        """The source stops; ``torn`` more rows had reached the journal without anyone knowing. It goes on at once.

        ``through``: with several targets, the journal's medium holds the order at least through here.
        """
        self.crashes += 1
        self._cut_link()
        rest = [b for b in [concat(list(self.journal_queue)).after(self.journal_trimmed)] if len(b)]
        torn = max([torn, *(len(b.through(through)) for b in rest)])
        self.journal += [b.slice(0, torn) for b in rest if torn]
        for queue in (self.journal_queue, self.reads, self.read_done):
            queue.clear()
        if self.settings.activity is not None:
            self.journal = []
        last = max([through, self.acknowledged, self.journal_trimmed, *(b.last for b in self.journal)])
        saved = SavedSource(self.headers["source"], self.journal, last, self.bits.extents(), sorted(self.hot))
        self.source = recover_source(self.settings, saved)
        self.recovered = self.source.leg.journal.nbytes
        last = self.source.leg.last
        assert last <= self.history.last, "a write nobody made was recovered"
        del self.history.writes[last:]
        del self.history.images[last + 1 :]
        self._acknowledge(last)
        self.held_hosts = False
        self.step_source(ev.Due())
        self.step_target(ev.LinkDown())

    def crash_target(self, torn: int) -> None:
        """The target stops; rows reached staging, and half a row the volumes, without anyone knowing."""
        self.crashes += 1
        self._cut_link()
        rest = concat(list(self.staging_queue))
        self.staging += [b for b in [rest.slice(0, torn)] if len(b)]
        if self.writes and torn:
            batch = self.writes[0][1]
            half = max(1, int(batch.length[0]) // 2)
            piece = batch.slice(0, 1)
            cut = np.array([half if batch.kind[0] == Kind.WRITE else 0])
            payload = piece.payload.cut(np.array([0]), np.array([0]), cut)
            args = (piece.seq, piece.time, piece.volume, piece.offset, np.array([half]), piece.kind, payload)
            oracle.apply(self.image, WriteBatch(*args))
        for queue in (self.staging_queue, self.writes, self.snapshot_queue, self.compares):
            queue.clear()
        header = self.headers.get("target")
        assert isinstance(header, TargetHeader)
        named = list(self.snapshots)
        self.target = recover_target(self.target_settings, header, self.staging, self.staging_trimmed, named)
        self.target.leg.dirt.mark(
            self.kept_dirt.extents()
        )  # The world keeps it until the target follows again.
        keep = header.protected[0] if header.protected else None
        lost = [n for n in self.snapshots if n.startswith("protect-") and n != keep]
        for name in lost:
            del self.snapshots[name]
        self.recoverable = -1
        self.step_target(ev.Due())
        self.step_source(ev.LinkDown())

    def _cut_link(self) -> None:
        self.up = False
        self.forward, self.backward = Line(), Line()
        self.ghosts.clear()

    def _say(self, who: str, action: do.Action) -> None:
        if self.tell is not None:
            from tests.replication.stories import describe

            self.tell(f"{who}: {describe(action)}")

    def _perform_source(self, action: do.Action) -> ev.Event | None:
        match action:
            case do.AppendJournal(batch):
                self.journal_queue.append(batch)
            case do.TrimJournal(through):
                self.journal_trimmed = through
                self.journal = [b for b in (j.after(through) for j in self.journal) if len(b)]
            case do.ReadJournal(first, last):
                rows = [b for b in (j.after(first - 1).through(last) for j in self.journal) if len(b)]
                return ev.JournalRead(concat(rows))
            case do.MarkDirty(extents, dirty):
                if dirty:
                    self.bits.mark(extents)
                else:
                    self.bits.clear(extents)
            case do.SaveHeader(header):
                self.headers["source"] = header
            case do.SaveActivity(volume, extent, hot):
                named = set(zip(volume.tolist(), extent.tolist(), strict=True))
                self.hot = self.hot | named if hot else self.hot - named
            case do.ReadBlocks():
                self.reads.append(action)
            case do.Send(frame, _):
                if self.up:
                    self.forward.append(frame)
            case do.Acknowledge(seq, _):
                self._acknowledge(int(seq[-1]))
            case do.FailWrites(seq):
                self.failed += len(seq)
            case do.HoldHosts():
                self.held_hosts = True
            case do.ReleaseHosts():
                self.held_hosts = False
            case do.StateChanged(old, new):
                self.states.append((old, new))
            case do.Disconnect(cause):
                self._disconnect("source", cause)
            case _:
                pass
        return None

    def _acknowledge(self, through: int) -> None:
        assert through <= self.history.last, "a write nobody made was acknowledged"
        for write in self.history.writes[self.acknowledged : through]:
            oracle.apply(self.volume, write)
        self.acknowledged = max(self.acknowledged, through)

    def _perform_target(self, action: do.Action) -> ev.Event | None:
        match action:
            case do.AppendStaging(batch, _):
                self.staging_queue.append(batch)
            case do.SaveHeader(header):
                self.headers["target"] = header
            case do.TrimStaging(through):
                self.staging_trimmed = through
                self.staging = [b for b in (s.after(through) for s in self.staging) if len(b)]
            case do.CutStaging(after):
                assert not self.staging_queue, "staging was cut while rows were under way"
                self.staging = [b for b in (s.through(after) for s in self.staging) if len(b)]
                self.staging_trimmed = min(self.staging_trimmed, after)
            case do.ReadStaging(first, last):
                rows = [b for b in (s.after(first - 1).through(last) for s in self.staging) if len(b)]
                return ev.StagingRead(concat(rows))
            case do.ReadBlocks():
                self.compares.append(action)
            case do.WriteBlocks(ticket, batch, _):
                self.writes.append((ticket, batch))
                self._given(written(batch))
            case do.TakeSnapshot() | do.RestoreSnapshot():
                self.snapshot_queue.append(action)
            case do.DropSnapshot(name):
                del self.snapshots[name]
            case do.Send(frame, _):
                if self.up:
                    self.backward.append(frame)
            case do.Disconnect(cause):
                self._disconnect("target", cause)
            case do.Recoverable(seq, _):
                assert self.exposed or int(seq[0]) > self.recoverable, "recoverable did not advance"
                self.recoverable, self.exposed = int(seq[-1]), False
            case do.Exposed():
                self.exposed = True
            case do.StateChanged(old, new):
                self.states.append((old, new))
            case _:
                pass
        return None

    # The world's moves; each says whether it did anything.

    def write(self, batch: WriteBatch) -> bool:
        """A host writes (no sooner than it may)."""
        if self.held_hosts:
            return False
        room, cost = self.source.headroom(), batch.nbytes
        if room is not None and cost > room and len(batch) > 1:
            batch = batch.slice(0, max(1, int(np.searchsorted(batch.spent, room, "right"))))
        self.history.add(batch)
        before = self.failed
        self.step_source(ev.HostWrites(batch))
        lost = self.failed - before
        if lost:
            del self.history.writes[-lost:]
            del self.history.images[-lost:]
        return True

    def journal_done(self, rows: int) -> bool:
        """The journal medium completes some appends."""
        batch = _take(self.journal_queue, rows)
        if batch is None:
            return False
        self.journal += [b for b in [batch.after(self.journal_trimmed)] if len(b)]
        self.step_source(ev.JournalDurable(batch.seq, np.full(len(batch), self.now)))
        return True

    def read_blocks(self) -> bool:
        """The source's disk carries out a read; its answer comes later."""
        if not self.reads:
            return False
        action = self.reads.popleft()
        batch = read(self.volume, action.extents, self.now)
        self.read_done.append(ev.BlocksRead(action.ticket, batch))
        return True

    def compare(self) -> bool:
        """The target's disk reads what is to be compared."""
        if not self.compares:
            return False
        action = self.compares.popleft()
        self.step_target(ev.BlocksRead(action.ticket, read(self.image, action.extents, self.now)))
        return True

    def ship(self) -> bool:
        """The source's volumes go onto media."""
        if self.source.leg.seeded or self.up or self.source.state is not Source.TRACKING:
            return False
        self.media = oracle.copy(self.volume)
        self.label = f"{self.source.leg.lineage.current}:{self.source.leg.last}"
        self.step_source(ev.Command("ship"))
        return True

    def load(self, label: str) -> bool:
        """The media are copied onto the target's volumes."""
        if self.media is None or self.target.leg.session or not self.target.protect.quiet:
            return False
        if self.target.leg.lineage.current or self.target.state is not Target.INCONSISTENT:
            return False
        self.image = self.media
        self.step_target(ev.Command("load", label))
        return True

    def tick(self) -> bool:
        """Time passes until the next deadline, if there is one."""
        late = self.target.staging.expiry() if self.target.leg.late else None
        due = [t for t in (self.source.deadline(), self.target.deadline(), late) if t is not None]
        if not due:
            return False
        self.now = max(self.now, min(due))
        self.step_source(ev.Due())
        self.step_target(ev.Due())
        return True

    def answer_read(self) -> bool:
        """The answer to a read arrives."""
        if not self.read_done:
            return False
        self.step_source(self.read_done.popleft())
        return True

    def link_up(self) -> bool:
        """Connect."""
        if self.up:
            return False
        self.up = True
        self.step_target(ev.LinkUp())
        self.step_source(ev.LinkUp())
        return True

    def link_down(self, tell_target: bool = True) -> bool:
        """Cut: what is on its way is lost. The target may be the last to know."""
        if not self.up:
            return False
        self.up = False
        self.ghosts += [("target", f) for f in self.forward.frames] + [
            ("source", f) for f in self.backward.frames
        ]
        del self.ghosts[:-20]
        self.forward, self.backward = Line(), Line()
        self.step_source(ev.LinkDown())
        if tell_target:
            self.step_target(ev.LinkDown())
        return True

    def haunt(self, index: int) -> bool:
        """A frame of an earlier session turns up after all."""
        if not self.ghosts or not self.up:
            return False
        who, frame = self.ghosts[index % len(self.ghosts)]
        if isinstance(frame, fr.Hello):
            return False
        event = ev.Received(frame, np.full(members(frame), self.now))
        (self.step_target if who == "target" else self.step_source)(event)
        return True

    def to_target(self, rows: int, index: int = 0, twice: bool = False) -> bool:
        """Deliver a frame, or the first rows of a train: the next one, or (striped) any, perhaps to come once more."""
        return self._arrives(self.forward, self.step_target, rows, index, twice)

    def to_source(self, rows: int, index: int = 0, twice: bool = False) -> bool:
        """Deliver a frame the other way."""
        return self._arrives(self.backward, self.step_source, rows, index, twice)

    def _arrives(
        self, line: "Line", step: Callable[[ev.Event], None], rows: int, index: int, twice: bool
    ) -> bool:
        if not line.frames:
            return False
        number, frame = line.take(rows, index if self.striped else 0, twice and self.striped)
        step(ev.Received(frame, np.full(members(frame), self.now), number if self.striped else None))
        return True

    def staging_done(self, rows: int) -> bool:
        """The staging medium completes some appends."""
        batch = _take(self.staging_queue, rows)
        if batch is None:
            return False
        self.staging += [b for b in [batch.after(self.staging_trimmed)] if len(b)]
        self.step_target(ev.StagingDurable(batch.seq, np.full(len(batch), self.now)))
        return True

    def destage(self, rows: int) -> bool:
        """The target's disk carries out some of the oldest write."""
        if not self.writes:
            return False
        ticket, batch = self.writes.popleft()
        part = batch.slice(0, rows)
        if rows < len(batch):
            self.writes.appendleft((ticket, batch.slice(rows, len(batch))))
        oracle.apply(self.image, part)
        self.step_target(ev.BlocksWritten(ticket, part.seq, np.full(len(part), self.now)))
        return True

    def snap(self) -> bool:
        """The target's snapshot is taken."""
        if not self.snapshot_queue:
            return False
        action, overwritten = self.snapshot_queue.popleft(), None
        if isinstance(action, do.RestoreSnapshot):
            self.image = oracle.copy(self.snapshots[action.name][1])
            since = join(self.since[action.name])
            self._given(since)
            overwritten = since if self.keeper_knows else None
        else:
            self.since[action.name] = []
            self.snapshots[action.name] = (action.seq, oracle.copy(self.image))
            sound = oracle.equal(self.image, self.order.after(action.seq))
            assert sound or self.rotten, f"snapshot {action.name} is not at {action.seq}"
        self.step_target(ev.SnapshotTaken(action.name, overwritten))
        return True

    def settle(self, limit: int = 10_000) -> None:
        """Let everything that is under way come to its end."""
        moves = [
            lambda: self.journal_done(100),
            self.read_blocks,
            self.answer_read,
            lambda: self.to_target(100),
            lambda: self.staging_done(100),
            lambda: self.destage(100),
            self.snap,
            self.compare,
            lambda: self.to_source(100),
        ]
        for _ in range(limit):
            if not sum(_exhaust(move) if self.greedy else move() for move in moves):
                return
        raise AssertionError("the pair never came to rest")

    def swap(self) -> "Pair":
        """The promoted site becomes the source, the old source its target."""
        assert self.target.state is Target.PROMOTED
        back = Pair.__new__(Pair)
        back._media(self.settings, self.target_settings, self.tell)
        back.now, back.swapped, back.striped = self.now, True, self.striped
        back.volume, back.image = oracle.copy(self.image), oracle.copy(self.volume)
        back.source = take_over(self.target, self.settings)
        back.target = step_down(self.source, self.target_settings)
        back.kept_dirt.mark(back.target.leg.dirt.extents())
        back.elder = self.history
        back.staging_trimmed = back.target.leg.written
        back._fork(self)
        return back

    def redirect(self, promoted: "Pair") -> "Pair":
        """This pair's target, with all its media, follows the site that was promoted in another pair."""
        assert promoted.target.state is Target.PROMOTED
        self.link_down()
        back = Pair.__new__(Pair)
        back._media(self.settings, self.target_settings, self.tell)
        for name in (
            "image",
            "staging",
            "staging_queue",
            "writes",
            "snapshot_queue",
            "snapshots",
            "compares",
        ):
            setattr(back, name, getattr(self, name))
        for name in (
            "recoverable",
            "exposed",
            "staging_trimmed",
            "swapped",
            "kept_dirt",
            "marked",
            "striped",
            "keeper_knows",
            "since",
        ):
            setattr(back, name, getattr(self, name))
        back.headers["target"] = self.headers["target"]
        back.now, back.elder, back.target = self.now, self.order, self.target
        back.volume = oracle.copy(promoted.image)
        back.source = take_over(promoted.target, self.settings)
        back._fork(promoted)
        return back

    def _fork(self, promoted: "Pair") -> None:
        """The order goes on after what was taken over."""
        seq = self.source.leg.last
        self.history.images = promoted.order.images[: seq + 1]
        self.history.writes = promoted.order.writes[:seq]
        self.acknowledged = self.journal_trimmed = seq
        self.step_source(ev.Due())
        self.step_target(ev.Due())

    def _given(self, extents: Extents) -> None:
        """Something is given to the target's volumes: what each of its snapshots held there must be kept beside."""
        for parts in self.since.values():
            parts.append(extents)

    def oldest_kept(self) -> str:
        """The first snapshot of the present order that was not taken to protect a copy, as a promotion names it."""
        roles = self.target.roles
        replaced = {action.name for action in self.snapshot_queue}
        for name in [*roles.shelf.kept, *sorted(roles.drills - replaced)]:
            seq, image = self.snapshots[name]
            if seq <= self.order.last and oracle.equal(image, self.order.after(seq)):
                return f"{name}@{seq}"
        return ""

    @property
    def order(self) -> oracle.History:
        """The order that the target's image is one of."""
        return self.history if self.elder is None else self.elder

    # The judges.

    def check(self) -> None:
        if self.target.state is Target.FOLLOWING:
            self.kept_dirt.reset()
        if self.target.leg.lineage.current == self.source.leg.lineage.current:
            self.elder = None
        if self.rotten:
            return
        self.check_image()
        self.check_nothing_lost()
        if self.also is not None:
            self.also(self)

    def failover_image(self) -> list[np.ndarray]:
        """What the target's durable media hold when staging is replayed over the volumes."""
        image = oracle.copy(self.image)
        for batch in self.staging:
            oracle.apply(image, batch.through(self.target.leg.held))
        return image

    def check_image(self) -> None:
        """What the target calls consistent is the source after writes 1..s."""
        leg = self.target.leg
        if self.target.state is Target.PROMOTED:
            assert oracle.equal(self.image, self.order.after(leg.written)), (
                f"took over something else than {leg.written}"
            )
            return
        if leg.promoting and self.target.state is Target.FOLLOWING:
            assert oracle.equal(self.failover_image(), self.order.after(leg.held))
            return
        if self.target.state is Target.FOLLOWING:
            claim = self.target.leg.held
            assert claim == self.recoverable or self.exposed, f"says {self.recoverable}, claims {claim}"
            assert oracle.equal(self.failover_image(), self.order.after(claim)), f"image is not at {claim}"
            assert set(leg.marks) <= self.marked, "a marker stands where nobody set it"
        elif self.target.leg.protected is not None:
            name, seq = self.target.leg.protected
            kept_seq, image = self.snapshots[name]
            assert kept_seq == seq
            assert seq == self.recoverable or leg.promoting, "a failover would not find what was promised"
            assert oracle.equal(image, self.order.after(seq)), f"protective snapshot is not at {seq}"
        else:
            assert self.exposed, "inconsistent without protection, and never said so"
            asked_for = self.target_settings.protect and self.target_settings.in_sync
            assert not asked_for or self.swapped, "there was an image, and it was not kept"

    def check_nothing_lost(self) -> None:
        """An acknowledged write is on the target, in the journal medium, or under a persisted bit."""
        if self.target.state is Target.PROMOTED or self.target.leg.promoting:
            return  # From here on what the image lacks is lost by decision, and the decision says how much.
        outcome = compare(self.source.leg.lineage, self.target.leg.lineage)
        known = outcome is Outcome.DIFFERENCE and self.target.leg.names_all(self.source.leg.lineage.current)
        if self.elder is not None and not known:
            return  # A third site: that it lacks something is found out when the two meet.
        # A target that was met before its seed came gets everything over the network, and the media are no use.
        counted_on = self.media is not None and self.source.leg.seeded
        on_its_way = counted_on and not self.target.leg.lineage.current
        image = oracle.copy(self.media) if on_its_way else self.failover_image()
        for batch in self.journal:
            oracle.apply(image, batch)
        wanted = self.history.after(self.acknowledged)
        excused = oracle.blank(self.sizes)
        for write in self.history.writes[self.acknowledged :]:
            excused[int(write.volume[0])][int(write.offset[0]) : int(write.stop[0])] = 1
        for volume, start, stop in self.bits.extents().rows():
            excused[volume][start:stop] = 1
        if self.target.leg.lineage.current != self.source.leg.lineage.current:
            for volume, start, stop in self.target.leg.dirt.extents().rows():  # it will say so when they meet
                excused[volume][start:stop] = 1
        for have, want, excuse in zip(image, wanted, excused, strict=True):
            wrong = (have != want) & (excuse == 0)
            assert not wrong.any(), f"lost: byte {int(np.flatnonzero(wrong)[0])} at seq {self.acknowledged}"

    @property
    def at_rest(self) -> bool:
        """Whether the target has all there is, in order."""
        return self.source.state is Source.STREAMING and self.target.leg.held == self.history.last

    def finish(self) -> None:
        """In the end, with a link and peace, the target must equal the source."""
        self.fuse.clear()
        self.link_up()
        for _ in range(60):
            self.settle()
            if self.at_rest:
                break
            self.step_source(ev.Command("resume"))
            self.tick()
        self.settle()
        assert self.source.state is Source.STREAMING
        assert self.target.state is Target.FOLLOWING
        assert not self.bits, "bits are left over"
        assert not self.source.leg.journal.nbytes
        assert not self.held_hosts
        assert self.acknowledged == self.history.last == self.target.leg.held
        assert oracle.equal(self.failover_image(), self.history.after(self.history.last))
        assert not [name for name in self.snapshots if name.startswith("protect-")]


def read(image: list[np.ndarray], extents: Extents, now: float) -> WriteBatch:
    """Read extents; zeros are told as such."""
    rows = list(extents.rows())
    content = [image[v][a:b].tobytes() for v, a, b in rows]
    kinds = [Kind.WRITE if any(c) else Kind.ZERO for c in content]
    return WriteBatch(
        np.zeros(len(rows), np.int64),
        np.full(len(rows), now),
        extents.volume,
        extents.start,
        extents.stop - extents.start,
        np.array(kinds, np.uint8),
        BytesPayload([c if k == Kind.WRITE else b"" for c, k in zip(content, kinds, strict=True)]),
    )


def _exhaust(move: Callable[[], bool]) -> bool:
    """Do it as often as it can be done: all frames arrive before anything is staged, and so on."""
    done = False
    while move():
        done = True
    return done


def _take(queue: deque[WriteBatch], rows: int) -> WriteBatch | None:
    if not queue:
        return None
    batch = queue.popleft()
    if rows < len(batch):
        queue.appendleft(batch.slice(rows, len(batch)))
        batch = batch.slice(0, rows)
    return batch if len(batch) else empty()


class Line:
    """One direction of a link: what is under way, each frame with the wire's number of its first member."""

    def __init__(self) -> None:
        self._first = 0
        self._queue: list[tuple[int, fr.Frame]] = []

    @property
    def frames(self) -> list[fr.Frame]:
        return [frame for _, frame in self._queue]

    def append(self, frame: fr.Frame) -> None:
        self._queue.append((self._first, frame))
        self._first += members(frame)

    def take(self, rows: int, index: int, twice: bool) -> tuple[int, fr.Frame]:
        """Take a frame, cutting a train after ``rows``; or leave it there too."""
        index %= len(self._queue)
        number, frame = self._queue[index]
        count = min(rows, members(frame))
        if not twice:
            rest = (number + count, part(frame, count, members(frame)))
            self._queue[index : index + 1] = [rest] if count < members(frame) else []
        return number % (1 << 32), part(frame, 0, count)
