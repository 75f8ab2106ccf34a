"""The planted bugs: what a tired engineer might write. Each names the tests that must notice."""

from __future__ import annotations

from tests.planted import Mutant

PREFIX = "tests/replication/test_prefix.py"
ROLES = "tests/replication/test_roles.py"
STORIES = "tests/replication/test_traces.py"
OVERFLOW = "tests/replication/test_overflow.py"
WIRE = "tests/replication/test_wire.py"
BLOCKS = "tests/blocks/test_blocks_sets.py"
GUARDS = "tests/replication/test_target_guards.py"
RECOVERY = "tests/replication/test_recovery.py"
SOURCES = "tests/replication/test_source_guards.py"
THIRD = "tests/replication/test_third_site.py"
SEEDING = "tests/replication/test_seeding.py"
GATE = "tests/replication/test_gate.py"
PACING = "tests/replication/test_pacing.py"
POINTS = "tests/replication/test_history_points.py"
MACHINE = "tests/replication/test_machine.py"
REORDER = "tests/replication/test_reorder.py"
GENERATIONS = "tests/replication/test_generations.py"


def _m(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"replication/{file}", old, new, tests or (PREFIX,))


MUTANTS = [
    # Copies of a resync.
    _m(
        "in-flight blocks are forgotten at a disconnect",
        "resync.py",
        "            self.leg.dirty.mark(flight.extents)\n",
        "            pass\n",
    ),
    _m(
        "a bit is cleared when its block is sent",
        "resync.py",
        "        flight.rows = len(batch)\n",
        "        flight.rows = len(batch)\n        leg.out.append(MarkDirty(flight.extents, dirty=False))\n",
    ),
    _m(
        "a bit set again while its block was on its way is cleared",
        "resync.py",
        "others = [self.leg.dirty, *(",
        "others = [*(",
    ),
    _m(
        "the first row of a slice confirms all of it",
        "resync.py",
        "        if flight.rows == 0:\n",
        "        if flight.rows >= 0:\n",
    ),
    _m(
        "the copy ends with blocks on their way",
        "resync.py",
        "self._ready and not self._flights and not self.leg.dirty",
        "self._ready and not self.leg.dirty",
    ),
    _m(
        "order restarts one write late", "resync.py", "True, False, leg.last\n", "True, False, leg.last + 1\n"
    ),
    _m(
        "equal hashes of a block nobody sent yet clear its neighbours",
        "resync.py",
        "np.flatnonzero(frame.rows)",
        "np.flatnonzero(frame.rows)[:1]",
    ),
    _m(
        "the chase never ends",
        "resync.py",
        "        if leg.chasing and self._ready and self._near():\n",
        "        if False:\n",
    ),
    _m(
        "a chase ends without asking the target again",
        "resync.py",
        "            self.begin()\n            return\n",
        "            leg.chasing = False\n",
    ),
    # The target's side of a copy.
    _m(
        "a stale session's copy counts for the new one",
        "protect.py",
        "        if session == self.leg.session:\n            self.leg.send(ResyncAck(session,",
        "        if True:\n            self.leg.send(ResyncAck(self.leg.session,",
        GUARDS,
    ),
    _m(
        "old copies may still land when a new one is let in",
        "protect.py",
        "if not self.staging.quiet or self._copies or leg.frozen:",
        "if not self.staging.quiet or leg.frozen:",
        GUARDS,
    ),
    _m(
        "the protective snapshot is taken before the volumes are drained",
        "protect.py",
        "        if leg.written < leg.held:\n            return\n",
        "",
    ),
    _m("no protective snapshot", "protect.py", "leg.settings.protect and leg.protected is None:", "False:"),
    _m(
        "exposure is not told",
        "protect.py",
        "                leg.out.append(Exposed(leg.now))\n",
        "                pass\n",
    ),
    _m(
        "consistent as soon as the copy ends",
        "protect.py",
        "leg.end is None or leg.held < leg.end:",
        "leg.end is None:",
    ),
    _m(
        "a half-received cycle survives a resync",
        "protect.py",
        "            self.staging.cut(leg.held)\n",
        "",
        STORIES,
    ),
    _m(
        "hashes are compared while older blocks may land",
        "protect.py",
        "if not self._compares or self._copies:",
        "if not self._compares:",
        GUARDS,
    ),
    _m(
        "the end of a copy is not durable",
        "protect.py",
        "        self.leg.end = seq\n        self.leg.save()\n",
        "        self.leg.end = seq\n",
        STORIES,
    ),
    # The order at the target.
    _m(
        "confirmed before it is durable",
        "staging.py",
        "        leg.out.append(AppendStaging(batch, at, frame.folded))\n",
        "        leg.out.append(AppendStaging(batch, at, frame.folded))\n"
        "        if not frame.folded:\n            leg.send(Ack(leg.session, batch.seq), at)\n",
    ),
    _m(
        "recoverable before it is durable",
        "staging.py",
        "        leg.received = batch.last\n        if",
        "        leg.received = leg.staged = batch.last\n        if",
    ),
    _m(
        "duplicates are staged again",
        "staging.py",
        "            batch, at = batch.slice(known, len(batch)), at[known:]\n",
        "",
    ),
    _m(
        "a gap is swallowed",
        "staging.py",
        "            if frame.previous > leg.received:\n",
        "            if False:\n",
        PREFIX,
        GUARDS,
    ),
    _m(
        "a cycle is an image before its checkpoint",
        "staging.py",
        "        if leg.open is None:\n            if leg.state is Target.FOLLOWING:\n",
        "        if True:\n            if leg.state is Target.FOLLOWING:\n",
    ),
    _m(
        "a checkpoint counts before its rows are durable",
        "staging.py",
        "        if seq is None or leg.staged < seq:\n",
        "        if seq is None:\n",
        SOURCES,
    ),
    _m(
        "an open cycle is not remembered across a crash",
        "staging.py",
        "            leg.open = leg.received\n            leg.save()\n",
        "            leg.open = leg.received\n",
        STORIES,
    ),
    _m(
        "staging is trimmed when destaging begins",
        "staging.py",
        "        self.leg.issued = batch.last\n",
        "        self.leg.issued = batch.last\n        self.leg.out.append(TrimStaging(batch.last))\n",
    ),
    _m(
        "a paused source is never let go on",
        "staging.py",
        "            self.leg.send(Proceed(self.leg.session))\n",
        "            pass\n",
    ),
    _m(
        "history is destaged too early",
        "staging.py",
        "self.history.aged(self.store, leg.issued, now)",
        "self.history.aged(self.store, leg.issued, leg.now + self.history.delay)",
        STORIES,
        POINTS,
    ),
    _m(
        "a full history lets go when the batch ends, not at the write that fills it",
        "staging.py",
        "np.minimum(self.history.leaving(self.store, batch, seq, at), self.leg.now)",
        "np.full(len(batch), self.leg.now)",
        POINTS,
    ),
    _m(
        "a full history lets go of one write too many",
        "history.py",
        "store.reach(store.trimmed, excess - 1) + 1",
        "store.reach(store.trimmed, excess) + 1",
        POINTS,
    ),
    _m(
        "a deadline of history that rounding never reaches",
        "journal.py",
        'low + np.searchsorted(time[low:high] + age, now, side="right")',
        'np.searchsorted(time, now - age, side="right")',
        POINTS,
    ),
    _m(
        "a marker names the end of a cycle that goes on behind it",
        "cycle.py",
        "self._goal = leg.last if marker is None or marker <= self.closed else max(marker, self.sent)",
        "self._goal = leg.last",
        POINTS,
    ),
    _m(
        "a marker told again is taken for the end of the cycle under way",
        "staging.py",
        "leg.open is None or frame.seq <= leg.open",
        "leg.open is None",
        STORIES,
    ),
    _m(
        "a full staging waits for ever for what has left memory",
        "staging.py",
        "            self.destage()  # What has left",
        "            pass  # What has left",
        POINTS,
    ),
    _m(
        "an age is judged before the facts up to now are in",
        "staging.py",
        "else float(at[-1])",
        "else leg.now",
        POINTS,
    ),
    _m(
        "a marker that was sent is forgotten",
        "shipping.py",
        "        self._told = 0\n        self._forget_markers()\n",
        "        self._forget_markers()\n",
        POINTS,
    ),
    _m(
        "a target's crash forgets its markers",
        "recovery.py",
        "mark for mark in header.marks if applied",
        "mark for mark in () if applied",
        POINTS,
    ),
    _m(
        "a crash finds no word of what was on its way out of the history",
        "staging.py",
        "                leg.whole = limit\n                leg.save()\n",
        "                pass\n",
        POINTS,
    ),
    _m(
        "a cycle kept back on purpose holds the next one up",
        "staging.py",
        "if self._keeping() or not leg.settings.destage:",
        "if leg.settings.history is None and not leg.settings.destage:",
        POINTS,
    ),
    # Sessions.
    _m(
        "frames of an earlier session are taken by the target",
        "target.py",
        "        if frame.session != leg.session or not leg.session:\n",
        "        if not leg.session:\n",
        f"{GATE}::test_nothing_of_another_session_is_staged",
    ),
    _m(
        "frames of an earlier session are taken by the source",
        "source.py",
        "        if frame.session != leg.session or not leg.link:\n",
        "        if not leg.link:\n",
        SOURCES,
    ),
    _m(
        "a new connection does not end the target's session",
        "target.py",
        "                self.order.clear()\n                self._session_over()\n",
        "                self.order.clear()\n",
        SOURCES,
    ),
    _m(
        "sending goes on from what was sent, not from what is held",
        "sessions.py",
        "            self.shipper.start(frame.partial)\n",
        "            self.shipper.start(max(frame.partial, self.shipper.sent))\n",
    ),
    _m(
        "a target that lost what it confirmed is not noticed",
        "sessions.py",
        "        elif leg.state is Source.TRACKING and frame.held < leg.confirmed:\n",
        "        elif False:\n",
        GUARDS,
    ),
    _m(
        "a new disk at the target is not noticed",
        "sessions.py",
        "        wiped = outcome is Outcome.TARGET_NEW and leg.seeded\n",
        "        wiped = False\n",
        GUARDS,
    ),
    _m(
        "a regained order is believed of any pass",
        "sessions.py",
        "leg.end is None or seq < leg.end:",
        "False:",
        SOURCES,
    ),
    _m(
        "writes journalled during a copy are forgotten at a cut",
        "sessions.py",
        "            self.intake.give_up_order(Cause.LINK_DOWN)\n",
        "            leg.become(Cause.LINK_DOWN)\n",
    ),
    # The intake.
    _m(
        "acknowledged before the journal is durable",
        "intake.py",
        "        leg.settings.on_full.filled(self)\n        self.shipper.took()\n",
        "        leg.settings.on_full.filled(self)\n        self.acks.durable(batch.seq, batch.time)\n"
        "        self.shipper.took()\n",
    ),
    _m(
        "the write that did not fit is not marked",
        "intake.py",
        "        self._dirty_journal(written(rest.slice(0, 1)))\n",
        "        self._dirty_journal(None)\n",
    ),
    _m(
        "the journal is not marked when order is lost",
        "intake.py",
        "        leg.journal.mark_into(fresh)\n",
        "",
    ),
    _m(
        "marked writes are acknowledged before the bits are durable",
        "intake.py",
        "        if leg.dirty.mark(extents):\n            leg.out.append(MarkDirty(extents, dirty=True))\n"
        "        leg.acknowledged = batch.last\n        leg.out.append(Acknowledge(batch.seq, batch.time))\n",
        "        leg.acknowledged = batch.last\n        leg.out.append(Acknowledge(batch.seq, batch.time))\n"
        "        if leg.dirty.mark(extents):\n            leg.out.append(MarkDirty(extents, dirty=True))\n",
    ),
    _m(
        "hot extents are not named before they are written",
        "intake.py",
        "            self.leg.out.extend(self.leg.activity.touch(batch))\n",
        "            self.leg.activity.touch(batch)\n",
    ),
    _m(
        "an extent cools while its writes are unconfirmed",
        "activity.py",
        "or last > confirmed:",
        "or False:",
        SOURCES,
    ),
    _m(
        "held writes are forgotten when order is lost",
        "intake.py",
        "self.leg.now if at is None else at)\n        self.leg.settings.on_full.eased(self)\n",
        "self.leg.now if at is None else at)\n",
        SOURCES,
    ),
    # The journal.
    _m(
        "the journal takes one write too many",
        "journal.py",
        '        count = int(np.searchsorted(batch.spent, room, side="right"))\n',
        '        count = int(np.searchsorted(batch.spent, room, side="right")) + 1\n',
        OVERFLOW,
    ),
    _m(
        "what left memory is forgotten by the bitmap",
        "journal.py",
        "                fresh |= bitmap.merge(segment.touched)\n",
        "                pass\n",
    ),
    _m(
        "a journal cut in mid-batch keeps its beginning",
        "journal.py",
        "fresh |= bitmap.mark(written(segment.batch.after(self.trimmed)))",
        "fresh |= bitmap.mark(written(segment.batch.through(self.trimmed)))",
    ),
    # Acknowledgements in sync mode.
    _m(
        "sync acknowledges when the journal is durable",
        "acks.py",
        "        if self._sync is None or not (self.protected or self._stopped()):\n",
        "        if True:\n",
        PREFIX,
        STORIES,
    ),
    _m(
        "stop on loss lets hosts go on",
        "acks.py",
        '            leg.hold("target lost")\n',
        "            pass\n",
        STORIES,
    ),
    # Cycles.
    _m(
        "a cycle closes before the previous one is applied",
        "cycle.py",
        "return self.open and not self.travelling and not self.paused",
        "return self.open and not self.paused",
        STORIES,
    ),
    _m(
        "a cycle is sent before it is durable",
        "cycle.py",
        "        if leg.durable < self.closed:\n            return\n",
        "",
    ),
    Mutant(
        "folding keeps the first write of a block",
        "blocks/fold.py",
        "found[packed] = edge",
        "found[packed] = np.append(True, edge[:-1])",
        (BLOCKS,),
    ),
    Mutant(
        "folding drops partly covered blocks",
        "blocks/fold.py",
        "    whole = length == block\n",
        "    whole = length >= block // 2\n",
        (BLOCKS,),
    ),
    Mutant(
        "a bitmap clears granules only partly covered",
        "blocks/bitmap.py",
        "low, high = -(-start // self.granularity), stop // self.granularity\n                self",
        "low, high = start // self.granularity, -(-stop // self.granularity)\n                self",
        (BLOCKS,),
    ),
    # Recovery.
    _m(
        "bits found after a crash are ignored when the header says ordered",
        "recovery.py",
        "header.ordered and not leg.dirty and not lost",
        "header.ordered and not lost",
        RECOVERY,
    ),
    _m(
        "the journal of a source whose order was lost is ignored after a crash",
        "recovery.py",
        "    for batch in journal:\n        leg.dirty.mark(written(batch))\n",
        "",
        RECOVERY,
    ),
    _m(
        "hot extents are ignored after a crash",
        "recovery.py",
        "    leg.dirty.mark(hot_extents(list(saved.hot), settings.volumes))\n",
        "",
        RECOVERY,
    ),
    _m(
        "rows of an open cycle are destaged after a crash",
        "recovery.py",
        "    if header.open is not None and leg.staged > header.open:\n",
        "    if False:\n",
        RECOVERY,
    ),
    # Roles.
    _m(
        "a promotion destages what came after the point",
        "roles.py",
        "            self.staging.cut(leg.wish)\n",
        "",
        STORIES,
    ),
    _m(
        "a promotion in mid-resync keeps the half-copied volumes",
        "roles.py",
        "            leg.out.append(RestoreSnapshot(self._restoring))\n",
        "            self.leg.protected and self.snapshot_taken(self._restoring)\n",
        STORIES,
    ),
    _m(
        "the old source does not name its own writes",
        "handover.py",
        "    source.leg.journal.mark_into(dirt)\n",
        "",
        ROLES,
    ),
    _m(
        "what a promotion left out is not copied back",
        "staging.py",
        "                self.store.mark_beyond(after, leg.dirt)  # The old source was told we have these.\n",
        "                pass\n",
        STORIES,
    ),
    _m(
        "what was copied before a takeover in mid-resync is not copied back",
        "protect.py",
        "        leg.dirt.add(written(frame.batch))\n",
        "",
        STORIES,
    ),
    _m(
        "split brain is followed",
        "target.py",
        "Outcome.TARGET_NEWER, Outcome.SPLIT_BRAIN, Outcome.UNRELATED",
        "Outcome.TARGET_NEWER, Outcome.UNRELATED",
        GENERATIONS,
    ),
    _m(
        "a promoted site follows its old source",
        "target.py",
        "        if leg.state is Target.PROMOTED or leg.promoting:\n",
        "        if leg.promoting:\n",
        STORIES,
    ),
    _m(
        "a planned failover reports drained too early",
        "source.py",
        "leg.state is Source.STREAMING and leg.confirmed == leg.last:",
        "leg.state is Source.STREAMING:",
        STORIES,
    ),
    # The wire.
    _m(
        "a checksum is not checked",
        "decode.py",
        ".value(bytes(view[:CRC_AT]))) != crc:",
        ".value(bytes(view[:CRC_AT]))) < 0:",
        WIRE,
    ),
    _m(
        "a repeated frame is taken",
        "decode.py",
        "        if number != self._number:\n",
        "        if False:\n",
        WIRE,
    ),
    _m(
        "the size of a train is forgotten to count its headers",
        "wire.py",
        "    return payload_sizes(frame) + header_size(frame)\n",
        "    return payload_sizes(frame)\n",
        WIRE,
    ),
    _m(
        "forgetting a part of what left memory makes a journal fuller",
        "journal.py",
        "self._begin = max(self._begin, begin)",
        "self._begin = begin",
        "tests/replication/test_journal.py",
    ),
    _m(
        "a cut in the midst of a batch forgets the part that stays",
        "journal.py",
        "            if segment.first > after or after <= self.trimmed:\n",
        "            if True:\n",
        POINTS,
    ),
    _m(
        "a cut in the midst of what has left memory forgets the part that stays",
        "journal.py",
        "            if segment.first > after or after <= self.trimmed:\n",
        "            if segment.batch is None or segment.first > after or after <= self.trimmed:\n",
        POINTS,
    ),
    _m(
        "a first copy takes what is not in use along",
        "intake.py",
        "_from_the_beginning(settings.allocated or settings.volumes)",
        "_from_the_beginning(settings.volumes)",
        SEEDING,
    ),
    _m(
        "a verify takes a write that waits for room for decay",
        "verify.py",
        "            leg.touched.mark(written(leg.held))\n",
        "            pass\n",
        "tests/replication/test_verify.py::test_a_write_that_waits_for_room_in_the_journal_is_no_ghost",
    ),
    # Frames that overtake one another.
    _m(
        "frames that came early are acted on early",
        "reorder.py",
        "            end = stop if known is None else min(stop, known.begin)\n",
        "            self._next = begin\n            end = stop if known is None else min(stop, known.begin)\n",
        MACHINE,
        REORDER,
    ),
    _m(
        "a frame that comes twice is acted on twice",
        "reorder.py",
        "        begin = max(begin, self._next)\n",
        "        self._next = begin = min(begin, self._next) if members(frame) == 1 else max(begin, self._next)\n",
        MACHINE,
        REORDER,
    ),
    _m(
        "what is kept twice counts twice",
        "reorder.py",
        "            begin = stop if known is None else known.stop\n",
        "            begin = end\n",
        REORDER,
    ),
    _m(
        "frames of the connection before fill a gap in this one",
        "reorder.py",
        "        self._forget(len(self._kept))\n\n    def take",
        "\n    def take",
        MACHINE,
        REORDER,
    ),
    _m(
        "a peer decides how much is kept of what comes early",
        "reorder.py",
        "if self.frames > self._allowance.frames or self.nbytes > self._allowance.size:",
        "if self.frames > self._allowance.frames:",
        REORDER,
        MACHINE,
    ),
    _m(
        "what waited for a gap is told for earlier than the gap was filled",
        "reorder.py",
        "        if at[0] < self._latest:\n",
        "        if False:\n",
        REORDER,
    ),
    _m(
        "side by side, one connection may repeat itself",
        "decode.py",
        "if not self._side_by_side or ahead >= NUMBERS // 2:",
        "if not self._side_by_side:",
        REORDER,
    ),
    # Overflow policies.
    _m(
        "block lets go of its hosts too early",
        "overflow.py",
        "        if not len(leg.held) and (",
        "        if (",
        PREFIX,
        OVERFLOW,
    ),
    _m(
        "fail takes the write all the same",
        "overflow.py",
        "        source.leg.out.append(FailWrites(failed))\n",
        "        source.admit(rest)\n",
        OVERFLOW,
        STORIES,
    ),
    _m(
        "pace flutters",
        "overflow.py",
        "if level + 1 < source.leg.level or (level == 0 and source.leg.level):",
        "if level < source.leg.level:",
        OVERFLOW,
    ),
    _m(
        "suspend does not wait for its operator",
        "intake.py",
        "            leg.suspended, leg.welcomed = True, False\n",
        "            leg.welcomed = False\n",
        STORIES,
    ),
    # More than two sites, and media on a truck.
    _m(
        "a third site's place in another order is believed",
        "sessions.py",
        "if outcome is Outcome.DIFFERENCE and frame.consistent and frame.held != leg.confirmed:",
        "if False:",
        THIRD,
    ),
    _m(
        "a third site joins the new order before anyone looked",
        "target.py",
        "(outcome is Outcome.DIFFERENCE and exact)):",
        "outcome is Outcome.DIFFERENCE):",
        THIRD,
    ),
    _m(
        "a third site in mid-copy is taken for an old source",
        "target.py",
        "torso = outcome is Outcome.DIFFERENCE and not consistent and not leg.names_all(leg.caller)",
        "torso = False",
        THIRD,
    ),
    _m(
        "places of the order that are used again stay in staging",
        "protect.py",
        "        if before > base:",
        "        if False:",
        THIRD,
    ),
    _m(
        "a copy begins while a snapshot is being taken",
        "protect.py",
        "if not self.staging.quiet or self._copies or leg.frozen:",
        "if not self.staging.quiet or self._copies:",
        f"{ROLES}::test_a_copy_waits_for_a_snapshot_that_is_being_taken",
    ),
    _m(
        "a new source is answered while writes of the old order are under way",
        "target.py",
        "if not self.staging.quiet and compare(frame.lineage, leg.lineage) is not Outcome.SAME:",
        "if False:",
        THIRD,
    ),
    _m(
        "a target writes wherever it is told to",
        "target.py",
        "if leg.settings.volumes and outside(frame, leg.settings.volumes):",
        "if False:",
        "tests/replication/test_hostile.py",
    ),
    _m(
        "an old source that crashed in mid-copy still names all in which it differs",
        "target_leg.py",
        "return self.retired and (self.dirt_known or self.feeder in (0, generation))",
        "return self.retired",
        THIRD,
    ),
    _m(
        "a copy that has only begun is taken for an old source's image",
        "target.py",
        "leg.state is Target.INCONSISTENT and leg.retired and not begun",
        "leg.state is Target.INCONSISTENT and not leg.dirt and leg.base == leg.held",
        THIRD,
    ),
    _m(
        "the delay target judges an old slice by the present window",
        "pacing.py",
        "wanted = flying * delay / took",
        "wanted = self.window * delay / took",
        PACING,
    ),
    _m(
        "a limit of the copy forgets what it owes",
        "pacing.py",
        "self._free_at = max(now, self._free_at) + nbytes / self.settings.limit",
        "self._free_at = now + min(nbytes, 4096) / self.settings.limit",
        PACING,
    ),
    _m(
        "volumes are never copied side by side",
        "resync.py",
        'if resync.volumes == "side by side":',
        "if False:",
        PACING,
    ),
    _m(
        "a seeded target's data has a name of its own",
        "source.py",
        "known = leg.settings.in_sync or leg.settings.akin",
        "known = leg.settings.in_sync",
        THIRD,
    ),
    _m(
        "a verify holds back a copy",
        "protect.py",
        "                self._compares.append(frame)\n                continue\n",
        "                self._compares = waiting\n                return\n",
        GUARDS,
    ),
    _m(
        "the last granule of a volume, which ends after it, is a place that no volume has",
        "bounds.py",
        "extents.stop - granule + 1",
        "extents.stop",
        PREFIX,
        ROLES,
    ),
    _m(
        "what was shipped leaves the bit of a volume's last granule set",
        "seeding.py",
        "MarkDirty(all_bits, dirty=False)",
        "MarkDirty(whole(leg.settings), dirty=False)",
        SEEDING,
    ),
    _m(
        "a checkpoint for shipping is not durable",
        "seeding.py",
        "    leg.save()  # A crash",
        "    # A crash",
        SEEDING,
    ),
    _m(
        "media that were shipped are taken for arrived",
        "seeding.py",
        "    leg.seeded = True\n",
        "",
        f"{SEEDING}::test_media_that_never_arrive_do_no_harm",
    ),
]
