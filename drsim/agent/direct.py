"""Appends to a file past the page cache: a journal is written once and hardly ever read."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from drsim.agent import disk
from drsim.agent.disk import Buffer

_BLOCK = 4096  # what the kernel asks of addresses, offsets and lengths, on any disk that is sold
_PIECE = 2 << 20  # written at once: as much as stays in a processor's cache between two copies
AHEAD = 1 << 20
_ZEROES = memoryview(mmap.mmap(-1, AHEAD))


class Bounce:
    """Memory that is aligned as the kernel wants it, made when it is first needed."""

    def __init__(self) -> None:
        self._view: memoryview | None = None

    @property
    def view(self) -> memoryview:
        """Give all of it."""
        if self._view is None:
            self._view = memoryview(mmap.mmap(-1, _PIECE))
        return self._view


class Direct:
    """The growing end of one file. What is written takes no pages of memory and is not copied to any.

    Whole blocks are written: the last one again by the next append, with what it held before the same bytes as they
    were. Where the file system wants pages (or none of this), appends go through them.

    Args:
        path, fd: the file, and its ordinary descriptor.
        bounce: may be shared by files of which one at a time is appended to.
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
                if self._fd is None:
                    self._fd = os.open(self._path, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
                self._append(self._fd, buffers, start, ahead)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
                self._refused = True
                self.close()
            else:
                return
        disk.append_durably(self._plain, [*buffers, _ZEROES[:ahead]], start)

    def _append(self, fd: int, buffers: Sequence[Buffer], start: int, ahead: int) -> None:
        if self._end != start:
            self._tail = os.pread(self._plain, start % _BLOCK, start - start % _BLOCK)
        view, at, filled = self._bounce.view, start - len(self._tail), len(self._tail)
        view[:filled] = self._tail
        for part in _fitting(buffers, _PIECE - filled):
            if filled + len(part) > _PIECE:
                disk.write_all(fd, view, at)
                at, filled = at + _PIECE, 0
            view[filled : filled + len(part)] = part
            filled += len(part)
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
        self._tail, self._end = bytes(view[filled - filled % _BLOCK : filled]), at + filled

    def forget(self) -> None:
        """Something else has written to the file."""
        self._end = -1

    def close(self) -> None:
        """Close what only this needs; the next append opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


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
