"""The simulator against reality, a short flight; all of them: ``make reality`` and docs/VALIDATION.md."""

import pytest

from tests.agent.pair import libnbd
from tests.reality.compare import compare
from tests.reality.flight import fly
from tests.reality.stories import SHORT
from tests.reality.wan import needed


def test_a_short_flight_with_an_outage_lags_as_simulated(tmp_path):
    """Ten seconds on a busy machine: the bounds are wider than those the long flights keep."""
    needed()
    libnbd()
    flight = fly(SHORT, tmp_path)
    rows, real, model = compare(SHORT, flight, tmp_path)
    found = {row.key: row for row in rows}
    assert len(flight.time) > 800
    assert flight.cuts
    for key, most in {"lag_p95_s": 0.15, "lag_max_s": 0.2, "journal_peak_bytes": 0.2}.items():
        assert found[key].simulated == pytest.approx(found[key].real, rel=most), key
    assert max(real["lag_s"]) > 1.9 < max(model["lag_s"]), "the outage shows in both"
