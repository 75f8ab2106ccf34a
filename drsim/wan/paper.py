"""The white paper's planning arithmetic, exact: link tables, hours to seed, ship disks, bandwidth for an RPO.

The paper's gigabyte is 1024 MB of 10**6 bytes: ``GB/h = Mb/s x 3600 / 8 / 1024``. Everything here uses it, in
fractions, and prints half-even to two places as the paper does. Two of the paper's printed cells are slips
(T1: 0.66 for 0.675 and 0.46 for 0.4725); `printed` gives what it prints, the tables what is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from drsim.wan.types import KINDS, PAPER, LinkType

EFFICIENCY = Fraction(7, 10)
"""The paper's planning margin: 70 % of the nominal rate carries data."""

SHIP_HOURS = 168
"""Beyond a week of copying, the paper says to ship disks."""

CAPACITIES = (20, 80, 120, 200, 300, 730)
"""The paper's columns of the seeding table, its GB."""

GIGABYTE = 1_024_000_000
"""Bytes in the paper's GB."""

_MEGABITS_PER_GB = Fraction(GIGABYTE * 8, 10**6)
_PRINTED_RATES = {
    "T1": ("0.66", "0.46"),
    "10Base-T": ("4.39", "3.08"),
    "DS3": ("18.98", "13.29"),
    "100Base-T": ("43.95", "30.76"),
    "OC3": ("68.12", "47.68"),
    "OC12": ("273.34", "191.34"),
}


def show(value: Fraction, places: int = 2) -> str:
    """Print a number as the paper does: fixed places, halves to even.

    >>> show(Fraction(27, 40)), show(Fraction(189, 400))
    ('0.68', '0.47')
    """
    # A fraction need not end as a decimal: round the exact integer quotient, not a decimal expansion.
    scaled = round(value * 10**places)
    return str(Decimal(scaled).scaleb(-places).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))


def megabits(kind: LinkType) -> Fraction:
    """The nominal rate in Mb/s, exactly."""
    return Fraction(kind.nominal, 10**6)


def gb_per_hour(mbps: Fraction, efficiency: Fraction = Fraction(1)) -> Fraction:
    """What a link moves in an hour, in the paper's GB."""
    return efficiency * mbps * 3600 / _MEGABITS_PER_GB


def hours_to_seed(
    gb: Fraction, mbps: Fraction, efficiency: Fraction = EFFICIENCY, change_per_hour: Fraction = Fraction(0)
) -> Fraction | None:
    """Hours until the first full copy is complete.

    Args:
        gb: capacity, the paper's GB.
        mbps: nominal rate, Mb/s.
        efficiency: share of the rate that carries data.
        change_per_hour: data that changes meanwhile and has to be sent as well, GB/h.

    Returns:
        Hours; None where the changes alone fill the link, so that it never ends.
    """
    spare = gb_per_hour(mbps, efficiency) - change_per_hour
    return gb / spare if spare > 0 else None


def ship_disks(hours: Fraction | None) -> bool:
    """Tell whether the paper would ship disks: beyond 168 hours, or never."""
    return hours is None or hours > SHIP_HOURS


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One row of ``drsim links``: rates in Mb/s, throughput in the paper's GB/h."""

    name: str
    nominal: Fraction
    line: Fraction
    payload: Fraction
    theoretical: Fraction
    usable: Fraction
    printed: tuple[str, str] | None

    @property
    def slips(self) -> tuple[str, ...]:
        """The paper's printed cells of this row that are wrong, as 'printed for right'."""
        right = (show(self.theoretical), show(self.usable))
        return tuple(f"{p} for {r}" for p, r in zip(self.printed or right, right, strict=True) if p != r)


def link_table(efficiency: Fraction = EFFICIENCY, names: Iterable[str] | None = None) -> list[LinkRow]:
    """Give the paper's first table for the chosen types: its own six, then all others."""
    chosen = list(names) if names is not None else [*PAPER, *(n for n in KINDS if n not in PAPER)]
    return [_link_row(KINDS[name], efficiency) for name in chosen]


def _link_row(kind: LinkType, efficiency: Fraction) -> LinkRow:
    rate = megabits(kind)
    printed = _PRINTED_RATES.get(kind.name) if efficiency == EFFICIENCY else None
    return LinkRow(
        kind.name,
        rate,
        Fraction(kind.line, 10**6),
        Fraction(kind.payload, 10**6),
        gb_per_hour(rate),
        gb_per_hour(rate, efficiency),
        printed,
    )


@dataclass(frozen=True, slots=True)
class SeedCell:
    """One cell of ``drsim seed-time``: hours (None: never ends), and the courier's side of it."""

    name: str
    gb: Fraction
    hours: Fraction | None
    courier_hours: Fraction | None
    break_even_day: Fraction | None

    @property
    def text(self) -> str:
        """The cell as the paper prints it."""
        return "never" if self.hours is None else show(self.hours)

    @property
    def ship(self) -> bool:
        """Whether to ship disks."""
        return ship_disks(self.hours)


def seed_table(
    capacities: Iterable[Fraction | int] = CAPACITIES,
    names: Iterable[str] = PAPER,
    efficiency: Fraction = EFFICIENCY,
    transit_hours: Fraction = Fraction(48),
    change_per_hour: Fraction = Fraction(0),
) -> list[SeedCell]:
    """Give the paper's second table, row by row, with the courier's break-even."""
    sizes = [Fraction(gb) for gb in capacities]
    return [
        seed_cell(name, gb, megabits(KINDS[name]), efficiency, transit_hours, change_per_hour)
        for name in names
        for gb in sizes
    ]


def seed_cell(
    name: str,
    gb: Fraction,
    mbps: Fraction,
    efficiency: Fraction = EFFICIENCY,
    transit_hours: Fraction = Fraction(48),
    change_per_hour: Fraction = Fraction(0),
) -> SeedCell:
    """Give one cell for any capacity (GB) and any nominal rate (Mb/s)."""
    hours = hours_to_seed(gb, mbps, efficiency, change_per_hour)
    courier = courier_hours(mbps, transit_hours, efficiency, change_per_hour)
    return SeedCell(name, gb, hours, courier, break_even_day(hours, courier))


def courier_hours(
    mbps: Fraction,
    transit_hours: Fraction,
    efficiency: Fraction = EFFICIENCY,
    change_per_hour: Fraction = Fraction(0),
) -> Fraction | None:
    """Hours until disks in a van make a copy: the transit (writing and reading the disks included), and then
    sending what changed meanwhile. None where the changes fill the link, so that nobody ever catches up.
    """
    spare = gb_per_hour(mbps, efficiency) - change_per_hour
    return transit_hours * (1 + change_per_hour / spare) if spare > 0 else None


def break_even_day(hours: Fraction | None, courier: Fraction | None) -> Fraction | None:
    """Give the last day after the copy over the link began on which disks handed over finish first.

    0 or less: the link is at least as fast and shipping never pays. None: one of the two never ends.
    """
    return None if hours is None or courier is None else (hours - courier) / 24


def break_even_gb(mbps: Fraction, transit_hours: Fraction, efficiency: Fraction = EFFICIENCY) -> Fraction:
    """Capacity (GB) above which a courier of this transit time beats the link."""
    return gb_per_hour(mbps, efficiency) * transit_hours


def needed_mbps(gb: Fraction, window_hours: Fraction, efficiency: Fraction = EFFICIENCY) -> Fraction:
    """Nominal rate that moves ``gb`` within a replication latency window.

    >>> show(needed_mbps(Fraction(20), Fraction(24)))
    '2.71'
    """
    return gb * _MEGABITS_PER_GB / (3600 * window_hours * efficiency)


def needed_mbps_for_rpo(
    gb: Fraction, writing_hours: Fraction, rpo_hours: Fraction, efficiency: Fraction = EFFICIENCY
) -> Fraction:
    """Nominal rate that keeps an RPO when ``gb`` a day is written evenly over ``writing_hours`` of it.

    In a first-in first-out link the lag is largest when the day's last write is delivered: it is
    ``gb / usable - writing_hours``. So the day's data must pass within ``writing_hours + rpo``, and
    in any case within the day, before the next one's begins.
    """
    return needed_mbps(gb, min(writing_hours + rpo_hours, Fraction(24)), efficiency)
