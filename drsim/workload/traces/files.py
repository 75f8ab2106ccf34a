"""Opening traces: plain, gzip or zstd by their first bytes, in pieces that end at a line's end."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from drsim.workload.traces.report import TraceError

PIECE = 8 << 20
_HEAD = 1 << 16
_LONGEST = 32 << 20
_BROKEN = (EOFError, OSError, zlib.error, pa.ArrowException)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading, decompressed; raises TraceError if it cannot be opened."""
    try:
        raw = path.open("rb", buffering=0)
    except OSError as error:
        raise TraceError(path, f"cannot be opened: {error.strerror or error}") from None
    with raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        elif magic == b"\x28\xb5\x2f\xfd":
            # Arrow's reader says so when a frame is cut off; zstandard's own ends without a word.
            with pa.CompressedInputStream(pa.PythonFile(raw), "zstd") as unpacked:
                yield unpacked
        else:
            yield raw


def head(path: Path) -> bytes:
    """Give the first bytes of a file, decompressed."""
    with opened(path) as file:
        return _read(path, file, _HEAD, 0)


def pieces(path: Path, size: int = PIECE) -> Iterator[bytes]:
    """Give the whole file in pieces of at most ``size`` bytes; raises TraceError where it is cut off."""
    with opened(path) as file:
        done = 0
        while piece := _read(path, file, size, done):
            done += len(piece)
            yield piece


def line_pieces(path: Path, size: int = PIECE) -> Iterator[tuple[bytes, int, int]]:
    """Give (lines, number of the first one, from 1, how many), each piece ending with a newline."""
    line = 1
    for text in texts(path, size):
        lines = text if text.endswith(b"\n") else text + b"\n"
        count = lines.count(b"\n")
        yield lines, line, count
        line += count


def texts(path: Path, size: int = PIECE) -> Iterator[bytes]:
    """Give the whole file in pieces of whole lines, of about ``size`` bytes.

    Each piece ends with a newline, except the last one of a file that does not. Raises TraceError where the
    file is cut off within its compression, or a line is longer than any record.
    """
    with opened(path) as file:
        plain = isinstance(file, FileIO)
        rest, done = b"", 0
        while piece := _read(path, file, size, done + len(rest)):
            cut = piece.rfind(b"\n") + 1
            if not cut:
                rest += piece
                if len(rest) > max(4 * size, _LONGEST):
                    problem = f"has a line of more than {len(rest) >> 20} MiB"
                    raise TraceError(path, problem, f"byte {done} unpacked", "is it binary?")
                continue
            yield rest + piece[:cut] if rest else piece[:cut]
            done += len(rest) + cut
            if plain:
                # Reading the begun line again is cheaper than joining every piece to what was left.
                file.seek(done)
                rest = b""
            else:
                rest = piece[cut:]
        if rest:
            yield rest


def _read(path: Path, file: IO[bytes], size: int, done: int) -> bytes:
    parts, wanted = [], size
    try:
        while wanted and (part := file.read(wanted)):
            parts.append(part)
            wanted -= len(part)
    except _BROKEN as error:
        raise TraceError(path, f"is cut off or damaged: {error}", f"byte {done} unpacked") from None
    return b"".join(parts)
