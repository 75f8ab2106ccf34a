"""Frames that were taken off a connection one by one, or many alike at once, joined into trains again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drsim.blocks.batch import WriteBatch, alone, concat
from drsim.blocks.payload import BytesPayload
from drsim.replication import frames as fr
from drsim.replication.wire import ACK, DATA, NUMBERS, RESYNC


class Row(NamedTuple):
    """One frame of a train, its head taken apart; ``mark`` is what it must share with its neighbours."""

    kind: int
    session: int
    mark: int
    seq: int
    previous: int
    time: float
    volume: int
    what: int
    offset: int
    length: int
    tail: memoryview


class Rows(NamedTuple):
    """Alike frames in a row; ``previous`` is the first one's, ``seq`` the last one's."""

    kind: int
    session: int
    mark: int
    seq: int
    previous: int
    batch: WriteBatch


_PARTS = (Row, Rows)


def trains(frames: list[tuple[int, Row | Rows | fr.Frame]]) -> Iterator[tuple[int, fr.Frame]]:
    """Join neighbours that simply continue each other; with each goes the number of its first frame."""
    train: list[Row | Rows] = []
    first = count = 0
    for number, frame in frames:
        if not isinstance(frame, _PARTS):
            if train:
                yield first, _train(train)
                train = []
            yield number, frame
            continue
        if train and not (number == (first + count) % NUMBERS and _together(train[-1], frame)):
            yield first, _train(train)
            train = []
        first, count = (first, count) if train else (number, 0)
        count += len(frame.batch) if isinstance(frame, Rows) else 1
        train.append(frame)
    if train:
        yield first, _train(train)


def _together(a: Row | Rows, b: Row | Rows) -> bool:
    """Say whether ``b`` simply continues ``a``, so that both are one train."""
    if a.kind != b.kind or a.session != b.session or a.mark != b.mark:
        return False
    if a.kind == DATA:
        return b.previous == a.seq
    return a.kind == RESYNC or b.seq > a.seq


def _train(rows: list[Row | Rows]) -> fr.Frame:
    head = rows[0]
    if head.kind == ACK:
        return fr.Ack(head.session, np.array([row.seq for row in rows], np.int64))
    batch = concat(list(_batches(rows)))
    if head.kind == RESYNC:
        return fr.Resync(head.session, head.mark, batch)
    return fr.Data(head.session, batch, head.previous, bool(head.mark))


def _batches(rows: list[Row | Rows]) -> Iterator[WriteBatch]:
    single: list[Row] = []
    for row in rows:
        if isinstance(row, Row):
            single.append(row)
            continue
        if single:
            yield _batch(single)
            single = []
        yield row.batch
    if single:
        yield _batch(single)


def _batch(rows: list[Row]) -> WriteBatch:
    if len(rows) == 1:
        _, _, _, place, _, at, where, kind, begin, nbytes, content = rows[0]
        return alone(place, at, where, begin, nbytes, kind, BytesPayload((content,)))
    _, _, _, seq, _, time, volume, what, offset, length, tails = zip(*rows, strict=True)
    return WriteBatch(
        np.array(seq, np.int64),
        np.array(time, np.float64),
        np.array(volume, np.uint16),
        np.array(offset, np.int64),
        np.array(length, np.int64),
        np.array(what, np.uint8),
        BytesPayload(tails),
    )
