"""The tutorial and the how-tos: every command in them is one that drsim would take."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from drsim.cli.main import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
FILES = ("TUTORIAL.md", "HOWTO.md", "CI.md", "PAPER.md")


def commands(name: str) -> list[str]:
    """Command lines of code blocks and inline code, continuation by folded YAML included."""
    text = (DOCS / name).read_text("utf-8")
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    lines = [
        line
        for block in blocks
        for line in re.sub(r">\n\s+(drsim)|\\\n\s*|\n\s+(?=--)", r" \1", block).splitlines()
    ]
    inline = re.findall(r"`(drsim [^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [re.search(r"(?:^|\$ |run: |> )(drsim [a-z-]+.*)", line) for line in lines]
    return [match[1] for match in found if match] + inline


def arguments(command: str) -> list[str]:
    words = shlex.split(command.split(" | ")[0], comments=True)[1:]
    return [word for word in words if word not in ("...", "…")]


@pytest.mark.parametrize("name", FILES)
def test_every_command_of_the_documents_is_understood(name: str) -> None:
    checked = 0
    for line in commands(name):
        words = arguments(line)
        if not words or words[0] not in COMMANDS or words[-1].startswith("-") or "COMMAND" in words:
            continue
        command: click.Command = import_module(COMMANDS[words[0]][0]).command
        given = words[1:] if len(words) > 1 else []
        try:
            command.make_context(words[0], given, resilient_parsing=False)
        except click.MissingParameter:
            assert not given or given[0].startswith("--"), line  # only an option is shown, without its FILE
        checked += 1
    assert checked >= {"TUTORIAL.md": 8, "HOWTO.md": 12, "CI.md": 3, "PAPER.md": 5}[name]


def test_the_tutorials_scenario_exists() -> None:
    assert (DOCS.parent / "drsim" / "scenario" / "templates" / "t1-branch.yaml").is_file()
