"""Online verify finds what differs, and only that, while hosts write on."""

from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import Kind
from drsim.replication import events as ev
from drsim.replication.overflow import Block
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from drsim.replication.states import Source
from tests.replication.pair import Pair
from tests.replication.test_prefix import SIZES, Pen, writes

STEPS = [
    "write",
    "journal_done",
    "read_blocks",
    "answer_read",
    "to_target",
    "staging_done",
    "destage",
    "compare",
]


@given(
    st.lists(st.integers(0, 9), max_size=3),
    st.lists(writes, max_size=4),
    st.lists(st.tuples(st.sampled_from([*STEPS, "to_source"]), writes), max_size=60),
)
def test_verify_finds_rot_and_no_ghosts(rotten, before, moves):
    resync = Resync.model_validate({"slice": "8 KiB", "window": "8 KiB"})
    told: list[str] = []
    pair = Pair(SourceSettings(volumes=SIZES, resync=resync), TargetSettings(), told.append)
    pen = Pen()
    pair.link_up()
    for rows in before:
        pair.write(pen.batch(pair, rows))
    pair.settle()
    pair.rotten = True
    places = {(0, b) if b < 6 else (1, b - 6) for b in rotten}
    for volume, block in places:
        pair.image[volume][block * 4096 + 7] ^= 255
    pair.step_source(ev.Command("verify"))
    touched = set()
    for move, rows in moves:
        if move == "write":
            batch = pen.batch(pair, rows)
            for i in range(len(batch)):
                span = range(int(batch.offset[i]) // 4096, -(-int(batch.stop[i]) // 4096))
                touched |= {(int(batch.volume[i]), b) for b in span}
            pair.write(batch)
        else:
            args = () if move in ("read_blocks", "answer_read", "compare") else (2,)
            getattr(pair, move)(*args)
    pair.settle()
    assert any("verify_mismatched_bytes" in line for line in told)
    found = {
        (v, b) for v, a, z in pair.source.leg.suspect.extents().rows() for b in range(a // 4096, z // 4096)
    }
    assert found <= places, "a ghost"
    assert places - touched <= found, "rot was overlooked"
    if found:
        pair.step_source(ev.Command("repair"))
    pair.settle()
    assert pair.source.state is Source.STREAMING
    for volume, block in places - touched:
        piece = slice(block * 4096, (block + 1) * 4096)
        assert (pair.image[volume][piece] == pair.volume[volume][piece]).all()


def test_a_write_that_waits_for_room_in_the_journal_is_no_ghost():
    """It was told before the verify began, and reaches the volume after its block was read."""
    pair = Pair(SourceSettings(volumes=SIZES, size=1024, on_full=Block()), TargetSettings())
    pair.link_up()
    pair.settle()
    for place in (0, 8):
        pair.write(Pen().batch(pair, [(0, place, 2, Kind.WRITE)]))
    assert pair.held_hosts
    pair.step_source(ev.Command("verify"))
    pair.read_blocks()
    pair.answer_read()
    for _ in range(3):
        for hand in (pair.journal_done, pair.to_target, pair.staging_done, pair.destage, pair.to_source):
            hand(9)
    pair.settle()
    assert not pair.held_hosts
    assert not pair.source.leg.suspect
