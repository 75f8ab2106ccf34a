"""Generations: DRBD's table of outcomes, and what is refused."""

import pytest

from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.generations import HISTORY, Lineage, Outcome, compare, identity, successor
from drsim.replication.settings import TargetSettings
from drsim.replication.states import Target
from drsim.replication.target import TargetEngine

A, B, C, D, E = 11, 22, 33, 44, 55
TABLE = [
    (Lineage(), Lineage(), Outcome.BOTH_NEW),
    (Lineage(A), Lineage(), Outcome.TARGET_NEW),
    (Lineage(), Lineage(A), Outcome.SOURCE_NEW),
    (Lineage(A, 0, (B,)), Lineage(A, 0, (C,)), Outcome.SAME),
    (Lineage(B, A), Lineage(A), Outcome.DIFFERENCE),
    (Lineage(A), Lineage(B, A), Outcome.TARGET_NEWER),
    (Lineage(C, B, (A,)), Lineage(A), Outcome.ANCESTOR),
    (Lineage(A), Lineage(C, 0, (B, A)), Outcome.TARGET_NEWER),
    (Lineage(B, A), Lineage(C, A), Outcome.SPLIT_BRAIN),
    (Lineage(B, D, (A,)), Lineage(C, E, (A,)), Outcome.SPLIT_BRAIN),
    (Lineage(B, D), Lineage(C, E), Outcome.UNRELATED),
]


@pytest.mark.parametrize(("source", "target", "outcome"), TABLE)
def test_the_table(source, target, outcome):
    assert compare(source, target) is outcome


def test_every_outcome_is_in_the_table():
    assert {outcome for _, _, outcome in TABLE} == set(Outcome)


def test_a_site_that_parts_and_is_joined_again_is_followed_throughout():
    old = Lineage(identity(1, 1))
    new = old.parted(successor(old, 2))
    assert compare(new, old) is Outcome.DIFFERENCE
    assert compare(new.joined(), new.joined()) is Outcome.SAME
    assert compare(new.joined(), old) is Outcome.ANCESTOR
    other = old.parted(successor(old, 1))
    assert compare(new, other) is Outcome.SPLIT_BRAIN


def test_generations_are_unique_and_history_is_bounded():
    lineage, seen = Lineage(identity(7, 1)), {identity(7, 1)}
    for _ in range(30):
        new = successor(lineage, 7)
        assert new not in seen
        seen.add(new)
        lineage = lineage.parted(new).joined()
        assert len(lineage.history) <= HISTORY


def answer(target: TargetEngine, lineage: Lineage, group: str = "group") -> list[object]:
    hello = fr.Hello(1, group, lineage, 1, 0, True)
    return [a.frame for a in target.step(ev.Received(hello, None), 1.0) if type(a).__name__ == "Send"]


@pytest.mark.parametrize(
    ("lineage", "words"),
    [(Lineage(C, A), "both went on"), (Lineage(C), "nothing in common"), (Lineage(A), "roles are wrong")],
)
def test_a_source_that_must_not_be_followed_is_refused(lineage, words):
    target = TargetEngine(TargetSettings())
    target.leg.lineage = Lineage(B, A)
    (frame,) = answer(target, lineage)
    assert isinstance(frame, fr.Refuse)
    assert words in frame.reason
    assert target.leg.session == 0
    assert target.state is Target.FOLLOWING


def test_split_brain_is_resolved_only_by_a_setting():
    target = TargetEngine(TargetSettings(split_brain="discard"))
    target.leg.lineage = Lineage(B, A)
    (frame,) = answer(target, Lineage(C, A))
    assert isinstance(frame, fr.Welcome)
    assert not frame.consistent


def test_another_group_is_refused():
    (frame,) = answer(TargetEngine(TargetSettings()), Lineage(1), "other")
    assert isinstance(frame, fr.Refuse)
