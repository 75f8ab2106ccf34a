"""Rows without a place are a list of rows, however they came and however many are taken at once."""

from hypothesis import given
from hypothesis import strategies as st

from drsim.agent.gathered import Gathered
from drsim.blocks.batch import RECORD, Kind
from drsim.blocks.payload import BytesPayload, Strip

WRITE = int(Kind.WRITE)
writes = st.tuples(
    st.integers(0, 1), st.lists(st.integers(0, 9), min_size=1, max_size=4), st.sampled_from([8, 16])
)
odd = st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from([Kind.TRIM, Kind.ZERO]))
takes = st.integers(1, 6)
HEAD = 3


def rows(batch) -> list[tuple]:
    columns = (batch.volume, batch.offset, batch.length, batch.kind)
    assert isinstance(batch.payload, BytesPayload)
    chunks = [bytes(chunk) for chunk in batch.payload.chunks]
    return list(zip(*(column.tolist() for column in columns), chunks, strict=True))


@given(st.lists(writes | odd | takes, max_size=20), st.integers(0, 200))
def test_rows_leave_in_the_order_in_which_they_came(steps, headroom):
    gathered, expected, last, at = Gathered(), [], 0, 0
    arena = memoryview(bytes(range(256)) * 8)  # as of a connection: messages one behind another
    for step in steps:
        if isinstance(step, int):
            count = min(step, gathered.rows)
            if not count:
                continue
            batch = gathered.take(count, last + 1, 2.5)
            assert batch.seq.tolist() == list(range(last + 1, last + count + 1))
            assert batch.time.tolist() == [2.5] * count
            assert rows(batch) == expected[:count]
            last, expected = last + count, expected[count:]
        elif isinstance(step[1], list):
            volume, offsets, length = step
            gathered.append(volume, offsets, Strip(arena, at + HEAD, HEAD + length, length, len(offsets)))
            for offset in offsets:
                expected.append((volume, offset, length, WRITE, bytes(arena[at + HEAD : at + HEAD + length])))
                at += HEAD + length
        else:
            volume, offset, kind = step
            gathered.append_one(volume, offset, 32, int(kind), b"")
            expected.append((volume, offset, 32, int(kind), b""))
        assert gathered.rows == len(expected)
        assert gathered.nbytes == sum(len(row[4]) for row in expected)
        if expected:
            limit = step if isinstance(step, int) else 7
            count, cost = 0, 0
            for row in expected[:limit]:
                cost += row[2] if row[3] == WRITE else RECORD
                if cost > headroom:
                    break
                count += 1
            assert gathered.affordable(limit, headroom) == max(1, count)
        touched = [(o, n, c) for v, o, n, _, c in expected if v == 1 and o < 6 and o + n > 4]
        assert [(o, n, bytes(c)) for o, n, c in gathered.over(1, 4, 6)] == touched
