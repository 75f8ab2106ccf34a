"""A fluid server that steps from event to event in exact fractions: the oracle of every discipline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction

Rates = Callable[[Fraction, list[int]], dict[int, Fraction]] | list[float]


class NaiveServer:
    """Items one by one; ``rates(capacity, busy classes)`` says how the capacity is shared.

    Without it the oldest item goes first; a list of allowances in its place means earliest deadline first.
    """

    def __init__(self, steps: Sequence[tuple[float, float]], rates: Rates | None, classes: int) -> None:
        self.steps = [(Fraction(at), Fraction(rate)) for at, rate in steps]
        self.rates = rates
        self.classes = classes

    def run(self, items: Sequence[tuple[float, int, int]], end: float = 1e9) -> list[Fraction | None]:
        """Finish instants of ``(ready, class, bytes)`` in order of ready; None for what never finishes."""
        arrivals = deque((Fraction(a), k, Fraction(s), i) for i, (a, k, s) in enumerate(items))
        queues: list[deque[list]] = [deque() for _ in range(self.classes)]
        finish: list[Fraction | None] = [None] * len(items)
        steps = deque(self.steps)
        now, capacity, limit = steps[0][0], Fraction(0), Fraction(end)
        while now < limit:
            while steps and steps[0][0] <= now:
                capacity = steps.popleft()[1]
            while arrivals and arrivals[0][0] <= now:
                _, klass, size, index = arrivals.popleft()
                queues[klass].append([size, index, items[index][0]])
            shares = self._shares(capacity, queues)
            instants = [now + queues[k][0][0] / rate for k, rate in shares.items() if rate > 0]
            instants += [source[0][0] for source in (steps, arrivals) if source]
            if not instants:
                break
            then = min(*instants, limit)
            for klass, rate in shares.items():
                head = queues[klass][0]
                head[0] -= rate * (then - now)
                if head[0] == 0:
                    finish[head[1]] = then
                    queues[klass].popleft()
            now = then
        return finish

    def _shares(self, capacity: Fraction, queues: list[deque[list]]) -> dict[int, Fraction]:
        busy = [k for k in range(self.classes) if queues[k]]
        if not busy:
            return {}
        if self.rates is None:
            return {min(busy, key=lambda k: queues[k][0][1]): capacity}
        if isinstance(self.rates, list):
            allowances = self.rates
            return {min(busy, key=lambda k: queues[k][0][2] + allowances[k]): capacity}
        return self.rates(capacity, busy)
