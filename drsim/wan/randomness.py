"""Named random streams of the network: draws depend on their name, never on who else draws or how much."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

_BLOCK = 256


def generator(seeds: np.random.SeedSequence, *path: str) -> np.random.Generator:
    """Give a generator on the stream of that name (words, hashed by CRC-32) below ``seeds``."""
    steps = tuple(zlib.crc32(word.encode()) for word in path)
    child = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, *steps))
    return np.random.Generator(np.random.SFC64(child))


def one_by_one(draw: Callable[[int], NDArray[np.float64]]) -> Iterator[float]:
    """Give draws one at a time, for ever, from blocks of fixed size (``draw``: n -> float64[n])."""
    while True:
        yield from draw(_BLOCK).tolist()
