"""Small facts that must survive: one file of named numbers and texts, replaced whole, under a digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

from drsim.agent.disk import replace_file


class MarksDamagedError(Exception):
    """The file of marks is not what was written: nothing may be assumed about this group."""


class Marks:
    """A mapping on disk.

    Args:
        path: of the file; absent means no marks yet.

    Raises:
        MarksDamagedError: the file's digest is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = {}
        if path.exists():
            digest, _, body = path.read_text().partition("\n")
            if xxh3_64_hexdigest(body.encode()) != digest:
                raise MarksDamagedError(f"{path}: the digest is wrong")
            self._values = json.loads(body)

    def get(self, name: str, default: Any = None) -> Any:
        """Give a mark, or ``default``."""
        return self._values.get(name, default)

    def put(self, **values: Any) -> None:
        """Set marks; they are durable on return. Marks that have these values already cost nothing."""
        if all(self._values.get(name, ...) == value for name, value in values.items()):
            return
        self._values.update(values)
        body = json.dumps(self._values, sort_keys=True)
        replace_file(self._path, f"{xxh3_64_hexdigest(body.encode())}\n{body}".encode())
