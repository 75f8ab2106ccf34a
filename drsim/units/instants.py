"""How well spans of time are known: differences of instants, which are floats."""

from __future__ import annotations

SAME_S = 1e-8
"""Seconds. An instant of a year is a double of 4 ns; spans closer than this are one span, and meet one objective."""


def at_most(span_s: float, bound_s: float) -> bool:
    """Whether a span of time, the difference of two instants, is no longer than a bound (both in seconds)."""
    return span_s <= bound_s + SAME_S
