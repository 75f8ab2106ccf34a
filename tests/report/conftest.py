"""A made-up week's results, once for all tests of the report, and results of odd runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from drsim.measure.lag import LagMeter
from drsim.report.source import Source

_spec = importlib.util.spec_from_file_location("synthetic", Path(__file__).with_name("synthetic.py"))
synthetic = importlib.util.module_from_spec(_spec)
sys.modules["synthetic"] = synthetic
_spec.loader.exec_module(synthetic)


@pytest.fixture(scope="session")
def week():
    """Four days of three groups: one misses its RPO, one is exposed, one is well."""
    return synthetic.week(days=4)


def bare(rpo=60.0, duration=100.0, writes=(), exposed=(), name="g", target="t"):
    """Results of one tiny run with nothing but a lag curve."""
    meter = LagMeter(rpo)
    for begin, end in exposed:
        meter.expose(begin, end)
    if writes:
        acked, recovered = (np.array(c, float) for c in zip(*writes, strict=True))
        meter.feed(acked, np.full(len(acked), 4096), recovered)
    out = meter.finish(duration, np.empty(0), np.empty(0, np.int64))
    summary = {
        "schema_version": 1,
        "scenario": "tiny",
        "seed": 0,
        "duration_s": duration,
        "writes": len(writes),
        "groups": {name: {"writes": len(writes), "targets": {target: out}}},
        "links": {},
        "expectations": [],
    }
    return Source(summary, {f"curve/{name}/{target}": meter.curve()}, {"scenario_text": "drsim: 1\n"})


@pytest.fixture(scope="session")
def tiny():
    """Makes results of tiny and odd runs."""
    return bare
