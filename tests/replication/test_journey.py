"""docs/JOURNEY.md cannot go stale: its boxes are told again by the engines and must come out the same."""

import os
import re
from pathlib import Path

from tests.replication.stories import Tale

PAGE = Path(__file__).parents[2] / "docs" / "JOURNEY.md"
_BOX = re.compile(r"(?<=```story\n).*?(?=```)", re.DOTALL)


def told_again(page: str) -> str:
    """The page with its boxes carried out anew, one tale through all of them."""
    lines: list[str] = []
    tale = Tale(lines)

    def box(match: re.Match[str]) -> str:
        lines.clear()
        for line in match[0].splitlines():
            if not line.startswith("    "):
                lines.append(line)
                tale.do(line)
        return "\n".join(lines) + "\n"

    return _BOX.sub(box, page)


def test_the_journey_is_as_told():
    page = PAGE.read_text()
    now = told_again(page)
    if os.environ.get("REWRITE"):
        PAGE.write_text(now)
        page = now
    assert now == page
    assert page.count("```story") == 6
