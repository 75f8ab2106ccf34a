"""Files as disks: images with holes, and small files that are replaced whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

_KEEP_SIZE, _PUNCH_HOLE, _ZERO_RANGE = 1, 2, 16
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_ZEROES = bytes(1 << 20)

Buffer = bytes | bytearray | memoryview


class Image(Protocol):
    """Bytes at offsets: a volume, or the image of one at an earlier moment."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly ``length`` bytes."""

    def write(self, offset: int, data: Buffer) -> None:
        """Write all of ``data``."""

    def punch(self, offset: int, length: int) -> None:
        """Free the range; it reads as zeroes afterwards."""

    def zero(self, offset: int, length: int) -> None:
        """Make the range read as zeroes."""

    def sync(self) -> None:
        """Return when everything written so far is on stable media."""

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, bool]]:
        """Give runs of (bytes, allocated) that cover the range."""


class FileImage:
    """A sparse file of fixed size.

    A file that exists must already have the size: an agent never grows or shrinks what may hold data.
    """

    def __init__(self, path: Path, size: int, *, create: bool = False) -> None:
        self.path = path
        self.size = size
        flags = os.O_RDWR | os.O_CLOEXEC
        if create and not path.exists():
            flags |= os.O_CREAT | os.O_EXCL
        self.fd = os.open(path, flags, 0o600)
        found = os.fstat(self.fd).st_size
        if flags & os.O_CREAT:
            os.ftruncate(self.fd, size)
            os.fsync(self.fd)
            sync_directory(path.parent)
        elif found != size:
            os.close(self.fd)
            raise OSError(errno.EINVAL, f"has {found} bytes, not {size}", str(path))

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly ``length`` bytes; a file that ends early is an error, never zeroes."""
        data = os.pread(self.fd, length, offset)
        while len(data) < length:
            more = os.pread(self.fd, length - len(data), offset + len(data))
            if not more:
                raise OSError(errno.EIO, "the file ends before the volume does", str(self.path))
            data += more
        return data

    def write(self, offset: int, data: Buffer) -> None:
        """Write all of ``data``."""
        if os.pwrite(self.fd, data, offset) < len(data):
            write_all(self.fd, data, offset)

    def punch(self, offset: int, length: int) -> None:
        """Free the range; where the file system cannot, write zeroes."""
        self._fallocate(_PUNCH_HOLE | _KEEP_SIZE, offset, length)

    def zero(self, offset: int, length: int) -> None:
        """Make the range read as zeroes and keep its space."""
        self._fallocate(_ZERO_RANGE | _KEEP_SIZE, offset, length)

    def _fallocate(self, mode: int, offset: int, length: int) -> None:
        if not length or not _libc.fallocate(self.fd, mode, offset, length):
            return
        code = ctypes.get_errno()
        if code not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(self.path))
        for at in range(offset, offset + length, len(_ZEROES)):
            self.write(at, memoryview(_ZEROES)[: min(len(_ZEROES), offset + length - at)])

    def sync(self) -> None:
        """Return when everything written so far is on stable media."""
        os.fdatasync(self.fd)

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, bool]]:
        """Give runs of (bytes, allocated) that cover the range, by asking the file system for its holes."""
        at, end = offset, offset + length
        while at < end:
            data = self._seek(at, os.SEEK_DATA, end)
            if data > at:
                yield data - at, False
            if data < end:
                hole = self._seek(data, os.SEEK_HOLE, end)
                yield hole - data, True
                data = hole
            at = data

    def _seek(self, at: int, whence: int, end: int) -> int:
        try:
            return min(os.lseek(self.fd, at, whence), end)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no data after ``at``
                return end
            raise

    def close(self) -> None:
        """Close the file; what was not synced may still be on its way."""
        os.close(self.fd)

    def __enter__(self) -> FileImage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_all(fd: int, data: Buffer, offset: int) -> None:
    """Write every byte at ``offset``: the kernel may take fewer at once."""
    done = os.pwrite(fd, data, offset)
    if done < len(data):
        rest = memoryview(data)
        while done < len(rest):
            done += os.pwrite(fd, rest[done:], offset + done)


def sync_directory(path: Path) -> None:
    """Make creations, renames and removals in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in place of a small file so that a crash leaves the old one or the new one, whole."""
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, content, 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    sync_directory(path.parent)


_IOV_MAX = 1024


def append_durably(fd: int, buffers: list[Buffer], offset: int) -> None:
    """Write buffers one after another at ``offset``; return when they, and the size, are on stable media.

    One call to the kernel does both, so that the thread that waits gives up the interpreter only once.
    """
    for begin in range(0, len(buffers), _IOV_MAX):
        part = buffers[begin : begin + _IOV_MAX]
        wanted = sum(map(len, part))
        done = os.pwritev(fd, part, offset, os.RWF_DSYNC)
        if done < wanted:
            write_all(fd, memoryview(b"".join(part))[done:], offset + done)
            os.fdatasync(fd)
        offset += wanted
