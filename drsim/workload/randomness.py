"""Named random streams: draws depend on their name and place, never on who else draws or how much."""

from __future__ import annotations

import zlib

import numpy as np


def child(seeds: np.random.SeedSequence, *path: str | int) -> np.random.SeedSequence:
    """Give the stream of that name below ``seeds``; unlike ``spawn`` it keeps no count of earlier calls.

    ``path`` parts are words (hashed by CRC-32, so that a new name leaves the others alone) or numbers.
    """
    steps = tuple(zlib.crc32(p.encode()) if isinstance(p, str) else p for p in path)
    return np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, *steps))


def generator(seeds: np.random.SeedSequence, *path: str | int) -> np.random.Generator:
    """Give a generator on the named stream below ``seeds``; about 12 microseconds to make."""
    return np.random.Generator(np.random.SFC64(child(seeds, *path)))
