"""What an NBD server serves: the interface of an export, one request, and a plain file as an export."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from drsim.agent.disk import Image
from drsim.agent.nbd.protocol import Command, CommandFlag
from drsim.blocks.payload import Strip


class Request:
    """One request of a peer, valid for its export: within its size, aligned to its minimum block.

    Attributes:
        command: a `Command`, never DISCONNECT.
        flags: the `CommandFlag` bits.
        offset, length: bytes.
        data: what to write (for WRITE); it stays valid for as long as anyone holds it.
        reply: call it once, from the loop's thread: with an errno (0 for success) and what was read.
    """

    __slots__ = ("command", "cookie", "data", "flags", "length", "offset", "reply")

    def __init__(
        self,
        command: int,
        flags: int,
        cookie: int,
        offset: int,
        length: int,
        data: memoryview,
        reply: Reply,
    ) -> None:
        self.command = command
        self.flags = flags
        self.cookie = cookie
        self.offset = offset
        self.length = length
        self.data = data
        self.reply = reply


class Writes:
    """Plain writes of one length that arrived together, in order; whole blocks within the export.

    Attributes:
        offsets: bytes, one a write.
        length: bytes of each.
        contents: what to write, of each; valid for as long as anyone holds it.
        cookies: what the peer calls them, 8 bytes each.
        reply: call it once, from the loop's thread, or once for each of its parts.
    """

    __slots__ = ("contents", "cookies", "length", "offsets", "reply")
    command = int(Command.WRITE)
    flags = 0

    def __init__(
        self,
        offsets: Sequence[int],
        length: int,
        contents: Strip,
        cookies: Sequence[bytes],
        reply: Reply,
    ) -> None:
        self.offsets = offsets
        self.length = length
        self.contents = contents
        self.cookies = cookies
        self.reply = reply

    def __len__(self) -> int:
        return len(self.offsets)

    def parted(self, count: int) -> tuple[Writes, Writes]:
        """Give the first ``count`` and the others; from now on each is answered by itself."""
        return self._between(0, count), self._between(count, len(self))

    def _between(self, start: int, stop: int) -> Writes:
        offsets, cookies = self.offsets[start:stop], self.cookies[start:stop]
        return Writes(offsets, self.length, self.contents.slice(start, stop), cookies, self.reply)


Asked = Request | Writes


class Reply(Protocol):
    """How an export answers a request, or several writes at once."""

    def __call__(self, request: Any, error: int = 0, data: bytes | Extents = b"") -> None:
        """Answer ``request``; ``data`` is what was read, or the extents of a block status."""


# Runs of (length, whether allocated), in order, from the offset that was asked.
Extents = list[tuple[int, bool]]


class Export(Protocol):
    """A volume, or an image of one, as hosts see it."""

    name: str
    size: int
    description: str
    read_only: bool
    minimum_block: int

    def handle(self, requests: Sequence[Asked]) -> None:
        """Take requests that arrived together, in order; answer each in its own time."""

    def write(self, writes: Writes) -> bool:
        """Carry out writes if they can be answered at once; say whether they were, all of them."""

    def write_one(self, offset: int, content: memoryview) -> bool:
        """Do as `write` does for one write of whole blocks."""

    def alone(self, writes: Writes) -> None:
        """Take one write that `write_one` did not, and beside which nothing was asked; answer it in its own time."""


class FileExport:
    """An image in a file, without replication: what rehearsals export, and the yardstick of speed."""

    minimum_block = 1

    def __init__(self, name: str, image: Image, *, read_only: bool = True, description: str = "") -> None:
        self.name = name
        self.size = image.size
        self.image = image
        self.read_only = read_only
        self.description = description
        self._verbs = verbs(image)

    def handle(self, requests: Sequence[Asked]) -> None:
        """Serve each request at once: the page cache is the only wait there is."""
        for request in requests:
            if isinstance(request, Writes):
                self._write(request)
            else:
                serve(self._verbs, request)

    def write(self, writes: Writes) -> bool:
        """Write to the image; what it refuses is for `handle` to report."""
        try:
            for offset, content in zip(writes.offsets, writes.contents.chunks(), strict=True):
                self.image.write(offset, content)
        except OSError:
            return False
        return True

    def write_one(self, offset: int, content: memoryview) -> bool:
        """Write to the image; what it refuses is for `alone` to report."""
        try:
            self.image.write(offset, content)
        except OSError:
            return False
        return True

    def alone(self, writes: Writes) -> None:
        """Serve it."""
        self._write(writes)

    def _write(self, writes: Writes) -> None:
        done = 0
        try:
            for offset, content in zip(writes.offsets, writes.contents.chunks(), strict=True):
                self.image.write(offset, content)
                done += 1
        except OSError as error:
            written, failed = writes.parted(done)
            if done:
                written.reply(written)
            failed.reply(failed, error.errno or errno.EIO)
        else:
            writes.reply(writes)


Verb = Callable[[Request], "bytes | Extents"]


def serve(table: dict[int, Verb], request: Request) -> None:
    """Carry out one request by its verb and answer it; errors of the disk become errors of the protocol."""
    try:
        answer = table[request.command](request)
    except OSError as error:
        request.reply(request, error.errno or errno.EIO)
    else:
        request.reply(request, 0, answer)


def verbs(image: Image) -> dict[int, Verb]:
    """Give what each command does to a plain image."""

    def write(request: Request) -> bytes:
        image.write(request.offset, request.data)
        return after(request)

    def trim(request: Request) -> bytes:
        image.punch(request.offset, request.length)
        return after(request)

    def zero(request: Request) -> bytes:
        image.zero(request.offset, request.length)
        return after(request)

    def flush(_: Request) -> bytes:
        image.sync()
        return b""

    def after(request: Request) -> bytes:
        if request.flags & CommandFlag.FUA:
            image.sync()
        return b""

    return {
        **reading_verbs(image),
        Command.WRITE: write,
        Command.TRIM: trim,
        Command.WRITE_ZEROES: zero,
        Command.FLUSH: flush,
    }


def reading_verbs(image: Image) -> dict[int, Verb]:
    """Give the commands that change nothing."""

    def read(request: Request) -> bytes:
        return image.read(request.offset, request.length)

    def status(request: Request) -> Extents:
        return limited(image.extents(request.offset, request.length), request)

    return {Command.READ: read, Command.BLOCK_STATUS: status, Command.FLUSH: lambda _: b""}


def limited(extents: Iterable[tuple[int, bool]], request: Request, most: int = 4096) -> Extents:
    """Give at most ``most`` extents (one, if the request says so): the protocol lets a server stop early."""
    wanted = 1 if request.flags & CommandFlag.REQ_ONE else most
    found: Extents = []
    for extent in extents:
        found.append(extent)
        if len(found) == wanted:
            break
    return found
