"""TCP laws: what windows, loss, several streams, slow start and retransmission back-off leave of a link.

Rates are stream bytes/s, times seconds, windows bytes, unless a docstring says segments.
Sources: Mathis et al. 1997; Padhye et al. 1998 and RFC 5348; RFC 8312 §5.2 and tables 1-2 (CUBIC against
Reno and HighSpeed TCP, RFC 3649); RFC 6298 and the Linux sources for the retransmission timer; Cardwell
et al. 2016 for BBR.
"""

from __future__ import annotations

import math
from collections.abc import Callable

LEAST_RTO = 0.2
"""Seconds a retransmission timer adds to the smoothed round trip at least (Linux ``tcp_rto_min``)."""

LARGEST_RTO = 120.0
"""Seconds beyond which back-off grows no more (Linux ``TCP_RTO_MAX``)."""

SHORTEST_RTT = 1e-9
"""Seconds below which a path counts as having no round trip."""

FIRST_WINDOW = 10
"""Segments a fresh or long idle connection may send at once (RFC 6928)."""

BBR_TOLERANCE = 0.2
"""Loss that BBR's 1.25 probing gain can outrun: ``1 - 1 / 1.25``."""

STANDING_QUEUE = {"cubic": 0.075, "reno": 0.075, "bbr": 0.03}
"""Seconds of queue a busy sender keeps at a bottleneck with 50 ms of buffer, fitted to measured silences.

Loss-driven senders fill the buffer, BBR keeps to about the path's product. It enters the first timeout only.
"""


def product(rate: float, rtt: float) -> float:
    """Bytes in flight that fill a link: bandwidth x delay."""
    return rate * rtt


def window_limit(window: float, rtt: float) -> float:
    """At most one window a round trip; no limit without a round trip."""
    return window / rtt if rtt > 0 else math.inf


def mathis(mss: int, rtt: float, loss: float, constant: float = math.sqrt(1.5)) -> float:
    """Mathis et al.: ``mss / rtt x C / sqrt(p)``, C = sqrt(3/2) with one acknowledgement a segment."""
    return mss / rtt * constant / math.sqrt(loss)


def pftk(mss: int, rtt: float, loss: float, timeout: float | None = None) -> float:
    """TCP throughput equation of RFC 5348 §3.1 (b = 1; timeout = 4 RTT unless given)."""
    timeout = 4 * rtt if timeout is None else timeout
    fast = rtt * math.sqrt(2 * loss / 3)
    slow = timeout * 3 * math.sqrt(3 * loss / 8) * loss * (1 + 32 * loss**2)
    return mss / (fast + slow)


def pftk_delayed(mss: int, rtt: float, loss: float, timeout: float | None = None, acked: int = 2) -> float:
    """Padhye et al. equation 30: delayed acknowledgements (b = 2) and a timeout probability of at most 1."""
    timeout = 4 * rtt if timeout is None else timeout
    fast = rtt * math.sqrt(2 * acked * loss / 3)
    slow = timeout * min(1.0, 3 * math.sqrt(3 * acked * loss / 8)) * loss * (1 + 32 * loss**2)
    return mss / (fast + slow)


def reno_window(loss: float) -> float:
    """Mean window of standard TCP, segments: ``1.2 / sqrt(p)``."""
    return 1.2 / math.sqrt(loss)


def highspeed_window(loss: float) -> float:
    """Mean window of HighSpeed TCP (RFC 3649), segments, never below standard TCP's."""
    return max(reno_window(loss), 0.12 / math.pow(loss, 0.835))


def cubic_window(loss: float, rtt: float, constant: float = 0.4) -> float:
    """Mean window of CUBIC, segments (RFC 8312 equation 6, beta = 0.7), never below standard TCP's."""
    return max(reno_window(loss), math.pow(constant * 3.7 / 1.2, 0.25) * math.pow(rtt / loss, 0.75))


def _reno(mss: int, rtt: float, loss: float, rate: float) -> float:
    del rate
    return pftk(mss, rtt, loss)


def _cubic(mss: int, rtt: float, loss: float, rate: float) -> float:
    """CUBIC's window, less what PFTK says timeouts take of standard TCP at this loss."""
    del rate
    timeouts = pftk(mss, rtt, loss) / pftk(mss, rtt, loss, timeout=0.0)
    return cubic_window(loss, rtt) * mss / rtt * timeouts


def _bbr(mss: int, rtt: float, loss: float, rate: float) -> float:
    """The whole link less what is lost, until loss outruns the probing gain; then loss rules it as well."""
    through = rate * (1 - loss)
    return through if loss <= BBR_TOLERANCE else min(through, pftk(mss, rtt, loss))


RESPONSES: dict[str, Callable[[int, float, float, float], float]] = {
    "reno": _reno,
    "cubic": _cubic,
    "bbr": _bbr,
}
"""Congestion control -> response function (mss, rtt, loss, link's stream rate) -> one stream's bytes/s."""


def limit(
    rate: float, mss: int, rtt: float, *, window: float, loss: float, streams: int, congestion: str
) -> float:
    """Stream bytes/s of ``streams`` connections together on a link that could carry ``rate``.

    Each is limited by its window and by its response to loss; together they cannot exceed the link.
    Without a round trip (less than a nanosecond) neither can limit, and loss only costs its share.
    """
    if rtt < SHORTEST_RTT:
        return rate * (1 - loss)
    each = window_limit(window, rtt)
    if loss > 0:
        each = min(each, RESPONSES[congestion](mss, rtt, loss, rate))
    return min(rate * (1 - loss), streams * each)


def slow_start(
    rate: float, rtt: float, mss: int, streams: int = 1, first: int = FIRST_WINDOW
) -> list[tuple[float, float]]:
    """How a fresh connection, or one idle for longer than its timeout, comes up to ``rate``.

    The window starts at ``first`` segments and doubles every round trip.

    Returns:
        (seconds after the start, bytes/s) steps, the last one at ``rate``.
    """
    if rtt < SHORTEST_RTT or rate <= 0:
        return [(0.0, rate)]
    steps: list[tuple[float, float]] = []
    window = float(streams * first * mss)
    while window < rate * rtt:
        steps.append((len(steps) * rtt, window / rtt))
        window *= 2
    return [*steps, (len(steps) * rtt, rate)]


def slow_start_loss(rate: float, rtt: float, mss: int, streams: int = 1) -> float:
    """Seconds a transfer that follows an idle time loses to slow start, once the rate is reached."""
    steps = slow_start(rate, rtt, mss, streams)
    return sum(rtt * (1 - slower / rate) for _, slower in steps[:-1]) if rate > 0 else 0.0


def first_timeout(rtt: float, congestion: str) -> float:
    """Retransmission timeout of a busy connection, seconds: round trip + standing queue + 200 ms.

    Linux: smoothed round trip + max(200 ms, 4 x deviation). Measured silences after outages of 2 to 20 s
    on a 10 Mb/s bottleneck with 50 ms of buffer fit 0.27-0.33 s (CUBIC) and 0.22-0.235 s (BBR).
    """
    return rtt + STANDING_QUEUE[congestion] + LEAST_RTO


def silence(outage: float, timeout: float) -> float:
    """Seconds from a link's repair to the first retransmission that passes it.

    Retransmissions leave at 1, 3, 7, 15 … timeouts after the cut (RFC 6298 §5.5: doubling), later every
    `LARGEST_RTO`; the first at or after the repair ends the silence.
    """
    at, wait = timeout, timeout
    while at < outage:
        wait = min(2 * wait, LARGEST_RTO)
        at += wait
    return at - outage


def silence_with_reconnect(outage: float, timeout: float, every: float, rtt: float) -> float:
    """The same when the application gives the connection up and tries a fresh one each ``every`` seconds.

    The fresh connection needs its handshake (one round trip) and owes nothing to the old one's timer.
    """
    attempts = max(1, math.ceil(outage / every))
    return min(silence(outage, timeout), attempts * every - outage + rtt)
