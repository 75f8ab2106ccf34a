"""The white paper's tables, cell by cell, and the planning answers around them."""

import csv
from fractions import Fraction

import numpy as np
import pytest

from drsim.wan import paper, types
from drsim.wan.capacity import capacity
from drsim.wan.fifo import FifoServer


def _cells(shared):
    with (shared / "truth/seed_tables.csv").open() as file:
        return list(csv.DictReader(file))


def _value(cell, name):
    row = paper.link_table(names=[name])[0]
    by_name = {
        "nominal_Mbps": row.nominal,
        "theoretical_GB_per_h": row.theoretical,
        "usable_GB_per_h": row.usable,
    }
    if cell in by_name:
        return by_name[cell]
    gb = Fraction(cell.removeprefix("hours_").removesuffix("GB"))
    return paper.hours_to_seed(gb, row.nominal)


def test_every_cell_is_the_exact_fraction_and_prints_as_the_paper(shared):
    cells = _cells(shared)
    assert len(cells) == 54
    slips = []
    for cell in cells:
        name = types.find(cell["link"]).name
        value = _value(cell["cell"], name)
        if cell["exact"]:
            assert value == Fraction(cell["exact"])
        if cell["cell"] == "nominal_Mbps":
            assert value == Fraction(cell["printed"])
            continue
        assert paper.show(value) == cell["computed"]
        if cell["computed"] != cell["printed"]:
            slips.append((name, cell["printed"], cell["computed"]))
    assert slips == [("T1", "0.66", "0.68"), ("T1", "0.46", "0.47")]


def test_the_table_shows_both_slips_and_no_other():
    rows = paper.link_table()
    assert [row.name for row in rows[:6]] == list(types.PAPER)
    assert len(rows) == len(types.KINDS)
    assert {row.name: row.slips for row in rows if row.slips} == {"T1": ("0.66 for 0.68", "0.46 for 0.47")}
    assert not any(row.slips for row in paper.link_table(Fraction(1, 2)))


def test_halves_go_to_even():
    assert [paper.show(Fraction(n, 200)) for n in (1, 3, 5)] == ["0.00", "0.02", "0.02"]
    assert paper.show(Fraction(5, 2), 0) == "2"


def test_ship_disks_beyond_a_week():
    table = {(cell.name, int(cell.gb)): cell for cell in paper.seed_table()}
    assert [key for key, cell in table.items() if cell.ship] == [
        *[("T1", gb) for gb in (80, 120, 200, 300, 730)],
        ("10Base-T", 730),
    ]
    assert not paper.ship_disks(Fraction(168))
    assert table["T1", 730].text == "1544.97"


def test_break_even_of_a_courier():
    cell = paper.seed_cell("T1", Fraction(730), Fraction("1.536"), transit_hours=Fraction(48))
    assert cell.break_even_day == (Fraction(292000, 189) - 48) / 24
    assert paper.break_even_day(Fraction(40), Fraction(48)) < 0
    size = paper.break_even_gb(Fraction(10), Fraction(48))
    assert paper.hours_to_seed(size, Fraction(10)) == 48


def test_changes_meanwhile_slow_both_the_copy_and_the_courier():
    rate, change = Fraction("1.536"), Fraction(1, 10)
    spare = Fraction(189, 400) - change
    assert paper.hours_to_seed(Fraction(20), rate, change_per_hour=change) == 20 / spare
    assert paper.courier_hours(rate, Fraction(48), change_per_hour=change) == 48 + 48 * change / spare
    never = paper.seed_cell("T1", Fraction(20), rate, change_per_hour=Fraction(1))
    assert (never.text, never.ship, never.break_even_day) == ("never", True, None)


def test_twenty_gigabytes_a_day():
    day = Fraction(24)
    assert paper.show(paper.needed_mbps(Fraction(20), day, Fraction(1))) == "1.90"
    assert paper.show(paper.needed_mbps(Fraction(20), day)) == "2.71"
    assert paper.needed_mbps_for_rpo(Fraction(20), Fraction(9), day) == paper.needed_mbps(Fraction(20), day)


@pytest.mark.parametrize("rpo_hours", [Fraction(1, 4), Fraction(1), Fraction(4), Fraction(15)])
def test_bandwidth_for_an_rpo_is_what_a_link_needs(rpo_hours):
    """8:00-17:00 evenly written, through a real FIFO: the largest delay equals the RPO."""
    nbytes, n = 20 * paper.GIGABYTE, 20_000
    mbps = paper.needed_mbps_for_rpo(Fraction(20), Fraction(9), rpo_hours)
    server = FifoServer(capacity([(0.0, float(mbps * 10**6 / 8 * paper.EFFICIENCY))], 2e5))
    ready = (np.arange(n) + 1) * (9 * 3600 / n)
    server.offer(0, ready, np.full(n, nbytes // n))
    ((_, finish),) = server.advance(1e6)
    assert (finish - ready).max() == pytest.approx(float(rpo_hours) * 3600, abs=9 * 3600 / n * 1.5)
