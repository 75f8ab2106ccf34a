"""The tables of states: complete, reachable, and drawn into docs/STATES.md from themselves."""

import os
from enum import Enum
from pathlib import Path

import pytest

from drsim.replication.states import SOURCE, TARGET, Cause, Source, Target, follow

PAGE = Path(__file__).parents[2] / "docs" / "STATES.md"

HEAD = """# States

Drawn from the tables in `drsim/replication/states.py` by `tests/replication/test_state_tables.py`
(`REWRITE=1` accepts a change). A pair of state and cause that is not listed cannot happen; the engine refuses it.

```
                 link down           link up
 order kept     BUFFERING  <------>  STREAMING
                    | journal full       | journal full     ^ copy done, journal
                    v                    v                  | replayed past its last read
 order lost     TRACKING   <------>  RESYNCING
```
"""


def drawn() -> str:
    """The page as the tables say."""
    parts = [HEAD]
    for title, states, table in (("Source", Source, SOURCE), ("Target", Target, TARGET)):
        parts.append(f"\n## {title}\n\n| from | cause | to |\n|---|---|---|")
        order = list(states)
        rows = sorted(table.items(), key=lambda row: (order.index(row[0][0]), list(Cause).index(row[0][1])))
        parts += [f"| {state.value} | {cause.value} | {to.value} |" for (state, cause), to in rows]
        parts.append("\n```mermaid\nstateDiagram-v2")
        parts += [f"    {state.value} --> {to.value}: {cause.value}" for (state, cause), to in rows]
        parts.append("```")
    return "\n".join(parts) + "\n"


def test_the_page_shows_the_tables():
    if os.environ.get("REWRITE"):
        PAGE.write_text(drawn())
    assert PAGE.read_text() == drawn()


@pytest.mark.parametrize(("states", "table"), [(Source, SOURCE), (Target, TARGET)])
def test_a_pair_is_in_the_table_or_refused(states, table):
    for state in states:
        for cause in Cause:
            if (state, cause) in table:
                assert follow(table, state, cause) is table[state, cause]
            else:
                with pytest.raises(ValueError, match="no way out"):
                    follow(table, state, cause)


@pytest.mark.parametrize(
    ("table", "start", "all_of"), [(SOURCE, Source.BUFFERING, Source), (TARGET, Target.FOLLOWING, Target)]
)
def test_every_state_can_be_reached(table: dict, start: Enum, all_of: type[Enum]):
    reached, grown = {start}, True
    while grown:
        more = {to for (state, _), to in table.items() if state in reached} - reached
        reached, grown = reached | more, bool(more)
    assert reached == set(all_of)


def test_every_cause_is_used():
    assert {cause for _, cause in [*SOURCE, *TARGET]} == set(Cause)
