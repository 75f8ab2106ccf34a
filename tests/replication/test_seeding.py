"""A shipped seed: checkpoint, journey, load, and only what was written meanwhile goes over the link."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import Kind
from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication.generations import Lineage
from drsim.replication.overflow import KINDS
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.states import Source, Target
from tests.replication.pair import Pair
from tests.replication.test_prefix import SIZES, Pen, writes


def pair_of_strangers(on_full: str = "track", size: int | None = None) -> tuple[Pair, list[str]]:
    told: list[str] = []
    resync = Resync.model_validate({"window": "8 KiB", "slice": "4 KiB"})
    policy = KINDS[on_full].model_validate({})
    source = SourceSettings(volumes=SIZES, on_full=policy, size=size, resync=resync, in_sync=False)
    return Pair(source, TargetSettings(in_sync=False), told.append), told


def checkpoint(pair: Pair, told: list[str]) -> str:
    """Take it; give the label."""
    assert pair.ship()
    (line,) = [line for line in told if "shipped " in line and ":" in line.split("shipped ")[1]]
    return line.split("shipped ")[1].split()[0]


def scribble(pair: Pair, pen: Pen, rows: list[list[tuple[int, int, int, int]]]) -> None:
    for each in rows:
        pair.write(pen.batch(pair, each))
        pair.journal_done(9)


@pytest.mark.parametrize("size", [None, 2048])
@given(
    before=st.lists(writes, max_size=4),
    during=st.lists(writes, max_size=6),
    after=st.lists(writes, max_size=3),
    crash=st.sampled_from([None, "source", "target"]),
)
def test_what_was_shipped_is_an_image_and_only_the_rest_travels(size, before, during, after, crash):
    pair, told = pair_of_strangers(size=size)
    pen = Pen()
    scribble(pair, pen, before)
    label = checkpoint(pair, told)
    at = pair.history.last
    scribble(pair, pen, during)
    if crash == "source":
        pair.crash_source(1)
    assert pair.load(label)
    assert pair.target.state is Target.FOLLOWING
    assert pair.target.leg.held == at
    if crash == "target":
        pair.crash_target(0)
    scribble(pair, pen, after)
    pair.link_up()
    pair.settle()
    copied = [float(line.split("resync_bytes ")[1].split()[0]) for line in told if "resync_bytes" in line]
    touched = {(v, b) for rows in [*during, *after] for v, o, n, _ in rows for b in blocks(v, o, n)}
    assert sum(copied) <= len(touched) * 4096
    assert size is not None or not copied, "with the journal whole nothing is copied twice"
    pair.finish()


def blocks(volume: int, offset: int, length: int) -> range:
    start = offset * 512 % SIZES[volume]
    return range(start // 4096, -(-min(start + length * 512, SIZES[volume]) // 4096))


@pytest.mark.parametrize("size", [None, 2048])
@given(before=st.lists(writes, max_size=3), during=st.lists(writes, max_size=3))
def test_media_that_never_arrive_do_no_harm(size, before, during):
    """The target is met empty: everything goes over the network after all, though little was written since."""
    pair, told = pair_of_strangers(size=size)
    pen = Pen()
    scribble(pair, pen, before)
    checkpoint(pair, told)
    scribble(pair, pen, during)
    pair.finish()


@pytest.mark.parametrize("arrive", [True, False])
@pytest.mark.parametrize("torn", range(1, 6))
def test_a_crash_at_every_step_of_the_checkpoint_does_no_harm(torn, arrive):
    pair, _ = pair_of_strangers()
    pen = Pen()
    scribble(pair, pen, [[(0, 3, 4, 0)], [(1, 0, 9, 0)]])
    pair.fuse["source"] = torn
    pair.ship()
    assert pair.crashes == 1
    scribble(pair, pen, [[(0, 8, 2, 0)]])
    if arrive:
        assert pair.load(f"{pair.source.leg.lineage.current}:2")
    pair.finish()


def test_a_checkpoint_of_a_pair_that_has_data_is_refused():
    pair = Pair(SourceSettings(volumes=SIZES), TargetSettings())
    actions = pair.source.step(ev.Command("ship"), 1.0)
    assert [type(a) for a in actions] == [do.Noted]
    assert "refused" in actions[0].what
    assert pair.source.state is Source.BUFFERING


@pytest.mark.parametrize("label", ["", "7", "x:1", "7:y", "7:-1"])
def test_a_label_nobody_can_read_is_refused(label):
    pair, _ = pair_of_strangers()
    actions = pair.target.step(ev.Command("load", label), 1.0)
    assert [type(a) for a in actions] == [do.Noted]
    assert pair.target.state is Target.INCONSISTENT


def test_a_target_with_data_takes_no_shipment():
    pair = Pair(SourceSettings(volumes=SIZES), TargetSettings())
    pair.step_target(ev.Command("load", "7:9"))
    assert pair.target.leg.held == 0
    assert pair.target.leg.lineage != Lineage(7)


class Empty(Pair):
    """The target's volumes are new."""

    rubbish = 0


def test_a_first_copy_leaves_out_what_is_not_in_use_and_says_zeros_in_a_few_bytes():
    told: list[str] = []
    apiece = Resync.model_validate({"row": "4 KiB"})
    blocks = 3  # Of the first volume; nothing of the second is in use.
    settings = SourceSettings(volumes=SIZES, allocated=(blocks * 4096, 0), resync=apiece, in_sync=False)
    pair = Empty(settings, TargetSettings(in_sync=False), told.append)
    scribble(pair, Pen(), [[(0, 8, 8, Kind.WRITE)]])
    pair.finish()
    read = [line for line in told if "ReadBlocks" in line]
    sent = [float(line.split()[-1]) for line in told if "resync_bytes" in line]
    assert sum(line.count("0:") for line in read) == blocks
    assert not any(" 1:" in line for line in read)
    assert sum(sent) == 4096 + (blocks - 1) * 64
