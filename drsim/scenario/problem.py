"""What is wrong with a scenario, where, and what to do about it: one record, many renderings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Path = tuple[str | int, ...]
"""Where something is in a scenario: mapping keys and list indexes from the top."""

_EXCERPT_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Complaint:
    """A problem known only by its place in the tree; ``on`` says whether its key or its value is wrong.

    ``offset`` counts characters into a one-line value, for errors inside a small language.
    """

    path: Path
    message: str
    hint: str = ""
    code: str = "invalid"
    on: Literal["key", "value"] = "value"
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with its place in a file (line and column from 1; 0 where there is none) or in an option."""

    severity: Literal["error", "warning"]
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    code: str = "invalid"
    option: str = ""
    excerpt: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong and what to do about it, without the place in the file."""
        return (
            (f"{self.path}: " if self.path else "") + self.message + (f"; {self.hint}" if self.hint else "")
        )

    def render(self) -> str:
        """``file:line:col: error: message``, the line, a caret, a hint."""
        said = f"{self.path}: {self.message}" if self.path else self.message
        rows = [f"{self.where}: {self.severity}: {said}", *self._marked()]
        if self.hint:
            rows.append(f"  hint: {self.hint}")
        return "\n".join(rows)

    @property
    def where(self) -> str:
        """The option that set the value, or file:line:column."""
        if self.option:
            return f"--set {self.option}"
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def _marked(self) -> list[str]:
        if not self.excerpt or self.option:
            return []
        begin = max(0, self.column - 1 - _EXCERPT_WIDTH + 30) if self.column > _EXCERPT_WIDTH - 30 else 0
        shown = "".join(c if c.isprintable() else " " for c in self.excerpt[begin : begin + _EXCERPT_WIDTH])
        return [f"    {shown.rstrip()}", f"    {' ' * (self.column - 1 - begin)}^"]

    def github(self) -> str:
        """A workflow command that annotates the line in a pull request."""
        text = self.message + (f" ({self.hint})" if self.hint else "")
        said = f"{self.path}: {text}" if self.path else text
        escaped = said.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        file = self.file.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
        return f"::{self.severity} file={file},line={max(self.line, 1)},col={max(self.column, 1)}::{escaped}"

    def record(self) -> dict[str, str | int]:
        """As plain data, for JSON."""
        return asdict(self)


class ScenarioError(Exception):
    """A scenario that can't be run, with every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.render())

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        return ScenarioError, (self.problems,)

    def render(self) -> str:
        """All problems in the order of the file, then their number."""
        count = len(self.problems)
        return "\n".join([*(p.render() for p in self.problems), f"{count} error{'s' * (count != 1)}"])


def dotted(path: Path) -> str:
    """A path as users write it: ``hosts.erp-db.writes[0].rate``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' * bool(text)}{step}"
    return text


def near(name: str, known: Iterable[str]) -> str:
    """A hint for a name that isn't known: the nearest one, else a list of some."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    folded = [candidate for candidate in names if candidate.lower() == name.lower()]
    if folded or close:
        return f"did you mean '{(folded or close)[0]}'?"
    if not names:
        return ""
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {listed}"
