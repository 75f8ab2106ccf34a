"""Named random streams: draws depend on a stream's name, never on who else draws or how much.

So adding a host, a link or a fault leaves everybody else's draws alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

_BLOCK = 256


def stream(seed: int, *names: str) -> np.random.SeedSequence:
    """The stream of a purpose, named like a path, under a run's seed.

    >>> stream(7, "hosts", "db").spawn_key == stream(7, "hosts", "db").spawn_key != stream(7, "hosts").spawn_key
    True
    """
    digest = sha256("\0".join(names).encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
    return np.random.SeedSequence(seed, spawn_key=words)


def child(seeds: np.random.SeedSequence, *path: str | int) -> np.random.SeedSequence:
    """Give the stream of that name below ``seeds``; unlike ``spawn`` it keeps no count of earlier calls.

    ``path`` parts are words (hashed by CRC-32, so that a new name leaves the others alone) or numbers.
    """
    steps = tuple(zlib.crc32(p.encode()) if isinstance(p, str) else p for p in path)
    return np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, *steps))


def generator(seeds: np.random.SeedSequence, *path: str | int) -> np.random.Generator:
    """Give a generator on the named stream below ``seeds``; about 12 microseconds to make."""
    return np.random.Generator(np.random.SFC64(child(seeds, *path)))


def one_by_one(draw: Callable[[int], NDArray[np.float64]]) -> Iterator[float]:
    """Give draws one at a time, for ever, from blocks of fixed size (``draw``: n -> float64[n])."""
    while True:
        yield from draw(_BLOCK).tolist()
