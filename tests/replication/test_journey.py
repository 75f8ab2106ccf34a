"""`docs/JOURNEY.md` tells a write's way; its fenced blocks are what the real engines do (REWRITE=1 writes them)."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from drsim.blocks.batch import Kind, concat
from drsim.replication import events as ev
from drsim.replication.settings import SourceSettings, TargetSettings
from tests.replication.oracle import row
from tests.replication.pair import Pair
from tests.replication.stories import BLOCK, SIZES, _batch, _frame, _seqs

PAGE = Path(__file__).parents[2] / "docs" / "JOURNEY.md"
BLOCKS = re.compile(r"^```trace\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Told(Pair):
    """A pair that tells each event an engine is given, each action it asks for, and where it stands then."""

    def step_source(self, event: ev.Event) -> None:
        self.tell(f"source <- {named(event)}")
        super().step_source(event)
        leg = self.source.leg
        self.tell(
            f"source == {leg.state.value} last={leg.last} durable={leg.durable} acknowledged={leg.acknowledged} "
            f"confirmed={leg.confirmed} journal={leg.journal.nbytes // BLOCK}"
        )

    def step_target(self, event: ev.Event) -> None:
        self.tell(f"target <- {named(event)}")
        super().step_target(event)
        leg = self.target.leg
        self.tell(
            f"target == {leg.state.value} received={leg.received} staged={leg.staged} written={leg.written}"
        )


def named(event: ev.Event) -> str:
    match event:
        case ev.HostWrites(batch):
            return f"HostWrites {_batch(batch)}"
        case ev.JournalDurable(seq, _) | ev.StagingDurable(seq, _) | ev.BlocksWritten(_, seq, _):
            return f"{type(event).__name__} {_seqs(seq)}"
        case ev.Received(frame, _):
            return f"Received {_frame(frame)}"
    return type(event).__name__


def three_writes(pair: Told) -> None:
    places = [(0, 0), (1, 3), (0, 0)]
    rows = [
        row(seq, pair.now, volume, offset * BLOCK, BLOCK, Kind.WRITE, bytes([seq]) * BLOCK)
        for seq, (volume, offset) in enumerate(places, 1)
    ]
    assert pair.write(concat(rows))


def back_again(pair: Told) -> None:
    pair.link_up()
    pair.settle()


STEPS: list[Callable[[Told], object]] = [
    lambda pair: pair.link_up(),
    lambda pair: (pair.to_target(1), pair.to_source(1)),
    three_writes,
    lambda pair: pair.journal_done(2),
    lambda pair: pair.to_target(2),
    lambda pair: pair.staging_done(2),
    lambda pair: pair.to_source(2),
    lambda pair: pair.destage(2),
    lambda pair: (pair.link_down(), pair.journal_done(1)),
    back_again,
]


def traces() -> tuple[list[str], Told]:
    told: list[str] = []
    pair = Told(SourceSettings(volumes=SIZES), TargetSettings(), lambda line: told.append(line))
    found = []
    for step in STEPS:
        told.clear()
        step(pair)
        lines = [re.sub(r"^(source|target): ", r"\1 -> ", line) + "\n" for line in told]
        found.append("".join(lines))
    return found, pair


def test_the_journey_is_what_the_engines_do():
    text = PAGE.read_text("utf-8")
    found, pair = traces()
    assert len(BLOCKS.findall(text)) == len(found) == 10
    if os.environ.get("REWRITE"):
        blocks = iter(found)
        text = BLOCKS.sub(lambda _: f"```trace\n{next(blocks)}```", text)
        PAGE.write_text(text, "utf-8")
    assert BLOCKS.findall(text) == found
    assert pair.acknowledged == pair.recoverable == pair.target.leg.written == 3
    assert not pair.source.leg.journal.nbytes
    pair.check()
