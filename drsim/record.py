"""Results on disk: a directory that exists is complete; its name says everything that could change it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from drsim import __version__
from drsim.whole import move, undisturbed

Columns = Mapping[str, NDArray[Any] | Sequence[str]]

FORMAT = 1  # version of the directory's layout, in every manifest

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your disk quota is used up: free some space",
    errno.EFBIG: "the file would be larger than this system allows",
    errno.EROFS: "that file system is read-only",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "no permission to write there"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a part of that path is a file, not a directory"),
}


class RecordError(Exception):
    """Results could not be written or read.

    Attributes:
        hint: what the user can do about it.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}: {hint}" if hint else message)
        self.message = message
        self.hint = hint


def result_key(
    scenario: Any,
    *,
    overrides: Sequence[str] = (),
    seed: int,
    version: str,
    traces: Mapping[str, str] | None = None,
) -> str:
    """SHA-256 (64 hex digits) of everything that can change a result.

    Args:
        scenario: the normalised scenario as plain data (mappings, lists, strings, numbers).
        overrides: ``PATH=VALUE`` texts in the order given.
        seed: the seed of the run.
        version: drsim's version.
        traces: digest of each trace file by the name it has in the scenario.
    """
    parts = {
        "drsim": version,
        "overrides": list(overrides),
        "scenario": scenario,
        "seed": seed,
        "traces": dict(traces or {}),
    }
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes (hex). Raises RecordError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _explained(f"cannot read {path}", error) from error


def result_dir(root: Path, scenario: str, key: str) -> Path:
    """Where results of this key lie: ``root/<scenario>/<first 12 digits>``."""
    return root / safe_name(scenario) / key[:12]


def safe_name(name: str) -> str:
    """A name as one part of a path: anything but letters, digits, ``-_.~`` and space becomes ``%xx``.

    >>> safe_name("../etc/passwd"), safe_name("three_site")
    ('..%2Fetc%2Fpasswd', 'three_site')
    """
    text = quote(name, safe=" ")
    if text.strip(".") == "":
        text = text.replace(".", "%2E") or "%00"
    if len(text) > 100:
        text = text[:80] + "~" + hashlib.sha256(name.encode()).hexdigest()[:12]
    return text


def to_json(value: Any) -> str:
    """JSON text of a summary: keys in the order given, no NaN, a line break at the end.

    Raises:
        ValueError: a number is NaN or infinite: it would be no JSON.
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a record")


@cache
def versions() -> Mapping[str, str]:
    """Versions of drsim, Python and the packages that shape the results; looked up once a process."""
    packages = ("simpy", "numpy", "scipy", "pyarrow", "pydantic")
    found = {package: metadata.version(package) for package in packages}
    return {"drsim": __version__, "python": platform.python_version(), **found}


@dataclass(frozen=True, slots=True)
class Record:
    """A results directory that has been read.

    Attributes:
        manifest: versions, seed, scenario text, overrides, table names.
    """

    path: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]

    def table(self, name: str) -> dict[str, NDArray[Any]]:
        """One table's columns. Raises RecordError where it is missing or broken."""
        import pyarrow.parquet as pq

        files = self.manifest["tables"]
        if name not in files:
            raise RecordError(f"no table {name!r} in {self.path}", f"it has: {', '.join(files)}")
        try:
            table = pq.read_table(self.path / files[name], partitioning=None)
        except (OSError, ValueError) as error:
            raise RecordError(
                f"cannot read {self.path / files[name]}", f"{error}: run the scenario again"
            ) from error
        return {column: table[column].to_numpy() for column in table.column_names}

    def tables(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Every table by name."""
        return {name: self.table(name) for name in self.manifest["tables"]}


def write(
    directory: Path,
    *,
    summary: Mapping[str, Any],
    tables: Mapping[str, Columns],
    manifest: Mapping[str, Any],
    wall: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> Path:
    """Write a results directory beside its place and move it there whole.

    Args:
        directory: where it shall be (see `result_dir`). If complete results lie there already they are kept.
        summary: goes to ``summary.json``.
        tables: columns by table name, to ``tables/<name>.parquet``.
        manifest: the caller's facts (seed, scenario text, overrides, exit code), to ``manifest.json``, with
            the versions and the table names added.
        wall: facts about this one execution (start, seconds), to ``wall.json``: the rest is reproducible.
        replace: put the new results in the place of old ones.

    Returns:
        ``directory``.

    Raises:
        RecordError: it cannot be written, or something else lies there. Nothing half-written stays behind.
    """
    if directory.exists() and not (directory / "manifest.json").is_file():
        if not directory.is_dir() or any(directory.iterdir()):
            hint = "it was not written by drsim: move it away, or choose another place with -o"
            raise RecordError(f"{directory} is in the way", hint)
    elif directory.exists() and not replace:
        return directory
    with undisturbed():
        _write(directory, summary, tables, manifest, wall or {})
    return directory


def _write(
    directory: Path,
    summary: Mapping[str, Any],
    tables: Mapping[str, Columns],
    manifest: Mapping[str, Any],
    wall: Mapping[str, Any],
) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise _explained(f"cannot write results to {directory.parent}", error) from error
    try:
        _fill(beside, summary, tables, manifest, wall)
        move(beside, directory)
    except OSError as error:
        raise _explained(f"cannot write results to {directory}", error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _fill(
    into: Path,
    summary: Mapping[str, Any],
    tables: Mapping[str, Columns],
    manifest: Mapping[str, Any],
    wall: Mapping[str, Any],
) -> None:
    files = {name: "/".join(["tables", *map(safe_name, name.split("/"))]) + ".parquet" for name in tables}
    for name, columns in tables.items():
        path = into / files[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(path, columns)
    facts = {"format": FORMAT, **manifest, "versions": versions(), "tables": files}
    (into / "summary.json").write_text(to_json(summary), encoding="utf-8")
    (into / "wall.json").write_text(to_json({"platform": sys.platform, **wall}), encoding="utf-8")
    (into / "manifest.json").write_text(to_json(facts), encoding="utf-8")
    os.umask(mask := os.umask(0))
    into.chmod(0o777 & ~mask)


def write_parquet(path: Path, columns: Columns) -> None:
    """Write columns of equal length as Parquet (zstd); the same columns give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _array(column) for name, column in columns.items()})
    pq.write_table(table, path, compression="zstd", compression_level=3, version="2.6")


def _array(column: Any) -> Any:
    """An array of Arrow: numbers or texts from their buffers, for `pyarrow.array` imports pandas
    to see whether a column is one of its."""
    import pyarrow as pa

    buffers: list[Any]
    if isinstance(column, np.ndarray) and column.dtype.kind in "biuf":
        kind = pa.from_numpy_dtype(column.dtype)
        buffers = [np.packbits(column, bitorder="little") if column.dtype == np.bool_ else column.copy()]
    else:
        texts = [str(value).encode() for value in column]
        kind, buffers = pa.string(), [np.cumsum([0, *map(len, texts)], dtype=np.int32), b"".join(texts)]
    return pa.Array.from_buffers(kind, len(column), [None, *map(pa.py_buffer, buffers)])


def read(directory: Path) -> Record:
    """Read a results directory (its tables only when asked for).

    Raises:
        RecordError: there is none, or it is not one of drsim's, or of a newer drsim's.
    """
    try:
        manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecordError(
            f"no results in {directory}", "give a directory that drsim run has written"
        ) from error
    except (OSError, ValueError) as error:
        raise RecordError(f"cannot read the results in {directory}", str(error)) from error
    known = isinstance(manifest, dict) and isinstance(summary, dict)
    if not known or manifest.get("format") != FORMAT or not isinstance(manifest.get("tables"), dict):
        said = f"the results in {directory} have another layout than this drsim reads"
        raise RecordError(said, "run the scenario again")
    return Record(directory, manifest, summary)


def _explained(message: str, error: OSError) -> RecordError:
    hint = _HINTS.get(error.errno or 0, error.strerror or str(error))
    return RecordError(message, f"{hint}, or choose another place with -o" if "write" in message else hint)
