"""Planted bugs: `python -m tests.mutants [-j N] [NAME …]` puts each into a copy, where its tests must fail.

Exit code 0 when every bug was caught, 1 when one survived (or did not fit the code any more).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutations import MUTANTS as ENGINE
from tests.planted import MUTANTS as ROOMS
from tests.planted import Mutant

MUTANTS = [*ENGINE, *ROOMS]

ROOT = Path(__file__).parents[1]
CPU_S = 300
"""Seconds of CPU that tests may take over one bug; the clock on the wall says nothing on a busy machine."""
FAILED, PASSED = 1, 0


def say(line: str) -> None:
    """Show a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def occurrences(mutant: Mutant) -> int:
    """How often the text to be changed occurs; anything but 1 means that the table is out of date."""
    return (ROOT / "drsim" / mutant.file).read_text("utf-8").count(mutant.old)


def copy(to: Path) -> None:
    """The package, its tests and what they read."""
    ignore = shutil.ignore_patterns("__pycache__", ".*cache", ".hypothesis")
    for folder in ("drsim", "tests", "scenarios"):
        shutil.copytree(ROOT / folder, to / folder, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", to)


def run(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run tests in a copy, always the same examples; give pytest's exit code and the first failure."""
    shared = os.environ.get("DRSIM_SHARED", str(ROOT.parent / "shared"))
    environment = os.environ | {
        "DRSIM_HYPOTHESIS": "mutants",
        "DRSIM_SHARED": shared,
        "PYTHONPATH": str(folder),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:doctest", *tests]
    command += ["-o", "addopts=--import-mode=importlib -p no:cacheprovider -ra"]
    limited = ["sh", "-c", f'ulimit -t {CPU_S}; exec "$@"', "sh", *command]
    done = subprocess.run(limited, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return done.returncode, f"no verdict in {CPU_S} s of CPU"
    found = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    last = (done.stdout + done.stderr).strip().splitlines()[-1:]
    return done.returncode, found.group(1) if found else " ".join(last)


def plant(mutant: Mutant) -> tuple[bool, str]:
    """Plant one bug; say whether it was caught, and by what."""
    if occurrences(mutant) != 1:
        return False, f"its text occurs {occurrences(mutant)} times in {mutant.file}"
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drsim-mutant-") as name:
        folder = Path(name)
        copy(folder)
        file = folder / "drsim" / mutant.file
        file.write_text(file.read_text("utf-8").replace(mutant.old, mutant.new), "utf-8")
        code, told = run(folder, mutant.tests)
    seconds = time.monotonic() - begin
    if code == FAILED and "::" in told:
        return True, f"caught by {told} in {seconds:.1f} s"
    return False, f"SURVIVED {', '.join(mutant.tests)} in {seconds:.1f} s (exit code {code}: {told})"


def sound(mutants: list[Mutant], jobs: int) -> bool:
    """Without any bug the same tests must pass, in the copy: only then does a failure mean something."""
    tests = tuple(sorted({test for mutant in mutants for test in mutant.tests}))
    with tempfile.TemporaryDirectory(prefix="drsim-mutant-") as name:
        folder = Path(name)
        copy(folder)
        where = [sys.executable, "-c", "import drsim; print(drsim.__file__)"]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        used = subprocess.run(where, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        if not Path(used.stdout.strip()).is_relative_to(folder.resolve()):
            say(f"the copy is not what is tested, but {used.stdout.strip()}")
            return False
        with ThreadPoolExecutor(jobs) as pool:
            verdicts = list(pool.map(lambda test: run(folder, (test,)), tests))
    for test, (code, told) in zip(tests, verdicts, strict=True):
        say(f"{'without a bug':42} {test}: {told}")
        if code != PASSED:
            return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Plant what was asked for, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="name them, with the tests that must catch them")
    given = parser.parse_args(arguments)
    known = {mutant.name: mutant for mutant in MUTANTS}
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"no such bug: {', '.join(unknown)}")
    chosen = [known[name] for name in given.names] or MUTANTS
    if given.list:
        for mutant in chosen:
            say(f"{mutant.name:42} {mutant.file:26} {' '.join(mutant.tests)}")
        return 0
    if not sound(chosen, given.j):
        say("the tests fail without any bug: nothing can be told")
        return 1
    caught = 0
    with ThreadPoolExecutor(given.j) as pool:
        for mutant, (good, told) in zip(chosen, pool.map(plant, chosen), strict=True):
            caught += good
            say(f"{mutant.name:42} {told}")
    say(f"{caught} of {len(chosen)} planted bugs caught")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
