"""The engines' transitions: `docs/STATES.md` is drawn from their tables (REWRITE=1), and nothing else is taken."""

import os
from itertools import product
from pathlib import Path

import pytest

from drsim.replication.states import SOURCE, TARGET, Cause, Source, Target, follow

PAGE = Path(__file__).parents[2] / "docs" / "STATES.md"
ENGINES = [(Source, SOURCE, (Source.BUFFERING, Source.TRACKING)), (Target, TARGET, tuple(Target)[:2])]
"""States, transitions, and where an engine may begin: in step with its peer or not."""

PURPOSE = {
    Source.BUFFERING: "order kept, link down: writes wait in the journal",
    Source.STREAMING: "order kept, link up: the journal is sent as it becomes durable",
    Source.TRACKING: "order lost, link down: only the places of writes are remembered",
    Source.RESYNCING: "order lost, link up: dirty places are copied, then the journal is replayed",
    Target.FOLLOWING: "the image is consistent at the last write (or cycle) durably staged",
    Target.INCONSISTENT: "a copy is landing: the image is that of the protective snapshot, if there is one",
    Target.PROMOTED: "this site has taken over",
}


def page() -> str:
    lines = [
        "# States",
        "",
        "Drawn from `drsim/replication/states.py` by `REWRITE=1 python -m pytest tests/replication/test_states.py`;",
        "the same test fails when the two differ. A state and a cause that have no row are refused: that would be",
        "a bug of the engine, never of the world.",
    ]
    for states, table, _ in ENGINES:
        lines += ["", f"## {states.__name__}", ""]
        lines += ["| state | meaning |", "|---|---|"]
        lines += [f"| {state.value} | {PURPOSE[state]} |" for state in states]
        lines += ["", "| from | cause | to |", "|---|---|---|"]
        lines += [f"| {state.value} | {cause.value} | {to.value} |" for (state, cause), to in table.items()]
        lines += ["", "```", *diagram(states, table), "```"]
    return "\n".join(lines) + "\n"


def diagram(states, table) -> list[str]:
    """One block a state, one arrow a transition; causes in a column."""
    wide = max(len(state.value) for state in states)
    long = max(len(cause.value) for _, cause in table)
    lines = []
    for state in states:
        ways = [(cause, to) for (begin, cause), to in table.items() if begin is state]
        heads = [state.value.ljust(wide), *[" " * wide] * (len(ways) - 1)]
        for head, (cause, to) in zip(heads, ways, strict=False):
            end = "itself" if to is state else to.value
            lines.append(f"{head} --- {cause.value} {'-' * (long - len(cause.value))}--> {end}")
        if not ways:
            lines.append(f"{heads[0]}   (no way out)")
        lines.append("")
    return lines[:-1]


def test_the_page_is_the_table():
    now = page()
    if os.environ.get("REWRITE"):
        PAGE.write_text(now, "utf-8")
    assert PAGE.read_text("utf-8") == now


@pytest.mark.parametrize(("states", "table", "births"), ENGINES, ids=["source", "target"])
def test_every_state_is_reached_and_every_other_way_is_refused(states, table, births):
    reached, fresh = set(births), list(births)
    while fresh:
        state = fresh.pop()
        for cause in Cause:
            if (state, cause) in table:
                after = follow(table, state, cause)
                assert after in states
                if after not in reached:
                    reached.add(after)
                    fresh.append(after)
            else:
                with pytest.raises(ValueError, match="has no way out"):
                    follow(table, state, cause)
    assert reached == set(states)
    if Target.PROMOTED not in states:
        assert all(any(begin is state for begin, _ in table) for state in states)


def test_every_cause_is_used_and_every_state_explained():
    assert {cause for _, table, _ in ENGINES for _, cause in table} == set(Cause)
    assert set(PURPOSE) == {*Source, *Target}
    assert not set(product(Source, Cause)) & set(TARGET)
