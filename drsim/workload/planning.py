"""Planning: how a link copes with a load, the bandwidth an RPO needs, the RPO a link keeps, the journal.

Shares of time are of the window from the first instant to the moment all has arrived at the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from drsim.workload.columns import Floats, Ints
from drsim.workload.load import Load, Pipe, serve, violation_s

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Coped:
    """How a link coped with a load; seconds and bytes. ``violation_s`` is by RPO."""

    peak_backlog_bytes: float
    peak_backlog_at_s: float
    max_lag_s: float
    mean_delay_s: float
    byte_weighted_mean_delay_s: float
    p99_delay_s: float
    last_finish_s: float
    time_behind_s: float
    violation_s: dict[float, float]


def cope(
    load: Load, rate: float, outages: Sequence[tuple[float, float]] = (), rpos: Sequence[float] = ()
) -> Coped:
    """Pass a load through a link of ``rate`` (payload bytes/s) that is down in ``outages`` (seconds)."""
    peak, at, lag, delays, weighted, behind, last = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    late = dict.fromkeys(rpos, 0.0)
    for piece in serve(load, rate, outages):
        delay = piece.finish - piece.arrive
        top = int(piece.backlog.argmax())
        if piece.backlog[top] > peak:
            peak, at = float(piece.backlog[top]), float(piece.arrive[top])
        lag = max(lag, float(delay.max()))
        delays += float(delay.sum())
        weighted += float(delay @ piece.length)
        behind += float((piece.finish - piece.begin).sum())
        last = float(piece.finish[-1])
        for rpo in rpos:
            late[rpo] += violation_s(piece, rpo)
    number, nbytes = max(len(load), 1), max(load.nbytes, 1)
    p99 = _quantile(load, rate, outages, 0.99) if len(load) else 0.0
    return Coped(peak, at, lag, delays / number, weighted / nbytes, p99, last, behind, late)


def _quantile(load: Load, rate: float, outages: Sequence[tuple[float, float]], share: float) -> float:
    """The delay of the write at ``share`` of all in order of delay (nearest rank), exactly, in two passes."""
    wanted = math.ceil(share * len(load)) - 1
    counts: dict[int, int] = {}
    for piece in serve(load, rate, outages):
        bins, number = np.unique(_bins(piece.finish - piece.arrive), return_counts=True)
        for b, n in zip(bins.tolist(), number.tolist(), strict=True):
            counts[b] = counts.get(b, 0) + n
    below = 0
    for chosen in sorted(counts):
        if below + counts[chosen] > wanted:
            break
        below += counts[chosen]
    inside = []
    for piece in serve(load, rate, outages):
        delay = piece.finish - piece.arrive
        inside.append(delay[_bins(delay) == chosen])
    return float(np.sort(np.concatenate(inside))[wanted - below])


def _bins(delay: Floats) -> Ints:
    """Bins of at most 1/64 of their value: the upper bits of the float itself."""
    return np.maximum(delay, 0.0).view(np.int64) >> 46


def violation_share(load: Load, rate: float, rpo_s: float) -> float:
    """Share of time with a lag above ``rpo_s`` on a link of ``rate`` bytes/s without outages."""
    late, last = 0.0, load.end_s
    for piece in serve(load, rate):
        late += violation_s(piece, rpo_s)
        last = float(piece.finish[-1])
    return late / last if last > 0 else 0.0


def bandwidth_for(load: Load, rpo_s: float, share: float = 1.0) -> float:
    """Least payload rate, bytes/s, that keeps ``rpo_s`` for at least ``share`` of the time.

    By bisection to 9 digits, rounded up: the rate given keeps it. Divide by the efficiency for a nominal
    rate. Raises ValueError for an RPO of 0 or less, which no rate keeps.
    """
    if rpo_s <= 0:
        raise ValueError("an RPO of nothing needs a link without limit")
    if not len(load):
        return 0.0

    def kept(rate: float) -> bool:
        return violation_share(load, rate, rpo_s) <= (1 - share) + (1e-15 if share < 1 else 0.0)

    # The whole load within the RPO needs no more than this.
    return _least(kept, load.nbytes / rpo_s)


def rpo_kept(load: Load, rate: float, share: float = 1.0) -> float:
    """Least RPO, seconds, that a link of ``rate`` bytes/s keeps for at least ``share`` of the time."""
    longest = max((float((p.finish - p.arrive).max()) for p in serve(load, rate)), default=0.0)
    if share >= 1 or longest <= 0:
        return longest

    def kept(rpo: float) -> bool:
        return violation_share(load, rate, rpo) <= 1 - share

    return 0.0 if kept(0.0) else _least(kept, longest)


def _least(good: Callable[[float], bool], high: float) -> float:
    """The least value at which ``good`` (monotone, true at ``high``) holds, to 9 digits, rounded up."""
    while not good(high):
        high *= 1 + 1e-9
    low = high / 2
    while low > 0 and good(low):
        low, high = low / 2, low
        if high < 1e-9:
            return high
    while high - low > _TOLERANCE * high:
        middle = (low + high) / 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def journal_for(load: Load, outage_s: float, rate: float = math.inf) -> float:
    """Bytes of journal that outlive an outage of ``outage_s`` seconds whenever it begins.

    The worst outage ends just after a write: what had piled up when it began, and all written since,
    ``max over t of Q(t - d) + A[t - d, t]`` with Q the backlog on a link of ``rate`` bytes/s (nothing piles
    up on one without limit) and A the bytes written: Reich's formula with the outage placed at will.
    """
    if not len(load):
        return 0.0
    time = load.time
    total = np.concatenate([[0], np.cumsum(load.length)])
    first = np.searchsorted(time, np.asarray(time) - outage_s, side="left")
    written = total[1:] - total[first]
    if math.isinf(rate):
        return float(written.max())
    pipe = Pipe(rate, (), load.end_s + load.nbytes / rate + 1.0)
    done = np.concatenate([np.zeros(1, np.int64), _work_done(load, pipe)])
    start = np.maximum(np.asarray(time) - outage_s, 0.0)
    waiting = np.maximum(done[first] - pipe.work(start), 0) / 2.0**pipe.shift
    return float((waiting + written).max())


def _work_done(load: Load, pipe: Pipe) -> Ints:
    """The work at which each write is through, int64[n]."""
    units = np.asarray(load.length) << pipe.shift
    total = np.cumsum(units)
    lead = np.maximum.accumulate(np.maximum(pipe.work(np.asarray(load.time)) - (total - units), 0))
    done: Ints = lead + total
    return done
