"""Measures a row: the naive program on a piece, drsim on the same piece (the same lags?), drsim on the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drsim.simulation import run
from tests.bench.rows import Row, agree, drawn, rows

ROUNDS = 2


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measure(name: str, row: Row) -> dict[str, Any]:
    """Million writes (deliveries) a second of both, their ratio and the floor."""
    piece, whole = row.world(row.short), row.world(row.long)
    writes = drawn(piece, row.short)
    count = sum(len(each.time) for each in writes.values()) * row.targets
    peer, found = row.peer, None
    if peer is None:
        slowly = run(piece, writes_per_settle=16).summary
        assert run(piece).summary == slowly, f"{name}: settled write by write it gives other numbers"
        slow = cpu(lambda: run(piece, writes_per_settle=16))
    else:
        begin = time.process_time()
        found = peer(writes)
        slow = time.process_time() - begin
        agree(run(piece).summary, found, row.short, name)
    done, best = 0, float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        done = run(whole).summary["writes"] * row.targets
        best = min(best, time.process_time() - begin)
    fast, naive = done / best / 1e6, count / slow / 1e6
    return {"naive_M_per_s": naive, "drsim_M_per_s": fast, "ratio": fast / naive, "floor_M_per_s": row.floor}


def measured(only: list[str], folder: Path, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Measure the rows wanted (all, without names), telling each as it comes."""
    known = rows(folder)
    found = {}
    for name in [each for each in known if not only or each in only]:
        got = found[name] = measure(name, known[name])
        unit = "deliveries/s" if known[name].targets > 1 else "writes/s"
        tell(
            f"{name:9} drsim {got['drsim_M_per_s']:7.2f} M {unit:12} naive {got['naive_M_per_s']:6.3f} M, "
            f"{got['ratio']:5.0f} x; floor {known[name].floor} M"
        )
    return found
