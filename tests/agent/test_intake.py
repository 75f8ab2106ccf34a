"""Requests of hosts and rows of the order: every write is answered once, and no sooner than its row is acknowledged."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from drsim.agent.cache import WriteCache, kept_rows
from drsim.agent.intake import Intake
from drsim.agent.nbd.exports import Request, Writes
from drsim.agent.nbd.protocol import Command
from drsim.blocks.payload import Strip

BLOCK = 4096
gathers = st.tuples(st.just("gather"), st.lists(st.integers(0, 12), min_size=1, max_size=3))
others = st.tuples(st.sampled_from(["tell", "answer", "fail"]), st.integers(1, 20))


@given(st.lists(gathers | others, max_size=30))
def test_each_write_is_answered_when_its_row_is_acknowledged_or_fails_when_its_row_is_lost(steps):
    """0 stands for a flush, 1 for a write by itself, more for so many writes that came together."""
    intake, said, rows, acknowledged = Intake(cast(Any, None), 0), {}, {}, 0
    names = iter(range(1, 10_000))
    last, failed = 0, set()  # last: the place that the newest row has or will have

    def reply(request: Request, error: int = 0, data: object = b"") -> None:
        raise AssertionError("the group answers, not the intake")

    def answer(requests: list, verdict: str) -> None:
        for request in requests:
            for name in request.cookies if isinstance(request, Writes) else [request.cookie]:
                assert name not in said
                said[name] = verdict

    for verb, what in steps:
        if verb == "gather":
            for count in what:
                new = [next(names) for _ in range(max(1, count))]
                places = [last + number for number in range(1, count + 1)] or [last]
                rows.update(zip(new, places, strict=True))
                content = memoryview(bytes(BLOCK))
                if not count:
                    intake.flush(Request(Command.FLUSH, 0, new[0], 0, 0, memoryview(b""), reply))
                elif count == 1:
                    intake.gather(0, [Request(Command.WRITE, 0, new[0], 0, BLOCK, content, reply)])
                else:
                    intake.gather(
                        0,
                        [
                            Writes(
                                [0] * count, BLOCK, Strip(content, 0, 0, BLOCK, count), cast(Any, new), reply
                            )
                        ],
                    )
                last += count
        elif verb == "tell" and len(intake):
            told = intake.tell(0.0, what, 1 << 30)
            assert told.last == intake.last
        elif verb == "answer":
            acknowledged = min(intake.last, acknowledged + what)
            answer(intake.answered_through(acknowledged), "done")
            assert {n for n in said if said[n] == "done"} == {
                n for n, place in rows.items() if place <= acknowledged and n not in failed
            }
        elif verb == "fail" and not len(intake) and intake.last > acknowledged:
            seq = max(acknowledged + 1, intake.last - what)
            answer(intake.fail_from(seq), "failed")
            failed |= {n for n, place in rows.items() if place >= seq}
            assert {n for n in said if said[n] == "failed"} == failed
            last = intake.last
    for name in said:
        assert name in failed or rows[name] <= acknowledged
    answer(intake.abandon(), "abandoned")
    assert said.keys() == rows.keys()


steps_with_room = st.lists(
    st.tuples(st.just("gather"), st.lists(st.integers(1, 6), min_size=1, max_size=3))
    | st.tuples(st.sampled_from(["tell", "land"]), st.integers(1, 12)),
    max_size=40,
)


@given(steps_with_room, st.integers(2, 9))
def test_what_a_cache_keeps_has_no_gap_and_nobody_waits_for_ever(tmp_path_factory, steps, room):
    """Hosts that do not stop, and room for a few writes: a kill at any time leaves the result of the first ones."""
    path = tmp_path_factory.mktemp("cache") / "cache"
    cache = WriteCache(path, room * (BLOCK + 64))
    intake, said, asked = Intake(cast(Any, None), 0, cache), [], []
    names = iter(range(1, 10_000))
    landed = 0

    def reply(request: Any, error: int = 0, data: object = b"") -> None:
        assert not error
        said.extend(request.cookies)

    def answer(through: int) -> None:
        for request in intake.answered_through(through):
            reply(request)

    def land(through: int) -> None:
        nonlocal landed
        answer(through)
        for batch in intake.take_through(through):
            landed = batch.last
        intake.landed(landed)

    for verb, what in steps:
        if verb == "gather":
            for count in what:
                new = [next(names) for _ in range(count)]
                asked += new
                content = memoryview(b"".join(name.to_bytes(8, "little") * (BLOCK // 8) for name in new))
                strip = Strip(content, 0, BLOCK, BLOCK, count)
                writes = Writes([0] * count, BLOCK, strip, cast(Any, new), reply)
                kept = intake.keep_one(0, 0, content) if count == 1 else intake.keep(0, writes)
                if kept:  # as a connection asks first
                    reply(writes)
                else:
                    intake.gather(0, [writes])
        elif verb == "tell" and len(intake):
            intake.tell(0.0, what, 1 << 30)
        elif verb == "land":
            land(min(intake.last, landed + what))
        kept = [place for place, _ in kept_rows(path)]
        assert kept == list(range(kept[0], kept[0] + len(kept)) if kept else []), "no gap within"
        assert not kept or kept[0] <= landed + 1, "nor before"
        assert len(said) == len(set(said))
    for _ in range(len(asked) + 1):  # the hosts stop: all is told and lands
        if len(intake):
            intake.tell(0.0, 1 << 20, 1 << 30)
        land(intake.last)
    assert sorted(said) == asked
    assert intake.unanswered == 0
    assert (landed, kept_rows(path)) == (len(asked), [])
