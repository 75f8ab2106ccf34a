"""Every broken scenario beside this file is refused with exactly the message in its neighbour.

``REWRITE=1 pytest tests/scenario/test_broken.py`` writes the messages anew; read the difference before
committing.
"""

import os
from pathlib import Path

import pytest

from drsim.scenario import ScenarioError, load

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_refused_with_its_message(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    with pytest.raises(ScenarioError) as caught:
        load(file.name)
    message = caught.value.render() + "\n"
    expected = file.with_suffix(".txt")
    if os.environ.get("REWRITE"):
        expected.write_text(message, "utf-8")
    assert message == expected.read_text("utf-8")


def test_there_are_broken_scenarios() -> None:
    assert len(FILES) > 40
    assert {file.stem for file in FILES} == {file.stem for file in BROKEN.glob("*.txt")}
