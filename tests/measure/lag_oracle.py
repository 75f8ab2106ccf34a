"""A slow, obvious lag meter in fractions: walks every segment between two events."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction as F  # noqa: N817


@dataclass
class Segment:
    """Between two instants: the lag at both ends (None while exposed) and what is missing."""

    begin: F
    end: F
    lag: tuple[F, F] | None
    nbytes: int
    writes: int


@dataclass
class Story:
    """Writes (acked, bytes, recovered or None), exposures, the end of the window."""

    writes: list[tuple[F, int, F | None]]
    exposures: list[tuple[F, F]]
    end: F
    segments: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        times = {F(0), self.end}
        for acked, _, recovered in self.writes:
            times |= {acked} | ({max(recovered, acked)} if recovered is not None else set())
        for interval in self.exposures:
            times |= set(interval)
        ordered = sorted(t for t in times if t <= self.end)
        for a, b in itertools.pairwise(ordered):
            missing = [w for w in self.writes if w[0] <= a and (w[2] is None or max(w[2], w[0]) > a)]
            exposed = any(x <= a and b <= y for x, y in self.exposures)
            oldest = missing[0][0] if missing else None
            lag = (F(0), F(0)) if oldest is None else (a - oldest, b - oldest)
            self.segments.append(
                Segment(a, b, None if exposed else lag, sum(w[1] for w in missing), len(missing))
            )

    @property
    def peak(self) -> int:
        """Most bytes missing at any instant of the window, its end included."""
        at_end = sum(w[1] for w in self.writes if w[2] is None or max(w[2], w[0]) > self.end)
        return max([at_end, *(s.nbytes for s in self.segments)])

    def beyond(self, rpo: F) -> list[tuple[F, F]]:
        """Maximal intervals of lag beyond ``rpo`` or of exposure; touching ones are one."""
        found: list[tuple[F, F]] = []
        for s in self.segments:
            if s.lag is None:
                piece = (s.begin, s.end)
            elif s.lag[1] > rpo:
                piece = (s.begin + max(F(0), rpo - s.lag[0]), s.end)
            else:
                continue
            if found and found[-1][1] == piece[0]:
                found[-1] = (found[-1][0], piece[1])
            else:
                found.append(piece)
        return found

    def integral_beyond(self, rpo: F) -> F:
        """Integral of (lag - rpo)+ over time where lag is defined."""
        total = F(0)
        for s in self.segments:
            if s.lag is not None and s.lag[1] > rpo:
                low = max(s.lag[0], rpo)
                total += (s.lag[1] - low) * (s.lag[1] + low - 2 * rpo) / 2
        return total

    def seconds_at_most(self, x: F) -> F:
        """Seconds with a defined lag of at most ``x``."""
        total = F(0)
        for s in self.segments:
            if s.lag is None:
                continue
            if s.lag[1] == s.lag[0]:
                total += s.end - s.begin if s.lag[0] <= x else F(0)
            else:
                total += min(max(x - s.lag[0], F(0)), s.lag[1] - s.lag[0])
        return total

    @property
    def defined(self) -> list[Segment]:
        return [s for s in self.segments if s.lag is not None]

    def share_of_time(self, value: str, share: F) -> int:
        """Smallest level (``nbytes`` or ``writes``) not exceeded for this share of the defined time."""
        total = sum((s.end - s.begin for s in self.defined), F(0))
        below = F(0)
        for level, length in sorted((getattr(s, value), s.end - s.begin) for s in self.defined):
            below += length
            if below >= share * total:
                return int(level)
        return 0
