"""Golden stories: what is written is what happens. ``REWRITE=1`` accepts the present."""

import os
from pathlib import Path

import pytest

from tests.replication.stories import retell

STORIES = sorted((Path(__file__).parent / "traces").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda p: p.stem)
def test_the_story_is_still_true(path):
    told = path.read_text()
    now = retell(told)
    if os.environ.get("REWRITE"):
        path.write_text(now)
        told = now
    assert now == told


def test_there_are_stories():
    assert len(STORIES) >= 12
