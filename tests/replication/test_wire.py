"""The wire: what is encoded is decoded, its size is known beforehand, and rubbish is refused without harm."""

import contextlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks import extents
from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload
from drsim.replication import frames as fr
from drsim.replication import trains
from drsim.replication.codec import BODIES, WireError
from drsim.replication.decode import Decoder, decode
from drsim.replication.generations import Lineage
from drsim.replication.wire import Encoder, encode, wire_size, wire_sizes

number = st.integers(0, 2**63 - 1)
small = st.integers(0, 2**32 - 1)
texts = st.text(max_size=12)
lineages = st.builds(Lineage, current=number, base=number, history=st.lists(number, max_size=8).map(tuple))


@st.composite
def batches(draw: st.DrawFn, ordered: bool = True) -> WriteBatch:
    n = draw(st.integers(1, 5))
    seq = np.cumsum(draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)))
    kind = draw(st.lists(st.sampled_from(list(Kind)), min_size=n, max_size=n))
    length = draw(st.lists(st.integers(1, 700), min_size=n, max_size=n))
    chunks = [
        draw(st.binary(min_size=m, max_size=m)) if k == Kind.WRITE else b""
        for m, k in zip(length, kind, strict=True)
    ]
    return WriteBatch(
        seq if ordered else np.zeros(n, np.int64),
        np.sort(draw(st.lists(st.floats(0, 1e9), min_size=n, max_size=n))) if ordered else np.zeros(n),
        np.array(draw(st.lists(st.integers(0, 65535), min_size=n, max_size=n)), np.uint16),
        np.array(draw(st.lists(st.integers(0, 2**50), min_size=n, max_size=n))),
        np.array(length),
        np.array(kind, np.uint8),
        BytesPayload(chunks),
    )


@st.composite
def runs(draw: st.DrawFn) -> extents.Extents:
    rows = draw(
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2**40), st.integers(1, 2**20)), max_size=5)
    )
    return extents.of([v for v, _, _ in rows], [a for _, a, _ in rows], [a + n for _, a, n in rows])


@st.composite
def hashes(draw: st.DrawFn) -> fr.Hashes:
    some = draw(runs())
    digest = draw(st.lists(st.integers(0, 2**64 - 1), min_size=len(some), max_size=len(some)))
    return fr.Hashes(draw(number), draw(number), some, np.array(digest, np.uint64), draw(number))


FRAMES = {
    fr.Hello: st.builds(fr.Hello, number, texts, lineages, number, number, st.booleans()),
    fr.Welcome: st.builds(fr.Welcome, number, lineages, number, number, st.booleans()),
    fr.Refuse: st.builds(fr.Refuse, number, texts),
    fr.Data: st.builds(fr.Data, number, batches(), st.just(0), st.booleans()),
    fr.Ack: st.builds(fr.Ack, number, st.lists(st.integers(1, 99), min_size=1, max_size=5).map(np.cumsum)),
    fr.Checkpoint: st.builds(fr.Checkpoint, number, number, texts),
    fr.Applied: st.builds(fr.Applied, number, number),
    fr.ResyncBegin: st.builds(fr.ResyncBegin, number, number),
    fr.Ready: st.builds(fr.Ready, number, number),
    fr.Resync: st.builds(fr.Resync, number, number, batches(ordered=False)),
    fr.ResyncAck: st.builds(fr.ResyncAck, number, number, small),
    fr.ResyncEnd: st.builds(fr.ResyncEnd, number, number),
    fr.Regained: st.builds(fr.Regained, number, number),
    fr.Hashes: hashes(),
    fr.Differ: st.builds(
        fr.Differ, number, number, st.lists(st.booleans(), max_size=20).map(lambda b: np.array(b, bool))
    ),
    fr.Dirt: st.builds(fr.Dirt, number, runs(), small),
    fr.Pause: st.builds(fr.Pause, number),
    fr.Proceed: st.builds(fr.Proceed, number),
    fr.Ping: st.builds(fr.Ping, number),
    fr.Pong: st.builds(fr.Pong, number),
}
any_frame = st.one_of(list(FRAMES.values()))


def text(value: object) -> object:
    """A frame as plain values, to be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, BytesPayload):
        return [bytes(c) for c in value.chunks]
    if isinstance(value, (WriteBatch, extents.Extents)) or type(value).__module__ == fr.__name__:
        fields = [f for f in value.__dataclass_fields__ if not f.startswith("_")]
        return (type(value).__name__, *(text(getattr(value, f)) for f in fields))
    return value


def test_every_frame_is_known_to_the_wire():
    assert set(FRAMES) == {kind for kind, _, _ in BODIES.values()} | {fr.Data, fr.Ack, fr.Resync}


@st.composite
def long_trains(draw: st.DrawFn) -> fr.Data:
    """Many plain writes of one size or several, with some here and there that are not."""
    n, size = draw(st.integers(14, 90)), draw(st.integers(1, 40))
    odd = draw(st.dictionaries(st.integers(0, n - 1), st.sampled_from(["trim", "long", "jump"]), max_size=3))
    seq = np.cumsum([7 if odd.get(i) == "jump" else 1 for i in range(n)])
    several, volumes = draw(st.sampled_from([1, 1, 2, 5])), draw(st.integers(1, 3))
    length = np.array([size + i % several + (odd.get(i) == "long") for i in range(n)])
    kind = np.array([Kind.TRIM if odd.get(i) == "trim" else Kind.WRITE for i in range(n)], np.uint8)
    chunks = [
        b"" if k == Kind.TRIM else bytes([i]) * m for i, (k, m) in enumerate(zip(kind, length, strict=True))
    ]
    where = np.arange(n, dtype=np.int64) * draw(st.integers(0, 2**40))
    batch = WriteBatch(
        seq,
        np.full(n, 2.5),
        np.arange(n, dtype=np.uint16) % volumes,
        where,
        length,
        kind,
        BytesPayload(chunks),
    )
    return fr.Data(draw(number), batch, 0, draw(st.booleans()))


@given(long_trains(), st.lists(st.integers(0, 6000), max_size=4))
def test_many_alike_are_taken_as_one_by_one(frame, cuts):
    raw = encode(frame)
    ones = Decoder()
    ends = np.cumsum(wire_sizes(frame)).tolist()
    single = [f for a, b in itertools.pairwise([0, *ends]) for f in ones.feed(raw[a:b])]
    for edges in ([0, len(raw)], sorted({0, len(raw), *(cut % len(raw) for cut in cuts)})):
        decoder = Decoder()
        many = [f for a, b in itertools.pairwise(edges) for f in decoder.feed(raw[a:b])]
        assert rows_of(many) == rows_of(single) == rows_of([frame])
    (whole,) = Decoder().feed(raw)
    assert text(whole) == text(frame)


@given(long_trains(), st.integers(0, 2**32 - 1))
def test_many_alike_are_sent_as_one_by_one(frame, number):
    """However many frames are made at once, and whatever their numbers are, the bytes are the same."""
    together, apart = Encoder(), Encoder()
    together._number = apart._number = number
    ones = [trains.part(frame, row, row + 1) for row in range(len(frame.batch))]
    assert together.encode(frame) == b"".join(map(apart.encode, ones))
    assert together._number == apart._number


@given(long_trains(), st.data())
def test_one_flipped_bit_among_many_alike_is_found_where_it_is(frame, data):
    """What is wrong is said as if the frames had come one by one."""
    raw = bytearray(encode(frame))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    assert said([raw]) == said([raw[begin : begin + 50] for begin in range(0, len(raw), 50)])


def said(pieces: list[bytearray]) -> object:
    """What a decoder says of bytes that come in pieces: why they are refused, or how many frames are whole."""
    decoder = Decoder()
    try:
        return len(rows_of([frame for piece in pieces for frame in decoder.feed(bytes(piece))]))
    except WireError as error:
        return str(error)


@pytest.mark.parametrize("sizes", [[4096], [4096, 8192, 4096]], ids=["alike", "of several sizes"])
def test_many_are_not_taken_one_by_one(monkeypatch, sizes):
    n = 60
    length = np.array(sizes * (n // len(sizes)))
    chunks = BytesPayload([bytes(each) for each in length.tolist()])
    columns = np.arange(n), length, np.zeros(n, np.uint8), chunks
    batch = WriteBatch(np.arange(1, n + 1), np.zeros(n), np.arange(n, dtype=np.uint16) % 2, *columns)
    raw = encode(fr.Data(1, batch, 0))
    monkeypatch.setattr(Decoder, "_whole", None)
    assert len(rows_of(Decoder().feed(raw))) == n


@given(any_frame)
def test_decode_gives_back_what_was_encoded_and_the_size_was_known(frame):
    raw = encode(frame)
    assert len(raw) == wire_size(frame) == wire_sizes(frame).sum()
    assert text(decode(raw)) == text(frame)


@given(FRAMES[fr.Data], st.integers(1, 4))
def test_a_train_is_as_large_however_it_is_cut(frame, cut):
    cut = min(cut, len(frame.batch))
    parts = [fr.Data(1, frame.batch.slice(0, cut), 0)]
    if cut < len(frame.batch):
        parts.append(fr.Data(1, frame.batch.slice(cut, len(frame.batch)), int(frame.batch.seq[cut - 1])))
    encoder = Encoder()
    whole = encode(fr.Data(1, frame.batch, 0))
    assert b"".join(encoder.encode(p) for p in parts) == whole


@given(st.lists(any_frame, min_size=1, max_size=4), st.data())
def test_a_connection_may_be_read_in_any_pieces(frames, data):
    encoder = Encoder(level=data.draw(st.sampled_from([None, 3])))
    raw = b"".join(encoder.encode(f) for f in frames)
    decoder, got = Decoder(), []
    while raw:
        n = data.draw(st.integers(1, len(raw)))
        got += decoder.feed(raw[:n])
        raw = raw[n:]
    assert rows_of(got) == rows_of(frames)


def rows_of(frames: list[fr.Frame]) -> list[object]:
    """Trains as their members, since neighbours may have been joined."""
    flat: list[object] = []
    for f in frames:
        if isinstance(f, fr.Data):
            previous = [f.previous, *f.batch.seq[:-1].tolist()]
            flat += [
                text(fr.Data(f.session, f.batch.slice(i, i + 1), p, f.folded)) for i, p in enumerate(previous)
            ]
        elif isinstance(f, fr.Resync):
            flat += [
                text(fr.Resync(f.session, f.ticket, f.batch.slice(i, i + 1))) for i in range(len(f.batch))
            ]
        elif isinstance(f, fr.Ack):
            flat += [text(fr.Ack(f.session, f.seq[i : i + 1])) for i in range(len(f.seq))]
        else:
            flat.append(text(f))
    return flat


@given(any_frame, st.data())
def test_one_flipped_bit_is_never_taken(frame, data):
    raw = bytearray(encode(frame))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    decoder = Decoder()
    try:
        got = decoder.feed(bytes(raw))
    except WireError:
        with pytest.raises(WireError):
            decoder.feed(b"")
    else:
        # Only a size that grew looks like a frame still to come; of a train, the rows before it are sound.
        assert len(rows_of(got)) < len(rows_of([frame]))


@given(any_frame, st.data())
def test_a_cut_at_any_byte_gives_no_half_frame(frame, data):
    raw = encode(frame)
    cut = data.draw(st.integers(0, len(raw) - 1))
    assert len(rows_of(Decoder().feed(raw[:cut]))) < len(rows_of([frame]))


@given(any_frame, any_frame)
def test_replayed_and_reordered_frames_are_refused(a, b):
    encoder = Encoder()
    first, second = encoder.encode(a), encoder.encode(b)
    with pytest.raises(WireError):
        Decoder().feed(first + first)
    with pytest.raises(WireError):
        Decoder().feed(second + first)


@given(st.binary(max_size=400))
def test_rubbish_is_refused_or_waited_for(rubbish):
    with contextlib.suppress(WireError):
        assert Decoder().feed(rubbish) == []


@given(any_frame, st.data())
def test_a_well_sealed_but_hostile_body_is_refused(frame, data):
    """An attacker can compute checksums: every content must still be refused or be a sound frame."""
    import google_crc32c

    raw = bytearray(encode(frame))
    size = int.from_bytes(raw[4:8], "little")
    raw = raw[:size]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(24, len(raw) - 1)) if len(raw) > 24 else 3
        raw[at] = data.draw(st.integers(0, 255))
    crc = google_crc32c.extend(google_crc32c.value(bytes(raw[:20])), bytes(raw[24:]))
    raw[20:24] = crc.to_bytes(4, "little")
    try:
        for got in Decoder(largest=1 << 16).feed(bytes(raw)):
            assert wire_size(got) < 1 << 17
    except WireError:
        pass


def test_a_huge_frame_is_refused_before_it_is_awaited():
    raw = bytearray(encode(fr.Ping(1)))
    raw[4:8] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(WireError, match="out of bounds"):
        Decoder().feed(bytes(raw))


def test_a_compression_bomb_is_refused():
    batch = WriteBatch(
        np.array([1]),
        np.array([0.0]),
        np.array([0], np.uint16),
        np.array([0]),
        np.array([1 << 20]),
        np.array([0], np.uint8),
        BytesPayload([bytes(1 << 20)]),
    )
    raw = Encoder(level=3).encode(fr.Data(1, batch, 0))
    assert len(raw) < 1000
    with pytest.raises(WireError, match="out of bounds"):
        Decoder(largest=1 << 16).feed(raw)


def test_a_simulated_batch_cannot_be_encoded():
    batch = WriteBatch(
        np.array([1]),
        np.array([0.0]),
        np.array([0], np.uint16),
        np.array([0]),
        np.array([4096]),
        np.array([0], np.uint8),
    )
    assert wire_size(fr.Data(1, batch, 0)) == 68 + 4096
    with pytest.raises(ValueError, match="no bytes"):
        encode(fr.Data(1, batch, 0))
