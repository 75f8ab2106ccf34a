"""A first-in first-out server in the work domain: exact finish times for whole batches, resumable.

With C(t) the cumulative capacity and S the cumulative work, item i finishes at work
``W_i = max(W_{i-1}, C(a_i)) + s_i`` (Lindley 1952, after the time change x = C(t)), so
``W = S + maximum.accumulate(C(a) - S_before)``. All sums are of integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drsim.wan.capacity import Capacity, Floats, Ints


@dataclass(slots=True)
class Fifo:
    """The state a FIFO server carries from batch to batch: the work at which it falls idle."""

    capacity: Capacity
    free_at: int = 0

    def serve(self, ready: Floats, nbytes: Ints) -> tuple[Floats, Ints]:
        """Serve items in order.

        Args:
            ready: float64[n], seconds, when each item may start (it also waits for those before it).
            nbytes: int64[n], the work of each, bytes.

        Returns:
            float64[n] finish instants (inf if never), int64[n] finish work (units).
        """
        finish = self.finish_work(self.capacity.work(ready), self.capacity.units(nbytes))
        return self.capacity.when(finish), finish

    def finish_work(self, arrival: Ints, units: Ints) -> Ints:
        """Work-domain body of `serve`: arrivals and sizes in units; updates the state."""
        if len(units) == 0:
            return units
        total = np.cumsum(units)
        begin = arrival - (total - units)
        begin[0] = max(int(begin[0]), self.free_at)
        np.maximum.accumulate(begin, out=begin)
        finish: Ints = begin + total
        self.free_at = int(finish[-1])
        return finish
