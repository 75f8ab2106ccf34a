"""The table of planted bugs fits the code: `make mutants` plants them all, this only looks."""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS, ROOT, main, occurrences


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_text_to_change_occurs_exactly_once(mutant):
    assert occurrences(mutant) == 1
    assert mutant.old != mutant.new
    assert mutant.tests
    for test in mutant.tests:
        file, _, function = test.partition("::")
        assert f"def {function}" in (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_bug_is_still_python(mutant):
    text = (ROOT / "drsim" / mutant.file).read_text("utf-8").replace(mutant.old, mutant.new)
    compile(text, mutant.file, "exec")


def test_names_are_unique_and_many():
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) >= 25


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["no-such-bug"])
    assert stop.value.code == 2
    assert "no-such-bug" in capsys.readouterr().err
