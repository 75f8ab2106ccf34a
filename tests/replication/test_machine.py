"""The state machine: a source, one or two targets, links and operators, in bytes, against a naive oracle.

Hypothesis draws the settings of every leg and then any order of: writes, trims, hand-overs row by row, cuts, frames
that overtake others or come twice, frames of earlier sessions that turn up late, crashes of either side at any
persist point with torn last records, snapshots, rehearsals, markers, verifies, suspensions, shipped seeds, takeovers
(planned, unplanned, at an older point, in mid-resync) with the way back. After every step of an engine: each image
called consistent is the order after writes 1..s; each acknowledged write is at the target, in the journal, under a
bit, or on the truck; each snapshot is one point of the order; memory is bounded. At the end, with a link and peace:
all targets equal.
"""

import os
import sys
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from drsim.blocks.batch import Kind
from drsim.replication import events as ev
from drsim.replication.settings import Early, SourceSettings, TargetSettings
from drsim.replication.shelf import Schedule
from drsim.replication.states import Source, Target
from tests.replication.fleet import Fleet
from tests.replication.test_prefix import settings_of_a_leg, settings_that_lose_order, writes

LEGS = st.integers(0, 1)
ROWS = st.integers(1, 4)
FRAMES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([False, False, True])), min_size=2, max_size=6)
HANDS = ["journal_done", "to_target", "to_source", "staging_done", "destage"]
WITHOUT_ROWS = ["read_blocks", "answer_read", "snap", "compare", "tick"]
FEW = Early.model_validate({"frames": 4, "size": "4 KiB"})
NAMES = st.sampled_from(["", "drill"])


def for_many(legs: list[tuple[SourceSettings, TargetSettings]]) -> bool:
    """A write that one leg refuses and another took has no place in a group: such settings are refused."""
    kinds = [(p.kind, getattr(getattr(p, "then", None), "kind", "")) for s, _ in legs for p in [s.on_full]]
    return len(legs) == 1 or not any("fail" in kind for kind in kinds)


class Group(RuleBasedStateMachine):
    """Everything that may happen to one group."""

    @initialize(
        legs=st.lists(
            st.one_of(settings_of_a_leg(), settings_that_lose_order()), min_size=1, max_size=2
        ).filter(for_many),
        schedule=st.sampled_from([(), (), (Schedule(every="40 s", keep=2), Schedule(every="90 s", keep=1))]),
        greedy=st.booleans(),
        striped=st.sampled_from([True, True, False]),
        early=st.sampled_from([Early(), Early(), FEW, Early(frames=0)]),
        keeper_knows=st.sampled_from([True, True, False]),
        late=st.booleans(),
    )
    def begin(self, legs, schedule, greedy, striped, early, keeper_knows, late):
        akin = any(s.in_sync for s, _ in legs)
        numbered = [
            (
                replace(s, origin=1, akin=akin, early=early),
                replace(t, origin=2 + i, snapshots=schedule, early=early, late=late),
            )
            for i, (s, t) in enumerate(legs)
        ]
        self.fleet = Fleet(numbered)
        self.takeovers = 0
        for pair in self.fleet.pairs:
            pair.greedy, pair.striped, pair.keeper_knows = greedy, striped, keeper_knows

    # Hosts and hand-overs.

    @rule(rows=writes)
    def hosts_write(self, rows):
        self.fleet.write(rows)

    @rule(many=st.lists(writes, min_size=2, max_size=6))
    def hosts_are_busy(self, many):
        for rows in many:
            self.fleet.write(rows)

    @rule(leg=LEGS, hand=st.sampled_from(HANDS), rows=ROWS)
    def something_moves(self, leg, hand, rows):
        getattr(self.fleet.pair(leg), hand)(rows)

    @rule(leg=LEGS, hands=st.lists(st.sampled_from(HANDS + WITHOUT_ROWS), min_size=2, max_size=6))
    def some_things_move(self, leg, hands):
        for hand in hands:
            move = getattr(self.fleet.pair(leg), hand)
            move(1) if hand in HANDS else move()

    @rule(leg=LEGS, times=st.integers(1, 3))
    def all_flows(self, leg, times):
        pair = self.fleet.pair(leg)
        for _ in range(times):
            for hand in HANDS:
                getattr(pair, hand)(2)
            for move in WITHOUT_ROWS[:-1]:
                getattr(pair, move)()

    @rule(leg=LEGS)
    def time_passes(self, leg):
        self.fleet.pair(leg).tick()

    # Links.

    @rule(leg=LEGS)
    def link_comes(self, leg):
        pair = self.fleet.pair(leg)
        pair.link_up()
        pair.to_target(9), pair.to_source(9), pair.to_target(9)

    @rule(leg=LEGS, tell=st.booleans())
    def link_goes(self, leg, tell):
        self.fleet.pair(leg).link_down(tell_target=tell)

    @rule(leg=LEGS, way=st.sampled_from(["to_target", "to_target", "to_source"]), rows=ROWS, frames=FRAMES)
    def frames_overtake_others(self, leg, way, rows, frames):
        for index, twice in frames:
            getattr(self.fleet.pair(leg), way)(rows, index, twice)

    @rule(
        leg=LEGS,
        places=st.lists(st.integers(0, 31), min_size=2, max_size=4),
        mark=st.booleans(),
        frames=FRAMES,
    )
    def writes_overtake_others(self, leg, places, mark, frames):
        self.link_comes(leg)
        pair = self.fleet.pair(leg)
        pair.settle()
        for place in places:
            self.fleet.write([(0, place, 1, Kind.WRITE)])
            pair.journal_done(9)
            if mark:
                pair.step_source(ev.Command("mark", "noon"))
        pair.tick()
        for index, twice in frames:
            pair.to_target(1, index, twice)
            pair.staging_done(1), pair.destage(1), pair.to_source(1, index, twice)

    @rule(leg=LEGS, index=st.integers(0, 19))
    def an_old_frame_turns_up(self, leg, index):
        self.fleet.pair(leg).haunt(index)

    # Crashes.

    @rule(torn=st.integers(0, 3))
    def source_crashes(self, torn):
        self.fleet.crash_source(torn)

    @rule(leg=LEGS, torn=st.integers(0, 3))
    def target_crashes(self, leg, torn):
        self.fleet.pair(leg).crash_target(torn)

    @rule(leg=LEGS, who=st.sampled_from(["source", "target"]), after=st.integers(1, 6))
    def crashes_between_two_actions(self, leg, who, after):
        if who == "target" or len(self.fleet.pairs) == 1:
            self.fleet.pair(leg).fuse[who] = after

    # Operators.

    @rule(leg=LEGS, verb=st.sampled_from(["verify", "repair", "suspend", "resume", "resume", "mark"]))
    def source_is_told(self, leg, verb):
        self.fleet.pair(leg).step_source(ev.Command(verb, "noon" if verb == "mark" else ""))

    @rule(leg=LEGS, verb=st.sampled_from(["rehearse", "rehearse", "end_rehearsal"]), name=NAMES)
    def target_is_told(self, leg, verb, name):
        self.fleet.pair(leg).step_target(ev.Command(verb, name))

    @rule(leg=LEGS)
    def a_seed_is_shipped(self, leg):
        self.fleet.pair(leg).ship()

    @precondition(lambda self: any(pair.media is not None for pair in self.fleet.pairs))
    @rule(leg=LEGS)
    def a_seed_is_loaded(self, leg):
        pair = self.fleet.pair(leg)
        if pair.media is not None and pair.source.leg.seeded:
            pair.load(pair.label)

    @precondition(lambda self: self.takeovers < 2)
    @rule(leg=LEGS, back=st.sampled_from([None, None, 1, 3, "kept"]), alone=st.lists(writes, max_size=2))
    def target_takes_over(self, leg, back, alone):
        for pair in self.fleet.pairs:
            pair.link_down()
        for rows in (
            alone
        ):  # A cut is not yet a disaster: hosts go on at the old source, where nobody counts on them.
            self.fleet.write(rows)
        if self.fleet.promote(leg, back):
            self.takeovers += 1
            self.fleet.swap(leg)

    @precondition(lambda self: self.takeovers < 2)
    @rule(leg=LEGS)
    def roles_are_handed_over(self, leg):
        if self.fleet.hand_over(leg):
            self.takeovers += 1
            self.fleet.swap(leg)

    def teardown(self):
        fleet = getattr(self, "fleet", None)
        if fleet is None or sys.exc_info()[0] is not None:
            return  # A rule has failed already.
        fleet.finish()
        for pair in fleet.pairs:
            assert pair.source.state is Source.STREAMING
            assert pair.target.state is Target.FOLLOWING


_DEEP = os.environ.get("DRSIM_HYPOTHESIS") == "deep"
Group.TestCase.settings = settings(
    settings(),
    max_examples=settings().max_examples if _DEEP else min(settings().max_examples, 50),
    stateful_step_count=40 if _DEEP else 25,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
TestGroup = Group.TestCase
