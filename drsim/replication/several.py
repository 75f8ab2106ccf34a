"""Frames of writes that lie one behind another, taken off a connection together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints, Kind, WriteBatch, once, repeated
from drsim.blocks.payload import BytesPayload, Strip
from drsim.replication.rows import Rows
from drsim.replication.wire import (
    CRC_AT,
    DATA,
    DATA_BODY,
    FIXED,
    FOLDED,
    HEAD_OF_DATA,
    NUMBER_AT,
    PREFIX,
    checksums,
    checksums_begun,
)

FEW = 16
"""Frames that cost less one by one."""
_MOST = 4096
_HEAD = HEAD_OF_DATA.itemsize
_WRITE = int(Kind.WRITE)
_KIND_AT, _SIZE_AT = (PREFIX.fields[name][1] for name in ("type", "size"))  # type: ignore[index]
_SIZE, _NUMBER, _SEQ, _PREVIOUS, _LENGTH = 1, 4, slice(6, 8), slice(8, 10), 15  # words of a head of data
_WHOLE = (1 << 32) - 1
_SAME, _STEP, _KNOWN = np.full(
    (3, _HEAD // 4), _WHOLE, np.uint32
)  # what is known of a frame by the one before it
_SAME[5:12] = _SAME[13:15] = 0  # nothing of checksum, place, time and offset
_STEP[:] = 0
_STEP[_NUMBER] = 1
_KNOWN[:] = _SAME
_KNOWN[[_SIZE, _NUMBER, 12, _LENGTH]] = 0, 0, 0xFFFF0000, 0  # nor of size and volume


def taken(view: memoryview, at: int, largest: int, number: int) -> tuple[Rows | None, int, int]:
    """Take the frames from ``at`` on that carry plain writes and continue each other.

    Args:
        largest: bytes of the largest frame that may be taken. number: of the first.

    Returns:
        The frames, None if there are few, or anything is not as it should be: one by one, they say what; how many
        they are, or are known to be writes; and where those that were taken end.
    """
    size = FIXED.unpack_from(view, at)[3]
    count = min((len(view) - at) // size, _MOST)
    if count >= FEW and view[at : at + 8] == view[at + (FEW - 1) * size : at + (FEW - 1) * size + 8]:
        even = at + size * np.arange(count + 1)
        if (rows := _checked(view, even, size, number)) is not None:
            return rows, len(rows.batch), int(even[len(rows.batch)])
    found = [at]
    _walk(view, found, largest, FEW)
    if len(found) <= FEW:
        return None, len(found) - 1, at
    _walk(view, found, largest, _MOST)
    if (rows := _checked(view, np.array(found), 0, number)) is None:
        return None, FEW, at
    return rows, len(rows.batch), found[len(rows.batch)]


def _walk(view: memoryview, found: list[int], largest: int, most: int) -> None:
    """Go from the last place that was found from frame to frame, as long as they are whole and of data."""
    at, end = found[-1], len(view)
    while len(found) <= most and end - at >= _HEAD and view[at + _KIND_AT] == DATA:
        size = int.from_bytes(view[at + _SIZE_AT : at + _SIZE_AT + 4], "little")
        if not _HEAD <= size <= largest or at + size > end:
            return
        at += size
        found.append(at)


def _checked(view: memoryview, places: Ints, size: int, expected: int) -> Rows | None:
    """Take frames that begin and end at ``places``, as far as they continue each other.

    Args:
        size: of all of them, bytes; 0 if they have several. expected: the number of the first.
    """
    at = int(places[0])
    _, _, _, first, session, number = FIXED.unpack_from(view, at)
    _, previous, _, volume, what, flags, _, nbytes = DATA_BODY.unpack_from(view, at + PREFIX.itemsize)
    if number != expected or what != _WRITE or flags & ~FOLDED or not nbytes or nbytes != first - _HEAD:
        return None
    words = _words(view, places, size)
    head = words[: _in_a_row(words, size)].view(HEAD_OF_DATA).ravel()
    count = len(head)
    seq, time, offset = head["seq"].astype(np.int64), head["time"].copy(), head["offset"].astype(np.int64)
    ordered = previous < seq[0] and (seq[1:] > seq[:-1]).all()
    if count < FEW or not ordered or (offset >> 62).any() or not np.isfinite(time).all():
        return None
    places = places[: count + 1]
    length = repeated(np.int64(nbytes), count) if size else once(head["length"].astype(np.int64))
    if not length.all() or not _sound(view, head, places, size):
        return None
    batch = WriteBatch(
        seq,
        time,
        repeated(np.uint16(volume), count) if size else once(head["volume"].copy()),
        offset,
        length,
        repeated(np.uint8(what), count),
        _contents(view, places, size),
    )
    return Rows(DATA, session, flags, batch.last, previous, batch)


def _contents(view: memoryview, places: Ints, size: int) -> BytesPayload:
    """Give what frames carry, where it lies."""
    if size:
        return BytesPayload.laid([Strip(view, int(places[0]) + _HEAD, size, size - _HEAD, len(places) - 1)])
    return BytesPayload([view[begin + _HEAD : end] for begin, end in pairwise(places.tolist())])


def _words(view: memoryview, places: Ints, size: int) -> NDArray[np.uint32]:
    """Give the heads of frames as words: uint32[n, 17]."""
    if size:
        return np.ndarray((len(places) - 1, _HEAD // 4), "<u4", view, int(places[0]), (size, 4)).copy()
    flat = np.frombuffer(view, np.uint8)
    words: NDArray[np.uint32] = flat[places[:-1, np.newaxis] + np.arange(_HEAD)].view("<u4")
    return words


def _in_a_row(words: NDArray[np.uint32], size: int) -> int:
    """Say how many frames from the first on continue each other, by their heads; of one size, also of one volume."""
    before, after = words[:-1], words[1:]
    if size:
        follow = (after - before) & _SAME == _STEP
    else:
        follow = (after ^ before) & _KNOWN == 0
        follow[:, _NUMBER] = after[:, _NUMBER] - before[:, _NUMBER] == 1
        follow[:, _SIZE] = after[:, _SIZE] == after[:, _LENGTH] + _HEAD
    follow[:, _PREVIOUS] = after[:, _PREVIOUS] == before[:, _SEQ]
    return len(words) if follow.all() else int(follow.all(axis=1).argmin()) + 1


def _sound(view: memoryview, head: NDArray[Any], places: Ints, size: int) -> bool:
    """Say whether all checksums are right."""
    at = int(places[0])
    if size:
        begun = checksums_begun(bytes(view[at : at + NUMBER_AT]), head["number"])
        found = checksums(begun, np.ndarray((len(head), size), np.uint8, view, at))
    else:
        flat = np.frombuffer(view, np.uint8)
        spans = list(pairwise(places.tolist()))
        begun = [google_crc32c.value(bytes(view[begin : begin + CRC_AT])) for begin, _ in spans]
        found = list(
            map(google_crc32c.extend, begun, [flat[begin + CRC_AT + 4 : end] for begin, end in spans])
        )
    wanted: list[int] = head["crc"].tolist()
    return found == wanted
