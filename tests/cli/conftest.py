"""Running drsim as users do: a process of its own, its exit code, and what it said where."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Drsim = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]

TINY = """drsim: 1
title: Tiny
duration: 10 min
sites: {a: {}, b: {}}
links: {ab: {between: [a, b], type: T1, efficiency: 70 %}}
groups: {g: {source: a, volumes: {v: 1 GB}, targets: {b: {rpo: 1 min}}}}
hosts: {h: {site: a, writes: [{volume: g/v, rate: 50 kB/s, size: 8 KiB}]}}
expect: [g.b.lag.max <= 10 s]
"""


@pytest.fixture
def drsim(tmp_path: Path) -> Drsim:
    """Run drsim in an empty folder with ``tiny.yaml`` in it; keyword arguments are environment variables."""
    (tmp_path / "tiny.yaml").write_text(TINY)

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("DRSIM", "COLUMNS"))}
        return subprocess.run(
            [sys.executable, "-m", "drsim", *arguments],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return call
