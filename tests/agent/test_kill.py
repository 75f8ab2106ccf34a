"""A few rounds of harm in every run of the tests; ``make soak`` does hundreds."""

import pytest

from tests.agent.pair import libnbd, needs
from tests.agent.rounds import KINDS, WEATHERS, Campaign

SHORT = [
    ("journal", ["kill_source", "kill_both", "flip_wire", "failing_source", "full_target"]),
    ("segments", ["kill_target", "cut_link", "flip_target_disk"]),
    ("sync", ["kill_target", "cut_link"]),
    ("cycle", ["kill_both"]),
    ("cached", ["kill_source", "kill_both"]),
    ("overflow", ["kill_source", "kill_target", "flip_source_disk"]),
]


@pytest.mark.parametrize(("weather", "kinds"), SHORT, ids=[weather for weather, _ in SHORT])
def test_nothing_acknowledged_is_lost_and_every_image_is_a_prefix(tmp_path, weather, kinds):
    needs("nbdcopy")
    libnbd()
    with Campaign(tmp_path, 11, weather) as campaign:
        for kind in kinds:
            campaign.round(kind)
        assert len(campaign.host.history) > 30 * len(kinds), "there was hardly any load"
        assert campaign.proxy.flips == kinds.count("flip_wire")
        assert campaign.proxy.cuts == kinds.count("cut_link")


def test_every_kind_of_harm_has_its_weather():
    assert {kind for _, _, kinds in WEATHERS.values() for kind in kinds} == set(KINDS)
    assert all(hasattr(Campaign, kind) for kind in KINDS)
