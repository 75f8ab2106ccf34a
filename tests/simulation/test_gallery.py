"""The page of shipped scenarios names each of them, with its picture, and links to nothing that is not there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_scenario_has_its_row_and_its_picture() -> None:
    page = (ROOT / "docs/SCENARIOS.md").read_text()
    shipped = {path.stem for path in (ROOT / "scenarios").glob("*.yaml")}
    assert set(re.findall(r"\]\(\.\./scenarios/(\w+)\.yaml\)", page)) == shipped
    pictures = set(re.findall(r"!\[lag\]\(scenarios/(\w+)\.svg\)", page))
    assert pictures == shipped
    for name in pictures:
        picture = (ROOT / "docs/scenarios" / f"{name}.svg").read_text()
        assert "</svg>" in picture
        assert len(picture) < 150_000
