"""Points of a target's past by number or age: none in the midst of a cycle, none that is not durable."""

from types import SimpleNamespace

import pytest

from drsim.agent.past import point
from drsim.replication import events as ev
from drsim.replication import frames as fr
from drsim.replication.history import Keep
from tests.replication.test_history_points import at, batch, following


def test_a_past_image_is_one_point_of_the_order():
    target = following(history=Keep.model_validate({"window": "1 h"}))
    group = SimpleNamespace(engine=target)
    for first in (1, 5, 9):
        rows = batch(first, 4)  # Write k was made at k seconds.
        target.step(ev.Received(fr.Data(1, rows, first - 1, folded=True), at(4)), 20.0)
        if first < 9:
            target.step(ev.Received(fr.Checkpoint(1, first + 3, f"mark {first}"), at()), 20.0)
        target.step(ev.StagingDurable(rows.seq, at(4)), 20.0)
    assert [point(group, "", ago) for ago in (1.0, 12.0, 13.5, 16.0, 19.5)] == [8, 8, 4, 4, 0]
    assert [point(group, where, None) for where in ("4", "8", "0", "mark 5", "")] == [4, 8, 0, 8, None]
    with pytest.raises(ValueError, match="midst of a cycle: 4 is a point"):
        point(group, "6", None)
    with pytest.raises(ValueError, match="between 0 and 8"):
        point(group, "10", None)
