"""Block traces: readers by format, what was wrong with a file, replay, import to Parquet."""

from drsim.workload.traces.report import Report, TraceError

__all__ = ["Report", "TraceError"]
