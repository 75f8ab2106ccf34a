"""fio's iolog: version 3 has microseconds before each action, version 2 has waits between them."""

from __future__ import annotations

from typing import ClassVar

from drsim.workload.traces.delimited import Delimited, Layout
from drsim.workload.traces.lines import LineReader, Lines, Row, whole
from drsim.workload.traces.records import Op

_FILE_ACTIONS = ("add", "open", "close")
_OPS = {
    "read": Op.READ,
    "write": Op.WRITE,
    "trim": Op.TRIM,
    **dict.fromkeys(("sync", "datasync", "sync_file_range", "wait"), Op.OTHER),
}


class FioV3(Delimited):
    """``us file action offset length``; microseconds since the job's start, as fio 3.33 writes them."""

    NAME = "fio-v3"
    OWN_ZERO = True
    LAYOUT: ClassVar[Layout] = Layout(
        ("time", "device", "op", "offset", "length"), " ", "fio version 3 iolog", ops=_OPS
    )

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"fio version 3 iolog")

    def _row(self, line: bytes) -> tuple[int, str, int, int, int]:
        words = line.split()
        if len(words) == 3 and words[2].decode("ascii", "replace") in _FILE_ACTIONS:
            return whole(words[0].decode()) * 1000, words[1].decode("utf-8", "replace"), int(Op.OTHER), 0, 0
        return super()._row(line)


class FioV2(Lines):
    """``file action offset length``; ``wait`` gives the next action's time in milliseconds since the start.

    The manual calls a wait relative and in microseconds; fio 3.33 replays it as written here (measured), and
    so does drsim. Actions without a wait between them come at one instant.
    """

    NAME = "fio-v2"
    OWN_ZERO = True

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"fio version 2 iolog")

    def reader(self, first_piece: bytes) -> LineReader:  # noqa: ARG002
        return _V2()


class _V2(LineReader):
    def __init__(self) -> None:
        self._now = 0

    def row(self, text: str) -> Row | None:
        words = text.split()
        if text == "fio version 2 iolog" or (len(words) == 2 and words[1] in _FILE_ACTIONS):
            return None
        if len(words) not in (3, 4) or words[1] not in _OPS:
            raise ValueError("neither an action nor a wait")
        if words[1] == "wait":
            self._now = whole(words[2]) * 1_000_000
            return None
        if len(words) != 4:
            raise ValueError("no length")
        return self._now, words[0], _OPS[words[1]], whole(words[2]), whole(words[3])
