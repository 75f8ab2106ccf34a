"""Named random streams: each purpose draws from its own, so adding one leaves every other alone."""

from __future__ import annotations

from hashlib import sha256

from numpy.random import SeedSequence


def stream(seed: int, *names: str) -> SeedSequence:
    """The stream of a purpose, named like a path, under the run's seed.

    >>> stream(7, "hosts", "db").spawn_key == stream(7, "hosts", "db").spawn_key != stream(7, "hosts").spawn_key
    True
    """
    digest = sha256("\0".join(names).encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
    return SeedSequence(seed, spawn_key=words)
