"""Bugs to plant outside the engine: in the simulated world, the links, the meters and the agent."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "tests/replication/test_prefix.py"
TRACES = "tests/replication/test_traces.py"
WIRE = "tests/replication/test_wire.py"
GATE = "tests/replication/test_gate.py"
PROMOTE = "tests/replication/test_roles.py::test_promotion_without_an_image_is_refused"
NAIVE = "tests/simulation/test_oracle.py"
MEDIUM = "tests/simulation/test_journal_medium.py"
SERVER = "tests/wan/test_server.py"
TCP = "tests/wan/test_tcp.py"
LAG = "tests/measure/test_lag.py"
METERS = "tests/measure/test_meters.py"
SNAPSHOTS = "tests/simulation/test_snapshots.py"
HISTORY = "tests/simulation/test_history.py"
UNSENT = "tests/measure/test_unsent.py"
SCATTER = "tests/agent/test_scatter.py"
LANDING = "tests/agent/test_landing.py"
INTAKE = "tests/agent/test_intake.py"
GATHERED = "tests/agent/test_gathered.py"
PAYLOAD = "tests/blocks/test_payload.py"


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


WORLD = [
    _bug(
        "a snapshot that goes takes with it what an older one needs",
        "simulation/snapshots.py",
        "            older.merge(saved)\n",
        "",
        SNAPSHOTS,
    ),
    _bug(
        "every snapshot saves for itself",
        "simulation/snapshots.py",
        "self.chain[-1].saved.enter(",
        "self.chain[0].saved.enter(",
        SNAPSHOTS,
    ),
    _bug(
        "the newest snapshot goes first when room runs out",
        "simulation/snapshots.py",
        "self.chain.pop(0).saved.nbytes",
        "self.chain.pop(-2).saved.nbytes",
        SNAPSHOTS,
    ),
    _bug(
        "a snapshot is as old as its taking",
        "measure/snapshots.py",
        "each.lacks_from = float(at[rows])",
        "each.lacks_from = each.at",
        SNAPSHOTS,
    ),
    _bug(
        "a block of a second row is saved again",
        "blocks/bitmap.py",
        "row = row[np.searchsorted(names, np.frombuffer(new.to_array(), np.uint32))]",
        "row = row[np.searchsorted(names, np.frombuffer(new.to_array(), np.uint32)) - 1]",
        "tests/blocks/test_blocks_sets.py",
    ),
    _bug(
        "a hop waits for its journal while its feeder is copied to",
        "simulation/tables.py",
        '"resync" if cause and why in _BY_A_COPY else cause',
        "cause",
        "tests/simulation/test_content.py",
    ),
    _bug(
        "a full history lets go one write late",
        "replication/history.py",
        'begin + self._bound, side="right")',
        'begin + self._bound, side="right") + 1',
        HISTORY,
    ),
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
        "ends.append((self.offered - 1, parcel.awaited))",
        "ends.append((self.offered, parcel.awaited))",
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
        MEDIUM,
    ),
    _bug(
        "violation-from-the-wrong-edge",
        "measure/violations.py",
        "crossed = np.maximum(begin, acked + self.rpo_s)",
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
        "before += heads[3] - heads[1]",
        "before += heads[3]",
        UNSENT,
    ),
]

AGENT = [
    _bug(
        "first-of-several-writes-to-a-place-stays",
        "agent/volumes.py",
        "kept = np.append(~again, True)",
        "kept = np.append(True, ~again)",
        SCATTER,
    ),
    _bug(
        "cut-short-counts-as-written",
        "agent/volumes.py",
        "for row in self.rows[self.plan.short()].tolist():",
        "for row in self.rows[self.plan.short()][:0].tolist():",
        SCATTER,
    ),
    _bug("landing-before-durable", "agent/landing.py", " or batches[-1].last > durable:", ":", LANDING),
    _bug(
        "what-is-on-its-way-is-not-seen",
        "agent/intake.py",
        "for batch in (*self._taken, *self._told):",
        "for batch in self._told:",
        LANDING,
    ),
    _bug(
        "kept-behind-a-gap", "agent/intake.py", "if cache is None or self._gap:", "if cache is None:", INTAKE
    ),
    _bug(
        "held-back-for-ever",
        "agent/intake.py",
        "        while self._behind and not self._gap:\n",
        "        while self._behind and not through:\n",
        INTAKE,
    ),
    _bug(
        "a-gap-is-forgotten-too-soon",
        "agent/intake.py",
        "if through >= self._gap:",
        "if through > 0:",
        INTAKE,
    ),
    _bug(
        "landed-in-silence",
        "agent/landing.py",
        "                self._later()\n",
        "                pass\n",
        LANDING,
    ),
    _bug(
        "another-buffer-goes-on",
        "blocks/payload.py",
        "other.buffer is self.buffer",
        "len(other.buffer) == len(self.buffer)",
        PAYLOAD,
        GATHERED,
    ),
    _bug(
        "volumes-in-one-piece",
        "agent/gathered.py",
        "pieces[-1][0] == volume and ",
        "",
        GATHERED,
    ),
]

MUTANTS = WORLD + AGENT
