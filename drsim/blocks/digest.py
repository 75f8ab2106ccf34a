"""Digests of extents' content, to find out what differs without sending it."""

from __future__ import annotations

import numpy as np
import xxhash
from numpy.typing import NDArray

from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload

EMPTY = 0
"""Digest of an extent that is all zeros (a trim or a zero)."""


def digests(batch: WriteBatch) -> NDArray[np.uint64]:
    """Give a 64-bit digest (XXH3) of each row's content: uint64[n].

    A simulated batch has no content: its digests say nothing, and `comparable` says so.
    """
    if not comparable(batch):
        return np.zeros(len(batch), np.uint64)
    zero = batch.kind != Kind.WRITE
    found = [EMPTY if zero[i] else _digest(batch.payload.of(i)) for i in range(len(batch))]
    return np.array(found, np.uint64)


def comparable(batch: WriteBatch) -> bool:
    """Say whether the batch has content at all."""
    return isinstance(batch.payload, BytesPayload)


def _digest(content: bytes) -> int:
    return xxhash.xxh3_64_intdigest(content) if any(content) else EMPTY
