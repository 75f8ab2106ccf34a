"""Folding: keep of each block only the last write in a stretch of the order that travels as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import NO_PAYLOAD, Ints, Kind, WriteBatch, concat, empty, narrow, repeated
from drsim.blocks.compiled import Loop, compiled

BLOCK = 4096


def fold(batch: WriteBatch, block: int = BLOCK) -> WriteBatch:
    """Drop what later writes of the batch overwrite; the image after the last write is unchanged.

    A write goes when each of its blocks is wholly covered by one later write; a write whose first or last
    blocks are covered is cut to what is left. Rows stay in order, each with its own seq.

    Args:
        batch: writes in order.
        block: bytes, the unit in which coverage is judged.

    Returns:
        A batch with at most as many rows. O(n log n) in block pieces.
    """
    if len(batch) < 2:
        return batch
    return _fold(batch, block, _grain(batch))


def _fold(batch: WriteBatch, block: int, grain: int) -> WriteBatch:
    # The largest block that every write is aligned to: fewer pieces, same answer.
    block = max(block, grain)
    if block == grain and bool((narrow(batch.length) == block).all()):
        alive = _last_of(_name(batch.volume, batch.offset // block))
        return batch if alive.all() else batch.take(np.flatnonzero(alive))
    first = batch.offset // block
    last = (batch.stop - 1) // block
    if bool((first == last).all()):
        alive = _alive(batch, first, batch.offset - first * block, batch.length, block)
        return batch if alive.all() else batch.take(np.flatnonzero(alive))
    return _fold_wide(batch, first, last, block)


def _grain(batch: WriteBatch) -> int:
    """Give the largest power of two that every offset and every length is a multiple of."""
    bits = int(np.bitwise_or.reduce(batch.offset)) | int(np.bitwise_or.reduce(narrow(batch.length)))
    return bits & -bits


def changed_blocks(parts: Sequence[WriteBatch], block: int = BLOCK) -> WriteBatch:
    """Join, fold, and let whole blocks travel: what a copy of changed blocks sends.

    A simulated write is widened to the blocks it touches. One that carries bytes is left as it is: real volumes
    are written in whole blocks, so there is nothing to widen.
    """
    newest = _newest(parts, block) if parts else empty()
    if newest is not None:
        return newest
    batch = concat(parts)
    grain = _grain(batch)
    if batch.payload is NO_PAYLOAD and grain % block:
        start = batch.offset // block * block
        stop = -(-batch.stop // block) * block
        batch = WriteBatch(batch.seq, batch.time, batch.volume, start, stop - start, batch.kind)
        grain = _grain(batch)
    return _fold(batch, block, grain) if len(batch) > 1 else batch


def _newest(parts: Sequence[WriteBatch], block: int) -> WriteBatch | None:
    """Fold writes of one block of one volume each, without bytes; None: they are others, or no loops are compiled.

    They are joined when it is known which of them stay.
    """
    loops, size = [loop.worth(0) for loop in (name_blocks, mark_last, keep)], int(parts[0].length[0])
    if (
        None in loops
        or size % block
        or size & (size - 1)
        or not all(_alike(part, parts[0]) for part in parts)
    ):
        return None
    named, marked, kept = cast("list[Loop]", loops)
    rows = sum(map(len, parts))
    shift, bits = size.bit_length() - 1, max(1, (rows - 1).bit_length())
    packed, found, at, every = np.empty(rows, np.int64), np.zeros(rows, np.bool_), 0, 0
    for part in parts:
        every |= named(np.ascontiguousarray(part.offset), shift, bits, at, packed)
        at += len(part)
    if every % size or every >> shift >= 1 << (62 - bits):
        return None
    packed.sort()
    count = marked(packed, bits, found)
    if count == rows:
        return concat(parts)
    table, at, done = np.empty((3, count), np.int64), 0, 0
    for part in parts:
        columns = (np.ascontiguousarray(each) for each in (part.seq, part.time.view(np.int64), part.offset))
        at = kept(tuple(columns), found[done : done + len(part)], at, table)
        done += len(part)
    volume, length, kind = (
        repeated(each[0], count) for each in (parts[0].volume, parts[0].length, parts[0].kind)
    )
    return WriteBatch(table[0], table[1].view(np.float64), volume, table[2], length, kind)


def _alike(batch: WriteBatch, first: WriteBatch) -> bool:
    """Whether all writes of a batch have size, volume and kind of the ``first`` of another, and carry nothing."""
    columns = (batch.length, first.length), (batch.volume, first.volume), (batch.kind, first.kind)
    return batch.payload is NO_PAYLOAD and all((narrow(mine) == its[0]).all() for mine, its in columns)


def _fold_wide(batch: WriteBatch, first: Ints, last: Ints, block: int) -> WriteBatch:
    count = last - first + 1
    begin = np.cumsum(count) - count
    row = np.repeat(np.arange(len(batch)), count)
    number = np.arange(len(row)) - np.repeat(begin - first, count)
    aligned = not int(np.bitwise_or.reduce(batch.offset | batch.length)) % block
    if aligned:
        alive = _last_of(_name(batch.volume if not batch.volume.any() else batch.volume[row], number))
    else:
        alive = _alive_pieces(batch, row, number, block)
    where = np.flatnonzero(alive)
    owner = row[where]
    heads = np.flatnonzero(np.diff(owner, prepend=-1))
    kept = owner[heads]
    low, high = where[heads], where[np.append(heads[1:], len(where)) - 1]
    start = np.maximum(batch.offset[kept], number[low] * block)
    stop = np.minimum(batch.stop[kept], (number[high] + 1) * block)
    if len(kept) == len(batch) and int((stop - start).sum()) == int(batch.length.sum()):
        return batch
    return _cut(batch, kept, start, stop)


def _alive_pieces(batch: WriteBatch, row: Ints, number: Ints, block: int) -> NDArray[np.bool_]:
    low = np.maximum(batch.offset[row], number * block)
    high = np.minimum(batch.stop[row], (number + 1) * block)
    pieces = WriteBatch(batch.seq[row], batch.time[row], batch.volume[row], low, high - low, batch.kind[row])
    return _alive(pieces, number, low - number * block, high - low, block)


def _cut(batch: WriteBatch, rows: Ints, start: Ints, stop: Ints) -> WriteBatch:
    skip, length = start - batch.offset[rows], stop - start
    real = batch.kind[rows] == Kind.WRITE
    payload = batch.payload.cut(rows, np.where(real, skip, 0), np.where(real, length, 0))
    return WriteBatch(
        batch.seq[rows], batch.time[rows], batch.volume[rows], start, length, batch.kind[rows], payload
    )


def _alive(pieces: WriteBatch, number: Ints, inside: Ints, length: Ints, block: int) -> NDArray[np.bool_]:
    """Say of each piece (all within one block) whether no later piece covers it: bool[m].

    Exact for pieces that cover a whole block or equal ranges; a piece covered by a merely larger
    partial one is kept, which costs bytes and never truth.
    """
    whole = length == block
    dead = np.zeros(len(pieces), np.bool_)
    if whole.all():
        return _last_of(_name(pieces.volume, number))
    latest = _last_index(_name(pieces.volume, number), np.flatnonzero(whole))
    dead |= np.arange(len(pieces)) < latest
    span = _name(pieces.volume, (number * block + inside) * (block + 1) + length)
    dead |= ~_last_of(span)
    return ~dead


def _name(volume: NDArray[np.uint16], number: Ints) -> Ints:
    """Give one integer for (volume, number): dense enough to be packed with a row index."""
    if not narrow(volume).any():
        return number
    return number + volume.astype(np.int64) * (int(number.max()) + 1)


def _last_of(key: Ints) -> NDArray[np.bool_]:
    """Say of each row whether it is the last with its key: bool[n]."""
    n = len(key)
    bits = max(1, (n - 1).bit_length())
    found = np.zeros(n, np.bool_)
    if int(key.max()) < 1 << (62 - bits):
        # Key and row index in one integer: a plain sort, several times faster than a stable argsort.
        numbered, marked = pack.worth(n), mark_last.worth(0)
        if numbered is not None and marked is not None:
            packed = np.empty(n, np.int64)
            numbered(key, bits, packed)
            packed.sort()
            marked(packed, bits, found)
            return found
        packed = key << bits
        packed |= np.arange(n)
        packed.sort()
        edge = np.ones(n, np.bool_)
        np.greater_equal(packed[1:] ^ packed[:-1], 1 << bits, out=edge[:-1])
        packed &= (1 << bits) - 1
        found[packed] = edge
        return found
    _, place = np.unique(key[::-1], return_index=True)
    found[n - 1 - place] = True
    return found


@compiled("void(i8[::1], i8, i8[::1])")
def pack(key: Ints, bits: int, packed: Ints) -> None:
    """Put each key and its row, in its lowest ``bits``, into one integer."""
    for row in range(len(key)):
        packed[row] = key[row] << bits | row


@compiled("i8(Array(int64, 1, 'C', readonly=True), i8, i8, i8, i8[::1])")
def name_blocks(offset: Ints, shift: int, bits: int, at: int, packed: Ints) -> int:
    """Put each write's block and its row, from ``at`` on, into one integer, as `pack`; give all offsets, or'ed."""
    every = 0
    for row in range(len(offset)):
        every |= offset[row]
        packed[at + row] = offset[row] >> shift << bits | (at + row)
    return every


@compiled("i8(i8[::1], i8, b1[::1])")
def mark_last(packed: Ints, bits: int, found: NDArray[np.bool_]) -> int:
    """Say in ``found`` of each row whether it is the last with its key, from `pack`'s, sorted; give how many are."""
    rows, count = (1 << bits) - 1, 1
    for place in range(len(packed) - 1):
        last = packed[place] >> bits != packed[place + 1] >> bits
        found[np.uint64(packed[place] & rows)] = last
        count += last
    found[packed[-1] & rows] = True
    return count


@compiled("i8(UniTuple(Array(int64, 1, 'C', readonly=True), 3), b1[::1], i8, i8[:, ::1])")
def keep(columns: tuple[Ints, Ints, Ints], found: NDArray[np.bool_], at: int, table: Ints) -> int:
    """Put the rows that were ``found`` into a table, from ``at`` on; give where it ends now."""
    one, two, three = columns
    for row in range(len(found)):
        if at == table.shape[1]:
            break
        place = np.uint64(at)
        table[0, place], table[1, place], table[2, place] = one[row], two[row], three[row]
        at += found[row]
    return at


def _last_index(key: Ints, rows: Ints) -> Ints:
    """Give for each row the last index among ``rows`` with the same key, or -1: int64[n]."""
    names, inverse = np.unique(key, return_inverse=True)
    latest = np.full(len(names), -1, np.int64)
    np.maximum.at(latest, inverse[rows], rows)
    result: Ints = latest[inverse]
    return result
