"""The promise: every image called consistent equals the source after writes 1..s, and nothing is lost silently."""

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks.batch import Kind, WriteBatch, concat
from drsim.replication.history import Keep
from drsim.replication.overflow import KINDS, Policy, Track
from drsim.replication.policy import KINDS as MODES
from drsim.replication.settings import Resync, SourceSettings, TargetSettings
from tests.replication.oracle import row
from tests.replication.pair import UNIT, Pair

SIZES = (6 * 4096 - 1024, 4 * 4096 - 512)  # The last granule of each ends after its volume.
Options = dict[str, list[dict[str, object]]]


def options(kinds: Iterable[str], given: Options) -> Options:
    """Give the settings to be tried of each class in a table; one that is new there joins with its defaults."""
    return {kind: given.get(kind, [{}]) for kind in kinds}


_POLICIES: Options = {
    "block": [{}, {"resume": "50 %"}],
    "pace": [{}, {"low": "10 %", "high": "60 %", "steps": 3}],
    "spill": [{"size": "2 KiB"}, {"size": "4 KiB", "then": {"kind": "block"}}],
    "track": [{}, {"at_once": True}, {"journal_below": 0}],
    "fail": [{}],
    "suspend": [{}],
}
_MODES: Options = {
    "journal": [{}, {}, {"fold": "checkpoint"}],
    "sync": [{}, {"on_loss": "stop", "rejoin": "1 KiB"}],
    "cycle": [{"every": "20 s"}, {"every": "50 s", "size": "2 KiB"}, {"every": "20 s", "fold": "none"}],
    "snapshot": [{"every": "40 s"}, {"rpo": "40 s"}],
}
POLICIES, MODE_SETTINGS = options(KINDS, _POLICIES), options(MODES, _MODES)

writes = st.lists(
    st.tuples(
        st.integers(0, 1),  # volume
        st.integers(0, 31),  # offset, units
        st.integers(1, 12),  # length, units
        st.sampled_from([Kind.WRITE] * 6 + [Kind.TRIM, Kind.ZERO]),
    ),
    min_size=1,
    max_size=3,
)
moves = st.one_of(
    st.tuples(st.just("write"), writes),
    st.tuples(
        st.sampled_from(["journal_done", "to_target", "to_source", "staging_done", "destage"]),
        st.integers(1, 4),
    ),
    st.tuples(
        st.sampled_from(["flow"] * 4 + ["read_blocks", "answer_read", "snap", "link_up", "compare", "tick"]),
        st.just(0),
    ),
    st.tuples(st.sampled_from(["link_down", "haunt", "crash"]), st.integers(0, 19)),
)
stories = st.sampled_from([0, 10, 30, 60]).flatmap(lambda n: st.lists(moves, min_size=n, max_size=n + 30))
modes = st.sampled_from([(k, i) for k, options in MODE_SETTINGS.items() for i in range(len(options))])
policies = st.sampled_from([(k, i) for k, options in POLICIES.items() for i in range(len(options))])


KEPT = [
    Keep(window="30 s"),
    Keep(window="300 s"),
    Keep(window="30 s", size="4 KiB"),
    Keep(size="2 KiB"),
    Keep(size="16 KiB"),
]


@st.composite
def settings_of_a_leg(draw: st.DrawFn) -> tuple[SourceSettings, TargetSettings]:
    kind, choice = draw(policies)
    policy: Policy = KINDS[kind].model_validate(POLICIES[kind][choice])
    granularity = draw(st.sampled_from([4096, 8192]))
    resync = Resync.model_validate(
        {
            "window": f"{draw(st.integers(1, 4)) * granularity} B",
            "slice": f"{draw(st.integers(1, 3)) * granularity} B",
            "row": f"{draw(st.sampled_from([1, 2])) * granularity} B",
            "granularity": f"{granularity} B",
            "checksum": draw(st.booleans()),
            "volumes": draw(st.sampled_from(["serial", "side by side"])),
            "delay": draw(st.sampled_from([None, "5 s"])),
            "limit": draw(st.sampled_from([None, None, "2 KB/s"])),
        }
    )
    mode_kind, mode_choice = draw(modes)
    in_sync = draw(st.sampled_from([True, True, True, False]))
    source = SourceSettings(
        volumes=SIZES,
        mode=MODES[mode_kind].model_validate({"kind": mode_kind} | MODE_SETTINGS[mode_kind][mode_choice]),
        on_full=policy,
        size=draw(st.sampled_from([None, 1024, 4096, 16384])),
        resident=draw(st.sampled_from([None, 0, 2048])),
        window=draw(st.sampled_from([None, 512, 4096])),
        room=draw(st.sampled_from([None, None, 1500])),
        resync=resync,
        in_sync=in_sync,
        activity=draw(st.sampled_from([None, None, 1])) if mode_kind != "sync" else None,
    )
    target = TargetSettings(
        protect=draw(st.booleans()),
        in_sync=in_sync,
        size=draw(st.sampled_from([None, 2048])),
        resident=draw(st.sampled_from([None, 1024])),
        history=draw(st.sampled_from([None, None, None, *KEPT])),
    )
    return source, target


class Pen:
    """Makes batches whose every byte tells its write."""

    def __init__(self) -> None:
        self.count = 0

    def batch(self, pair: Pair, rows: list[tuple[int, int, int, int]]) -> WriteBatch:
        parts = []
        for i, (volume, offset, length, kind) in enumerate(rows):
            start = offset * UNIT % SIZES[volume]
            size = min(length * UNIT, SIZES[volume] - start)
            self.count += 1
            content = np.full(size, 1 + self.count % 250, np.uint8).tobytes() if kind == Kind.WRITE else b""
            parts.append(row(pair.history.last + 1 + i, pair.now, volume, start, size, kind, content))
        return concat(parts)


def play(pair: Pair, story: list[tuple[str, object]]) -> None:
    pen = Pen()
    for move, argument in story:
        if move == "write":
            pair.write(pen.batch(pair, argument))
        elif move == "flow":
            for _ in range(2):
                for step in ("journal_done", "to_target", "staging_done", "destage", "to_source"):
                    getattr(pair, step)(2)
                pair.snap() or pair.compare() or pair.read_blocks() or pair.answer_read()
        elif move == "copy":
            for step in (pair.read_blocks, pair.answer_read, pair.snap):
                step()
            pair.to_target(1 + argument)
        elif move == "flap":
            pair.link_down(tell_target=argument % 2 == 0)
            if argument >= 6:
                pair.link_up()
                pair.to_target(9), pair.to_source(9), pair.to_target(9)
        elif move == "link_down":
            pair.link_down(tell_target=argument % 2 == 0)
        elif move == "crash":
            who, when = ("source", "target")[argument % 2], argument // 2
            if when < 4:
                (pair.crash_source if who == "source" else pair.crash_target)(when)
            else:
                pair.fuse[who] = when - 3
        elif move == "overtake":
            for way in (pair.to_target, pair.to_source):
                way(1 + argument % 2, 1 + argument // 4, twice=argument % 4 == 0)
        elif move in ("read_blocks", "answer_read", "snap", "link_up", "compare", "tick"):
            getattr(pair, move)()
        else:
            getattr(pair, move)(argument)


@given(settings_of_a_leg(), stories, st.booleans())
def test_every_image_called_consistent_is_a_prefix(settings, story, greedy):
    pair = Pair(*settings)
    pair.greedy = greedy
    play(pair, story)
    pair.finish()


places = st.tuples(st.integers(0, 1), st.sampled_from([0, 1, 8, 9, 16]), st.just(1), st.just(Kind.WRITE))
_some_write = st.tuples(st.just("write"), st.lists(places, min_size=1, max_size=2))
_carry = st.tuples(st.sampled_from(["to_target", "destage", "to_source"]), st.integers(1, 2))
race = st.one_of(
    _some_write,
    _carry,
    _carry,
    _carry,
    st.tuples(st.just("copy"), st.integers(0, 1)),
    st.tuples(st.sampled_from(["journal_done", "staging_done"]), st.integers(1, 2)),
    st.tuples(st.sampled_from(["read_blocks", "answer_read", "snap", "compare", "flow"]), st.just(0)),
    st.tuples(
        st.sampled_from(["flap", "flap", "flap", "haunt", "crash", "tick", "overtake"]), st.integers(0, 19)
    ),
)


@st.composite
def settings_that_lose_order(draw: st.DrawFn) -> tuple[SourceSettings, TargetSettings]:
    policy = draw(st.sampled_from([Track(), Track(at_once=True), Track.model_validate({"journal_below": 0})]))
    block = 4096
    resync = Resync.model_validate(
        {
            "window": f"{draw(st.integers(1, 3)) * block} B",
            "slice": f"{draw(st.integers(1, 2)) * block} B",
            "row": f"{block} B",
            "checksum": draw(st.sampled_from([False, False, True])),
        }
    )
    mode = draw(st.sampled_from(["journal", "journal", "cycle"]))
    options = {"every": "20 s"} if mode == "cycle" else {}
    source = SourceSettings(
        volumes=SIZES,
        mode=MODES[mode].model_validate({"kind": mode} | options),
        on_full=policy,
        size=draw(st.sampled_from([1024, 2048, 8192])),
        resident=draw(st.sampled_from([None, 0])),
        resync=resync,
    )
    return source, TargetSettings(protect=draw(st.booleans()))


_step = st.tuples(
    st.sampled_from(["journal_done", "to_target", "to_source", "staging_done"]), st.integers(1, 2)
)
_rare = st.tuples(
    st.sampled_from(["destage", "flap", "haunt", "crash", "tick", "snap", "read_blocks", "overtake"]),
    st.integers(1, 19),
)
steps = st.one_of(_some_write, _step, _step, _step, _rare)


@given(settings_of_a_leg(), st.lists(steps, min_size=10, max_size=80), st.booleans(), st.booleans())
def test_races_of_a_stream(settings, story, greedy, striped):
    """The link is up from the start; every hand-over on the way happens row by row, in any order that can be."""
    pair = Pair(*settings)
    pair.greedy, pair.striped = greedy, striped
    pair.link_up()
    pair.to_target(1), pair.to_source(1)
    play(pair, story)
    pair.finish()


@given(
    settings_that_lose_order(),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(race, min_size=20, max_size=90),
)
def test_races_of_a_resync(settings, filled, streaming, greedy, striped, story):
    """Order is lost at the start; then everything that can overtake something else does."""
    pair = Pair(*settings)
    pair.greedy, pair.striped = greedy, striped
    pen = Pen()
    if streaming:
        pair.link_up()
        pair.settle()
        for i in range(2):
            pair.write(pen.batch(pair, [(i, 0, 1, Kind.WRITE)]))
        pair.journal_done(9), pair.to_target(9), pair.to_target(9), pair.staging_done(1)
    for i in range(20):
        pair.write(pen.batch(pair, [(i % 2, 8 * (i % (filled + 1)), 1, Kind.WRITE)]))
    pair.link_up()
    for _ in range(3):
        pair.to_target(9), pair.snap(), pair.to_source(9)
    play(pair, story)
    pair.finish()


def test_every_kind_is_drawn():
    assert set(_POLICIES) <= set(KINDS)
    assert set(_MODES) <= set(MODES)
    assert options([*KINDS, "new"], _POLICIES)["new"] == [{}]
