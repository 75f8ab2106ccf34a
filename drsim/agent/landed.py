"""What has landed durably on a target's volumes, as events: writes of the order that follow each other as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drsim.blocks.batch import Ints
from drsim.replication.events import BlocksWritten


def landed(done: Sequence[tuple[int, Ints]], now: float, *, apart: bool = False) -> list[BlocksWritten]:
    """Give the events of batches, (ticket, seq) each, that are durable since ``now``.

    Args:
        apart: one event a batch, for an engine that waits for the very next.
    """
    runs: list[tuple[int, list[Ints]]] = []
    for ticket, seq in done:
        if runs and not apart and 0 < runs[-1][1][-1][-1] < seq[0]:  # rows of a copy have no place: 0
            runs[-1] = ticket, runs[-1][1]
            runs[-1][1].append(seq)
        else:
            runs.append((ticket, [seq]))
    joined = [(ticket, np.concatenate(seqs)) for ticket, seqs in runs]
    return [BlocksWritten(ticket, seq, np.full(len(seq), now)) for ticket, seq in joined]
