"""The generated reference is fresh, complete, and its links lead somewhere."""

from __future__ import annotations

import re

import pytest

from drsim.cli.main import COMMANDS
from tests.reference import DOCS, documents


def test_what_is_generated_is_what_the_code_says() -> None:
    for path, text in documents().items():
        assert path.is_file(), f"{path.name} is missing: run python -m tests.reference"
        assert path.read_text(encoding="utf-8") == text, (
            f"{path.name} is stale: run python -m tests.reference"
        )
    assert {p.name for p in (DOCS / "schema").iterdir()} == {
        p.name for p in documents() if p.suffix == ".json"
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_told_with_its_options(name: str) -> None:
    text = documents()[DOCS / "REFERENCE.md"]
    section = text.split(f"### drsim {name}\n")[1].split("\n### ")[0]
    assert f"    drsim {name} " in section
    assert "| `-h, --help` |" in section


def test_links_inside_lead_somewhere() -> None:
    text = documents()[DOCS / "REFERENCE.md"]
    there = {line[4:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("### ")}
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= there
