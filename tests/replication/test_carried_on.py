"""The engine of a hop goes on under a new generation, when its site takes over or no longer does."""

from __future__ import annotations

import pytest

from drsim.replication.generations import identity
from drsim.replication.handover import carry_on
from drsim.replication.states import Source, Target
from tests.replication.fleet import Fleet
from tests.replication.pair import Pair
from tests.replication.test_third_site import connected, copied, write

NEW = identity(7, 1)


def cut(acknowledged: bool = True) -> tuple[Fleet, Pair]:
    """Two targets; the first has got writes whose acknowledgements may be lost with the link."""
    fleet = connected()
    pair = fleet.pairs[0]
    write(fleet, 5, 6, 7)
    pair.to_target(9)
    pair.staging_done(9)
    if acknowledged:
        pair.to_source(9)
    pair.link_down()
    return fleet, pair


def goes_on(pair: Pair, seq: int) -> None:
    lineage = pair.source.leg.lineage.parted(NEW)
    carry_on(pair.source, lineage, seq, pair.target)
    pair.states.clear()
    pair.link_up()
    pair.settle()


@pytest.mark.parametrize("acknowledged", [True, False])
def test_order_goes_on_and_the_target_learns_of_the_new_generation(acknowledged: bool) -> None:
    fleet, pair = cut(acknowledged)
    goes_on(pair, pair.source.leg.last)
    assert not copied(pair)
    assert pair.source.leg.lineage.current == pair.target.leg.lineage.current == NEW
    write(fleet, 11)
    pair.settle()
    assert pair.target.leg.held == pair.source.leg.last == pair.source.leg.confirmed
    pair.link_down()  # They know each other from now on.
    pair.link_up()
    pair.settle()
    assert not copied(pair)


def test_a_site_that_took_over_earlier_copies_only_what_its_journal_names() -> None:
    """Its volumes went back to an earlier point: the order goes on there, and what was sent beyond is copied over."""
    _, pair = cut()
    pair.target.leg.lineage = pair.source.leg.lineage
    engine, seq = pair.source, pair.source.leg.last - 1
    carry_on(engine, engine.leg.lineage.parted(NEW), seq, pair.target)
    assert engine.state is Source.TRACKING
    assert engine.leg.last == engine.leg.acknowledged == seq
    assert engine.leg.confirmed <= seq


def test_writes_on_their_way_to_staging_are_met_under_the_old_generation() -> None:
    fleet = connected()
    pair = fleet.pairs[0]
    write(fleet, 5, 6)
    pair.to_target(9)  # received, not durable
    pair.link_down()
    assert pair.target.state is Target.FOLLOWING
    before = pair.source.leg.lineage.current
    goes_on(pair, pair.source.leg.last)
    assert not copied(pair)
    assert pair.source.leg.lineage.current == before
    assert pair.target.leg.held == pair.source.leg.last
