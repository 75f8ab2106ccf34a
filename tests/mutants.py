"""Mutation check: every planted bug must make a named test fail. ``python -m tests.mutants [NAME…] [-j N]``.

A mutant is a small edit of one file of the engine, applied to a temporary copy of the tree. A mutant that survives,
and one whose text is no longer found in its file, fails the check.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutations import MUTANTS, Mutant

ROOT = Path(__file__).parents[1]


def caught(mutant: Mutant, examples: int) -> tuple[bool, str]:
    """Apply one mutant to a copy; say whether its tests fail, and how they end."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("drsim", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        path = copy / "drsim" / mutant.file
        text = path.read_text("utf-8")
        if text.count(mutant.old) != 1:
            return False, f"its text is {text.count(mutant.old)} times in {mutant.file}"
        path.write_text(text.replace(mutant.old, mutant.new), "utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "--tb=line", *mutant.tests]
        environment = os.environ | {"DRSIM_MUTANTS": str(examples), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=900
        )
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        return done.returncode == 1, lines[-1] if lines else done.stderr[-200:]


def main() -> int:
    """Run all mutants, or those named; 0 when every one was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--examples", type=int, default=1500)
    given = parser.parse_args()
    chosen = [m for m in MUTANTS if not given.names or m.name in given.names]
    survivors = 0
    with ThreadPoolExecutor(given.j) as pool:
        for mutant, (dead, why) in zip(
            chosen, pool.map(lambda m: caught(m, given.examples), chosen), strict=True
        ):
            survivors += not dead
            sys.stdout.write(f"{'caught  ' if dead else 'SURVIVED'}  {mutant.name}: {why}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survivors} of {len(chosen)} planted bugs caught\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
