"""JSON Schemas of everything drsim writes for programs, by the name that ``drsim schema`` knows them by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drsim.report.schema import answers, studies, summary

SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "summary": summary.summary,
    "futures": studies.futures,
    "sweep": studies.sweep,
    "size": studies.size,
    "sizes": studies.sizes,
    "kept": studies.kept,
    "compare": studies.compare,
    "explain": answers.explain,
    "problems": answers.problems,
    "trace": answers.trace,
    "links": answers.links,
    "seed-time": answers.seed_time,
}
"""Each closed (no key but those named) and of a version that is raised when a key goes or changes its meaning."""
