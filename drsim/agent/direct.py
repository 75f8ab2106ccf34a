"""Appends to a file past the page cache: a journal is written once and hardly ever read."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from drsim.agent import disk
from drsim.agent.disk import Buffer

_BLOCK = 4096  # what the kernel asks of addresses, offsets and lengths, on any disk that is sold
_PIECE = 2 << 20  # written at once: as much as stays in a processor's cache between two copies
AHEAD = 1 << 20
_LARGE = 32 << 10
_ZEROES = memoryview(mmap.mmap(-1, AHEAD))


class Bounce:
    """Pieces of memory that are aligned as the kernel wants it, made when they are first needed and kept."""

    def __init__(self) -> None:
        self._spare: list[memoryview] = []

    def take(self) -> memoryview:
        """Give a piece; whoever has it should `give` it back (any thread may ask)."""
        try:
            return self._spare.pop()
        except IndexError:
            return _aligned()

    def give(self, view: memoryview) -> None:
        """Take a piece back."""
        self._spare.append(view)


def _aligned() -> memoryview:
    """Give a piece in one page of the processor's, where there are such: the disk gets it as one request."""
    whole = mmap.mmap(-1, 2 * _PIECE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without huge pages
        whole.madvise(mmap.MADV_HUGEPAGE)
    at = -np.frombuffer(whole, np.uint8).ctypes.data % _PIECE
    return memoryview(whole)[at : at + _PIECE]


class Direct:
    """The growing end of one file. What is written takes no pages of memory and is not copied to any.

    Whole blocks are written: the last one again by the next append, with what it held before the same bytes as they
    were. Where the file system wants pages (or none of this), appends go through them.

    Args:
        path, fd: the file, and its ordinary descriptor.
        bounce: may be shared by files.
    """

    def __init__(self, path: Path, fd: int, bounce: Bounce) -> None:
        self._path = path
        self._plain = fd
        self._bounce = bounce
        self._fd: int | None = None
        self._refused = False
        self._end = -1  # ``_tail`` is what the block holds before this byte
        self._tail = b""

    def append(self, buffers: Sequence[Buffer], start: int, ahead: int = 0) -> None:
        """Write buffers at ``start`` and up to `AHEAD` zeroes behind them; on return they are on stable media.

        Raises:
            OSError: what lies behind ``start`` is unknown.
        """
        if not self._refused:
            try:
                self._append(self._opened(), buffers, start, ahead)
            except OSError as error:
                self._refuse(error)
            else:
                return
        disk.append_durably(self._plain, [*buffers, _ZEROES[:ahead]], start)

    def open(self) -> None:
        """Open the file past the page cache, if that can be."""
        try:
            self._opened()
        except OSError as error:
            self._refuse(error)

    def _opened(self) -> int:
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        return self._fd

    def _refuse(self, error: OSError) -> None:
        """Do without, if that is what the error says."""
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise error
        self._refused = True
        self.close()

    def _append(self, fd: int, buffers: Sequence[Buffer], start: int, ahead: int) -> None:
        if self._end != start:
            self._tail = os.pread(self._plain, start % _BLOCK, start - start % _BLOCK)
        view = self._bounce.take()
        self._tail = _write(fd, view, [self._tail, *buffers], start - len(self._tail), ahead)
        self._bounce.give(view)
        self._end = start + sum(map(len, buffers))

    @property
    def ready(self) -> bool:
        """Whether `beside` may be asked: the page cache tells only one of two that sync a file of what it lost."""
        return self._fd is not None

    def beside(self, buffers: Sequence[Buffer], start: int) -> None:
        """Write buffers at ``start``, a whole block's, while others write elsewhere; then they are on stable media.

        What is left of the last block is nobody's.

        Raises:
            OSError: what lies between ``start`` and the end of the last block is unknown.
        """
        assert self._fd is not None
        view = self._bounce.take()
        _write(self._fd, view, buffers, start)
        self._bounce.give(view)

    def forget(self) -> None:
        """Something else has written to the file."""
        self._end = -1

    def close(self) -> None:
        """Close what only this needs; the next append opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _write(fd: int, view: memoryview, buffers: Sequence[Buffer], at: int, ahead: int = 0) -> bytes:
    """Write whole blocks from ``at`` on, by way of ``view``; give what the last one holds of the buffers."""
    start, filled = at, sum(map(len, buffers))
    if filled < min(_LARGE, len(view)):
        view[:filled] = b"".join(buffers)
    else:
        at, filled = _poured(fd, view, buffers, at)
    stop = -(-filled // _BLOCK) * _BLOCK
    view[filled:stop] = bytes(stop - filled)
    if at > start:  # one wait for all pieces
        disk.write_all(fd, view[:stop], at)
        os.fdatasync(fd)
    else:
        whole: list[Buffer] = [view[:stop]]
        if ahead >= _BLOCK:
            whole.append(_ZEROES[: ahead // _BLOCK * _BLOCK])
        disk.append_durably(fd, whole, at)
    return bytes(view[filled - filled % _BLOCK : filled])


def _poured(fd: int, view: memoryview, buffers: Sequence[Buffer], at: int) -> tuple[int, int]:
    """Fill ``view``, and write it as often as it is full; give where it belongs in the end, and how far it is full."""
    filled = 0
    for part in _fitting(buffers, _PIECE):
        if filled + len(part) > _PIECE:
            disk.write_all(fd, view, at)
            at, filled = at + _PIECE, 0
        _copy(view[filled : filled + len(part)], part)
        filled += len(part)
    return at, filled


def _copy(to: memoryview, part: Buffer) -> None:
    """Copy bytes; many of them without the interpreter's lock."""
    if len(part) < _LARGE:
        to[:] = part
    else:
        np.copyto(np.frombuffer(to, np.uint8), np.frombuffer(part, np.uint8))


def _fitting(buffers: Sequence[Buffer], room: int) -> Iterator[Buffer]:
    """Give the same bytes in parts that end exactly where ``room``, and every further `_PIECE`, is used up."""
    for buffer in buffers:
        if len(buffer) <= room:
            room -= len(buffer)
            yield buffer
            continue
        rest = memoryview(buffer)
        while len(rest):
            room = room or _PIECE
            yield rest[:room]
            rest, room = rest[room:], max(0, room - len(rest))
