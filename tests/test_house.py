"""The house rules that no tool knows: sizes, first lines, words, and scenarios that must load."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from drsim.scenario import examine, loads
from drsim.scenario.override import split_override

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "drsim").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
TEMPLATES = sorted((ROOT / "drsim" / "scenario" / "templates").glob("*.yaml"))

LONGEST_FILE = 300
LONGEST_FUNCTION = 40
TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".j2", ".css", ".txt", ""}

_UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|NotImplementedError\(\)|\bpass\s+# later")
_WORKPLACE = re.compile(
    r"/wor"
    + r"k/|(?<!DRBD )\bissue "
    + r"#?\d|\bsub"
    + r"agent|\bai[- ]assist|\bclau"
    + r"de\b|\bhelper session",
    re.IGNORECASE,
)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("file", CODE, ids=_name)
def test_files_and_functions_are_short(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert _length(node) <= LONGEST_FUNCTION, f"{node.name} in line {node.lineno}"


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring and decorators apart."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


@pytest.mark.parametrize("file", [*CODE, *TESTS], ids=_name)
def test_the_first_line_says_what_a_file_is_for(file: Path) -> None:
    first = file.read_text("utf-8").split("\n", 1)[0]
    assert first.startswith('"""')
    assert len(first.strip('"').split()) >= 3


def _tracked() -> list[Path]:
    """Every text file that git knows; all files outside hidden folders where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else [_name(p) for p in [*CODE, *TESTS]]
    paths = [ROOT / name for name in names if name]
    return [path for path in paths if path.suffix in TEXTS and path.is_file()]


def test_nothing_is_left_for_later_and_no_one_speaks_of_the_workplace() -> None:
    for path in _tracked():
        text = path.read_text("utf-8", errors="replace")
        assert not (found := _UNFINISHED.search(text)), f"{_name(path)}: {found and found[0]}"
        assert not (found := _WORKPLACE.search(text)), f"{_name(path)}: {found and found[0]}"


def test_the_lock_file_pins_every_dependency_to_one_version() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: _normal(line.split("==")[0]))
    pinned = {_normal(line.split("==")[0]) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    assert wanted
    assert {_normal(re.split(r"[\[<>=]", name)[0]) for name in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_nothing_imports_what_it_must_not() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.parametrize("file", [*SCENARIOS, *TEMPLATES], ids=_name)
def test_every_shipped_scenario_is_valid(file: Path) -> None:
    assert examine(file).scenario.title


def test_every_shipped_scenario_explains_itself() -> None:
    assert SCENARIOS
    assert all(file.read_text().startswith("# ") for file in [*SCENARIOS, *TEMPLATES])


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_whole_scenario_in_the_documents_is_valid() -> None:
    found = 0
    for document in DOCUMENTS:
        for block in re.findall(r"```yaml\n(drsim: 1\n.*?)```", document.read_text(), re.DOTALL):
            loads(block, document.name)
            found += 1
    assert found


def test_what_the_first_page_sets_is_there_to_be_set() -> None:
    text = (ROOT / "README.md").read_text()
    (scenario,) = re.findall(r"```yaml\n(drsim: 1\n.*?)```", text, re.DOTALL)
    (command,) = re.findall(r"^drsim run erp.yaml (.*)$", text, re.MULTILINE)
    overrides = [split_override(word) for word in shlex.split(command) if "=" in word]
    assert len(overrides) == 2
    loads(scenario, "erp.yaml", overrides)


def test_the_parts_shown_in_the_scenario_manual_make_a_scenario(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "SCENARIO.md").read_text(), re.DOTALL)
    text = "drsim: 1\nduration: 7 d\n" + "".join(blocks)
    text = text.replace("  lyon:\n    disk", "  nice: {}\n  lyon:\n    disk")
    text = text.replace("groups:\n", "  lyon-nice: {between: [lyon, nice], type: T1}\ngroups:\n")
    (tmp_path / "monday.csv.gz").write_bytes((ROOT / "scenarios/samples/quarter_hour.csv.gz").read_bytes())
    (tmp_path / "manual.yaml").write_text(text)
    assert examine(tmp_path / "manual.yaml").scenario.disasters


def test_the_documents_link_to_what_exists() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
