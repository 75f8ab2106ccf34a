"""Periodic replication by snapshots: every period's distinct blocks, one period after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drsim.workload.columns import Ints


@dataclass(frozen=True)
class Periodic:
    """How periodic replication does; ``age`` is the time since the snapshot of the newest complete image.

    Observed from the first image's completion to the last one's.
    """

    batches: int
    bytes_sent: int
    max_batch_bytes: int
    max_transfer_s: float
    max_age_s: float
    mean_age_s: float
    observed_s: float
    violation_s: dict[float, float]


def periodic(blocks: Ints, period_s: float, rate: float, grain: int, rpos: Sequence[float] = ()) -> Periodic:
    """Send every period's distinct blocks.

    Args:
        blocks: int64[k], distinct blocks of each period (`drsim.workload.lastseen.Uniques`).
        period_s: seconds from one snapshot to the next; the first is taken at the end of the first period.
        rate: payload bytes/s.
        grain: bytes a block.
        rpos: seconds, objectives for the age.
    """
    nbytes = blocks * grain
    taken = np.arange(1, len(blocks) + 1) * period_s
    send = nbytes / rate
    total = np.cumsum(send)
    done = np.maximum.accumulate(taken - (total - send)) + total
    # From one completion to the next the age grows from (done - taken) by as much as passes.
    young, old = (done - taken)[:-1], done[1:] - taken[:-1]
    observed = float(done[-1] - done[0])
    area = float(((old**2 - young**2) / 2).sum())
    late = {rpo: float(np.maximum(old - np.maximum(young, rpo), 0).sum()) for rpo in rpos}
    return Periodic(
        len(blocks),
        int(nbytes.sum()),
        int(nbytes.max()),
        float(send.max()),
        float(old.max(initial=0.0)),
        area / observed if observed else 0.0,
        observed,
        late,
    )
