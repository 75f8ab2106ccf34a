"""All trace formats, and which one a file is in."""

from __future__ import annotations

import glob
from pathlib import Path

from drsim.workload.spelling import unknown
from drsim.workload.traces.blkparse import Blkparse
from drsim.workload.traces.blktrace import Blktrace
from drsim.workload.traces.counters import Diskstats, Iostat, Perfmon, Sar
from drsim.workload.traces.csv_kinds import Alibaba, Canonical, Cydonia, DiskSim, MsrCambridge, Spc, Tencent
from drsim.workload.traces.files import head
from drsim.workload.traces.fio import FioV2, FioV3
from drsim.workload.traces.parquet import Parquet
from drsim.workload.traces.records import TraceFormat
from drsim.workload.traces.report import TraceError
from drsim.workload.traces.vscsi import VscsiV1, VscsiV2

# Those that say what they are come before those that can only be guessed from their columns.
_ALL: tuple[type[TraceFormat], ...] = (
    Parquet,
    Blktrace,
    FioV3,
    FioV2,
    Perfmon,
    Sar,
    Iostat,
    Diskstats,
    Canonical,
    MsrCambridge,
    Alibaba,
    Tencent,
    Blkparse,
    Spc,
    Cydonia,
    DiskSim,
    VscsiV1,
    VscsiV2,
)
KINDS: dict[str, type[TraceFormat]] = {kind.NAME: kind for kind in _ALL}


def find(folder: Path, name: str) -> list[Path]:
    """Give the files of one trace: a path, or a pattern such as ``sda.blktrace.*`` whose files are merged.

    Raises TraceError where there is none.
    """
    path = folder / name
    if path.is_file():
        return [path]
    found = sorted(Path(p) for p in glob.glob(str(path)) if Path(p).is_file())  # noqa: PTH207
    if not found:
        raise TraceError(path, "there is no such file")
    return found


def recognise(paths: list[Path], name: str | None = None) -> TraceFormat:
    """Give the reader of that ``name``, or of what the first file looks like; raises TraceError."""
    if name is not None:
        if name not in KINDS:
            error = unknown("trace format", name, KINDS)
            raise TraceError(paths[0], error.problem, hint=error.hint)
        return KINDS[name]()
    start = head(paths[0])
    if not start:
        raise TraceError(paths[0], "is empty")
    for kind in KINDS.values():
        if kind().sniff(start):
            return kind()
    raise TraceError(paths[0], "is in no format known", hint=f"known: {', '.join(sorted(KINDS))}")
