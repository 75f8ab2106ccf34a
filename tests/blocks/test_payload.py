"""Contents that lie in strips are the same contents as one object for each write."""

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks import payload as room
from drsim.blocks.payload import BytesPayload, Strip


@st.composite
def strips(draw) -> Strip:
    length, count = draw(st.integers(0, 6)), draw(st.integers(1, 5))
    step = length + draw(st.integers(0, 3))
    start, rest = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    buffer = draw(st.binary(min_size=start + step * count + rest, max_size=start + step * count + rest))
    return Strip(draw(st.sampled_from([bytes, bytearray, memoryview]))(buffer), start, step, length, count)


def plain(payload: BytesPayload) -> list[bytes]:
    return [bytes(chunk) for chunk in payload.chunks]


def lying(found: list[Strip]) -> list[bytes]:
    return [bytes(s.buffer)[s.start + i * s.step :][: s.length] for s in found for i in range(s.count)]


@given(st.lists(strips(), max_size=5), st.lists(strips(), max_size=3), st.data())
def test_strips_are_sliced_chosen_cut_and_joined_as_their_contents_are(some, more, data):
    contents, payload = lying(some), BytesPayload.laid(some)
    n = len(contents)
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    rows = data.draw(st.lists(st.integers(0, n - 1), max_size=4)) if n else []
    assert (len(payload), payload.nbytes) == (n, sum(map(len, contents)))
    for small in (0, 1 << 20):  # copied strip by strip, and joined one by one
        with patch.object(room, "_SMALL", small):
            assert bytes(payload.joined()) == b"".join(contents)
    lengths = {len(content) for content in contents}
    assert payload.alike == (next(iter(lengths)) if len(lengths) == 1 else None)
    if payload.alike:
        for same in (payload, BytesPayload(contents)):
            assert same.alike == payload.alike
            same.lay(table := np.zeros((n, payload.alike + 2), np.uint8)[:, 1:-1])
            assert table.tobytes() == b"".join(contents)
    assert plain(payload.slice(start, stop)) == contents[start:stop]
    assert plain(payload.concat([BytesPayload.laid(more)])) == contents + lying(more)
    assert plain(payload.concat([BytesPayload(lying(more))])) == contents + lying(more)
    assert plain(payload.take(np.array(rows, np.int64))) == [contents[row] for row in rows]
    cuts = [(row, *sorted(data.draw(st.tuples(*[st.integers(0, len(contents[row]))] * 2)))) for row in rows]
    spans = [np.array(column, np.int64) for column in zip(*[(r, a, b - a) for r, a, b in cuts], strict=True)]
    assert plain(payload.cut(*(spans or [np.empty(0, np.int64)] * 3))) == [
        contents[r][a:b] for r, a, b in cuts
    ]
    assert plain(payload) == contents
    assert [payload.of(row) for row in range(n)] == contents


@given(strips(), st.integers(0, 5))
def test_a_strip_goes_on_with_what_lies_right_behind_it(strip, at):
    at = min(at, strip.count)
    near, far = strip.slice(0, at), strip.slice(at, strip.count)
    assert near.goes_on(far)
    assert not near.goes_on(Strip(strip.buffer, far.start, strip.step, strip.length + 1, 1))
    assert not near.goes_on(Strip(bytearray(strip.buffer), far.start, strip.step, strip.length, 1))
