"""Bugs to plant, one at a time: what `python -m tests.mutants` puts into a copy and the tests must catch."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "tests/replication/test_prefix.py"
TRACES = "tests/replication/test_traces.py"
WIRE = "tests/replication/test_wire.py"
GATE = "tests/replication/test_gate.py"
PROMOTE = "tests/replication/test_roles.py::test_promotion_without_an_image_is_refused"
NAIVE = "tests/simulation/test_oracle.py"
SERVER = "tests/wan/test_server.py"
TCP = "tests/wan/test_tcp.py"
LAG = "tests/measure/test_lag.py"
METERS = "tests/measure/test_meters.py"
UNSENT = "tests/measure/test_unsent.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug.

    Attributes:
        name: what went wrong, as a reader would say it.
        file: below ``drsim/``.
        old: text that occurs there exactly once.
        new: what takes its place.
        tests: pytest's words for those that must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _bug(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, file, old, new, tests)


SOURCE = [
    _bug(
        "in-flight-forgotten-at-disconnect",
        "replication/resync.py",
        "            self.leg.dirty.mark(flight.extents)\n        self._flights.clear()",
        "            pass\n        self._flights.clear()",
        PREFIX,
    ),
    _bug(
        "source-takes-a-stale-session",
        "replication/source.py",
        "if frame.session != leg.session or not leg.link:",
        "if not leg.link:",
        PREFIX,
    ),
    _bug(
        "bit-cleared-when-sent",
        "replication/resync.py",
        "        flight.rows = len(batch)\n",
        "        flight.rows = len(batch)\n        self._clean(flight.extents)\n",
        PREFIX,
    ),
    _bug(
        "bit-cleared-though-dirty-again",
        "replication/resync.py",
        "        clean.subtract(self.leg.dirty)\n",
        "",
        PREFIX,
    ),
    _bug(
        "copy-done-with-slices-under-way",
        "replication/resync.py",
        "return self._ready and not self._flights and not",
        "return self._ready and not",
        PREFIX,
    ),
    _bug(
        "acknowledged-before-journal-durable",
        "replication/intake.py",
        "        leg.last = batch.last\n        first, rest",
        "        leg.last = batch.last\n        self.acks.all_through(leg.last, leg.now)\n        first, rest",
        PREFIX,
    ),
    _bug(
        "cut-acknowledges-what-is-not-durable",
        "replication/acks.py",
        "        elif leg.acknowledged < leg.durable:\n            self.all_through(leg.durable, leg.now)",
        "        else:\n            self.all_through(leg.last, leg.now)",
        PREFIX,
    ),
    _bug(
        "trimmed-beyond-confirmed",
        "replication/source.py",
        "if leg.journal.trim(min(through, leg.durable)):",
        "if leg.journal.trim(leg.durable):",
        PREFIX,
    ),
    _bug(
        "order-lost-journal-not-marked",
        "replication/intake.py",
        "        leg.journal.mark_into(fresh)\n",
        "",
        PREFIX,
    ),
    _bug(
        "order-lost-last-write-not-marked",
        "replication/intake.py",
        "self._dirty_journal(written(rest.slice(0, 1)))",
        "self._dirty_journal(None)",
        PREFIX,
    ),
    _bug(
        "journal-forgotten-before-bits",
        "replication/intake.py",
        "        self._dirty_journal(written(rest.slice(0, 1)))",
        "        leg.out.append(TrimJournal(leg.last))\n        self._dirty_journal(written(rest.slice(0, 1)))",
        PREFIX,
    ),
    _bug(
        "tracked-write-not-marked",
        "replication/intake.py",
        "        if leg.dirty.mark(extents):\n",
        "        if leg.dirty.mark(extents) and leg.link:\n",
        PREFIX,
    ),
    _bug(
        "sends-before-journal-durable",
        "replication/stream.py",
        "        limit = leg.durable\n",
        "        limit = leg.last\n",
        PREFIX,
        TRACES,
    ),
    _bug(
        "overflows-by-one-write",
        "replication/journal.py",
        "return max(count, 1) if self._end == self._begin else count",
        "return max(count, 1)",
        NAIVE,
        TRACES,
    ),
    _bug(
        "evicted-places-forgotten",
        "replication/journal.py",
        "                segment.touched.mark(written(segment.batch))\n",
        "",
        PREFIX,
    ),
    _bug(
        "evicts-what-is-not-durable",
        "replication/journal.py",
        "if segment.last > durable or self._end",
        "if self._end",
        PREFIX,
    ),
    _bug(
        "hosts-never-released",
        "replication/overflow.py",
        '            leg.release("journal full")\n',
        "",
        PREFIX,
    ),
    _bug(
        "recovers-order-despite-dirty-bits",
        "replication/recovery.py",
        "if header.ordered and not leg.dirty and not lost",
        "if header.ordered and not lost",
        PREFIX,
    ),
    _bug(
        "recovery-forgets-hot-extents",
        "replication/recovery.py",
        "    leg.dirty.mark(hot_extents(list(saved.hot), settings.volumes))\n",
        "",
        PREFIX,
    ),
    _bug(
        "recovery-forgets-the-journal",
        "replication/recovery.py",
        "        leg.dirty.mark(written(batch))\n",
        "        pass\n",
        PREFIX,
    ),
    _bug(
        "extent-cooled-too-soon",
        "replication/activity.py",
        "if len(self._hot) - len(cold) <= self.size or last > confirmed:",
        "if len(self._hot) - len(cold) <= self.size:",
        PREFIX,
    ),
]

TARGET = [
    _bug(
        "target-takes-a-stale-session",
        "replication/target.py",
        "if frame.session != leg.session or not leg.session:",
        "if not leg.session:",
        PREFIX,
    ),
    _bug(
        "confirms-before-staging-durable",
        "replication/staging.py",
        "        leg.out.append(AppendStaging(batch, at, frame.folded))\n",
        "        leg.out.append(AppendStaging(batch, at, frame.folded))\n"
        "        leg.out.append(Send(Ack(leg.session, batch.seq), at))\n",
        PREFIX,
    ),
    _bug(
        "protective-snapshot-not-taken",
        "replication/protect.py",
        "if leg.state is Target.FOLLOWING and leg.settings.protect and leg.protected is None:",
        "if False:",
        TRACES,
    ),
    _bug(
        "protective-snapshot-of-an-older-seq",
        "replication/protect.py",
        "self.leg.protected = (name, self.leg.written)",
        "self.leg.protected = (name, max(0, self.leg.written - 1))",
        PREFIX,
    ),
    _bug(
        "copy-opens-before-the-drain",
        "replication/protect.py",
        "        if leg.written < leg.held:\n            return\n",
        "",
        PREFIX,
    ),
    _bug(
        "copy-opens-with-old-copies-landing",
        "replication/protect.py",
        "if not self.staging.quiet or self._copies:",
        "if not self.staging.quiet:",
        PREFIX,
    ),
    _bug(
        "order-regained-before-redo-durable",
        "replication/protect.py",
        "leg.end is None or leg.held < leg.end:",
        "leg.end is None:",
        PREFIX,
    ),
    _bug(
        "compares-while-copies-land",
        "replication/protect.py",
        "while self._compares and not self._copies and",
        "while self._compares and",
        PREFIX,
    ),
    _bug(
        "hashes-always-match",
        "replication/protect.py",
        "rows = digests(event.batch) != frame.digest",
        "rows = np.zeros(len(event.batch), np.bool_)",
        PREFIX,
    ),
    _bug(
        "destages-out-of-order",
        "replication/staging.py",
        "WriteBlocks(self.leg.ticket(), batch, ready)",
        "WriteBlocks(self.leg.ticket(), batch.take(np.arange(len(batch))[::-1]), ready)",
        PREFIX,
    ),
    _bug(
        "destages-an-open-cycle",
        "replication/staging.py",
        "        if delay is None or leg.state is not Target.FOLLOWING:\n            return leg.held\n",
        "        if delay is None or leg.state is not Target.FOLLOWING:\n            return leg.staged\n",
        PREFIX,
    ),
    _bug(
        "staging-trimmed-when-only-issued",
        "replication/staging.py",
        "leg.out.append(TrimStaging(leg.written))",
        "leg.out.append(TrimStaging(leg.issued))",
        PREFIX,
    ),
    _bug(
        "duplicate-not-dropped",
        "replication/staging.py",
        'known = int(np.searchsorted(batch.seq, leg.received, side="right"))',
        "known = 0",
        GATE,
    ),
    _bug(
        "gap-accepted",
        "replication/staging.py",
        "            if frame.previous > leg.received:\n",
        "            if frame.previous > leg.received + 10**9:\n",
        GATE,
    ),
    _bug(
        "cycle-recoverable-before-checkpoint",
        "replication/target_leg.py",
        "return self.staged if self.open is None else self.open",
        "return self.staged",
        PREFIX,
    ),
    _bug(
        "cycle-complete-before-its-rows",
        "replication/staging.py",
        "if seq is None or leg.staged < seq:",
        "if seq is None:",
        PREFIX,
    ),
    _bug(
        "open-cycle-not-saved",
        "replication/staging.py",
        "            leg.open = leg.received\n            leg.save()\n",
        "            leg.open = leg.received\n",
        PREFIX,
    ),
    _bug(
        "open-cycle-survives-a-crash",
        "replication/recovery.py",
        "if header.open is not None and leg.staged > header.open:",
        "if False:",
        PREFIX,
    ),
    _bug(
        "promotes-without-an-image",
        "replication/roles.py",
        "if leg.state is Target.INCONSISTENT and leg.protected is None:",
        "if False:",
        PROMOTE,
    ),
]

BYTES = [
    _bug(
        "checksum-not-checked",
        "replication/decode.py",
        "google_crc32c.value(prefix[:CRC_AT]), body) != crc:",
        "google_crc32c.value(prefix[:CRC_AT]), body) < 0:",
        WIRE,
    ),
    _bug(
        "frame-number-not-checked",
        "replication/decode.py",
        "if number != self._number:",
        "if number < 0:",
        WIRE,
    ),
    _bug(
        "wire-size-off",
        "replication/wire.py",
        "        case fr.Ack():\n            return HEAD_OF_ACK.itemsize",
        "        case fr.Ack():\n            return HEAD_OF_ACK.itemsize + 1",
        WIRE,
    ),
    _bug(
        "checksum-leaves-the-tail-out",
        "replication/wire.py",
        "google_crc32c.value(before), after), tail)",
        "google_crc32c.value(before), after), tail[1:])",
        WIRE,
    ),
    _bug(
        "bitmap-marks-the-first-granule-only",
        "blocks/bitmap.py",
        "            last = (extents.stop[chosen] - 1) // self.granularity\n",
        "            last = first\n",
        PREFIX,
    ),
    _bug(
        "fold-keeps-the-older-write",
        "blocks/fold.py",
        "dead |= ~_last_of(span)",
        "dead |= ~_last_of(span[::-1])[::-1]",
        PREFIX,
    ),
]

WORLD = [
    _bug("fifo-forgets-free-at", "wan/fifo.py", "        at = self.free_at\n", "        at = 0\n", SERVER),
    _bug(
        "fifo-batch-forgets-free-at",
        "wan/fifo.py",
        "        begin[0] = max(int(begin[0]), self.free_at)\n",
        "",
        SERVER,
        NAIVE,
    ),
    _bug("cut-link-stays-busy", "wan/fifo.py", "        self._fifo.free_at = reached\n", "", SERVER),
    _bug(
        "window-limits-to-half",
        "wan/tcp.py",
        "return window / rtt if rtt > 0 else math.inf",
        "return window / rtt / 2 if rtt > 0 else math.inf",
        TCP,
    ),
    _bug(
        "station-hands-to-the-wrong-parcel",
        "simulation/station.py",
        "            parcel = self.parcels[0]\n",
        "            parcel = self.parcels[-1]\n",
        NAIVE,
    ),
    _bug(
        "settles-past-what-is-awaited",
        "simulation/station.py",
        "self.awaited.append(self.offered - 1)",
        "self.awaited.append(self.offered)",
        NAIVE,
    ),
    _bug(
        "frames-survive-the-cut",
        "simulation/channel.py",
        "        for line in self._line.values():\n            line.clear()\n",
        "",
        NAIVE,
    ),
    _bug(
        "propagation-forgotten",
        "simulation/channel.py",
        "start + self.propagation_s if self.propagation_s and",
        "start if self.propagation_s and",
        NAIVE,
    ),
    _bug(
        "journal-tells-the-wrong-rows",
        "simulation/ports.py",
        "on.JournalDurable(batch.seq[first:last], finish)",
        "on.JournalDurable(batch.seq[: last - first], finish)",
        NAIVE,
    ),
    _bug(
        "violation-from-the-wrong-edge",
        "measure/lag.py",
        "crossed = np.maximum(begin, acked + rpo_s)",
        "crossed = begin",
        LAG,
    ),
    _bug("lag-counted-twice", "measure/lag.py", "        np.maximum(begin, acked, out=begin)\n", "", LAG),
    _bug(
        "touching-violations-kept-apart",
        "measure/violations.py",
        "np.flatnonzero(begin != np.concatenate([[self._end], end[:-1]]))",
        "np.arange(len(begin))",
        LAG,
        METERS,
    ),
    _bug(
        "occupancy-forgets-its-level",
        "measure/occupancy.py",
        "        self._level = int(level[-1])\n",
        "",
        METERS,
    ),
    _bug(
        "unsent-peak-counts-a-write-too-often",
        "measure/unsent.py",
        "before += self._across - nbytes",
        "before += self._across",
        UNSENT,
    ),
]

MUTANTS = [*SOURCE, *TARGET, *BYTES, *WORLD]
