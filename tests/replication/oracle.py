"""The source's image after every write, kept naively: what every claim of the engine is held against."""

import numpy as np

from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload


def blank(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Give zeroed volumes."""
    return [np.zeros(size, np.uint8) for size in sizes]


def copy(image: list[np.ndarray]) -> list[np.ndarray]:
    """Give an independent equal image."""
    return [v.copy() for v in image]


def apply(image: list[np.ndarray], batch: WriteBatch) -> None:
    """Carry out the batch on the image, row by row."""
    for i in range(len(batch)):
        start, stop = int(batch.offset[i]), int(batch.offset[i] + batch.length[i])
        volume = image[int(batch.volume[i])]
        if batch.kind[i] == Kind.WRITE:
            volume[start:stop] = np.frombuffer(batch.payload.of(i), np.uint8)
        else:
            volume[start:stop] = 0


def row(
    seq: int, time: float, volume: int, offset: int, length: int, kind: int, content: bytes
) -> WriteBatch:
    """Give a batch of one write."""
    return WriteBatch(
        np.array([seq]),
        np.array([time]),
        np.array([volume], np.uint16),
        np.array([offset]),
        np.array([length]),
        np.array([kind], np.uint8),
        BytesPayload([content]),
    )


class History:
    """Images after writes 0..n, by seq."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.images = [blank(sizes)]
        self.writes: list[WriteBatch] = []

    @property
    def last(self) -> int:
        return len(self.writes)

    def add(self, batch: WriteBatch) -> None:
        for i in range(len(batch)):
            image = copy(self.images[-1])
            apply(image, batch.slice(i, i + 1))
            self.images.append(image)
            self.writes.append(batch.slice(i, i + 1))

    def after(self, seq: int) -> list[np.ndarray]:
        return self.images[seq]


def equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
