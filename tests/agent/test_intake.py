"""Requests of hosts and rows of the order: every write is answered once, and no sooner than its row is acknowledged."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

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
