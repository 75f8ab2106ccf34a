"""Deep campaigns on the engine in chunks: `python -m tests.campaign FOLDER [--seed N] [--histories N] [--only NAME]`.

Each chunk has a seed of its own and leaves one line in ``FOLDER/summary``, so that nothing is lost when time ends; a
chunk that fails leaves its log beside it, and the campaign goes on. Exit code 1 when any failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = "tests/replication"
CHUNKS = {
    "machine": (f"{HOME}/test_machine.py",),
    "prefix": (f"{HOME}/test_prefix.py",),
    "roles": (f"{HOME}/test_roles.py", f"{HOME}/test_seeding.py", f"{HOME}/test_verify.py"),
    "again": (f"{HOME}/test_machine.py",),
    "guards": (f"{HOME}/test_gate.py", f"{HOME}/test_history_points.py", f"{HOME}/test_hostile.py"),
}
"""What takes turns, by name; the machine twice."""


def chunk(name: str, seed: int, histories: int, folder: Path) -> bool:
    """Run one chunk; note it; say whether it passed."""
    environment = os.environ | {"DRSIM_HYPOTHESIS": "deep", "DRSIM_EXAMPLES": str(histories)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
    begin = os.times().children_user
    done = subprocess.run(
        [*command, "-o", "faulthandler_timeout=0", *CHUNKS[name]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    used = os.times().children_user - begin
    last = (done.stdout.strip().splitlines() or [done.stderr[-200:]])[-1]
    verdict = "passed" if done.returncode == 0 else "FAILED"
    with (folder / "summary").open("a") as summary:
        summary.write(f"{name} seed={seed} histories={histories} {verdict} cpu={used:.0f}s {last}\n")
    if done.returncode:
        (folder / f"{name}-{seed}.log").write_text(re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr))
    return done.returncode == 0


def main() -> int:
    """Chunk after chunk until time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the first chunk")
    parser.add_argument("--histories", type=int, default=500, help="of each property in a chunk")
    parser.add_argument("--only", choices=CHUNKS, help="the same kind each time, instead of all in turn")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no chunk after so long")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    end, seed, good = time.monotonic() + given.seconds, given.seed, True
    while time.monotonic() < end:
        name = given.only or list(CHUNKS)[seed % len(CHUNKS)]
        good &= chunk(name, seed, given.histories, given.folder)
        seed += 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
