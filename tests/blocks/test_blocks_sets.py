"""Extents, bitmap and fold against Python's own sets and a byte-by-byte oracle."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.blocks import compiled, extents
from drsim.blocks.batch import RECORD, Kind, WriteBatch, concat, empty, repeated
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.digest import digests
from drsim.blocks.fold import _last_of, changed_blocks, fold
from drsim.blocks.payload import BytesPayload

rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(1, 25)), max_size=12)


def make(some: list[tuple[int, int, int]], unit: int = 1) -> extents.Extents:
    return extents.of(
        [v for v, _, _ in some], [a * unit for _, a, _ in some], [(a + n) * unit for _, a, n in some]
    )


def members(some: extents.Extents) -> set[tuple[int, int]]:
    return {(v, b) for v, a, z in some.rows() for b in range(a, z)}


@given(rows)
def test_merged_extents_are_the_same_bytes_sorted_and_apart(some):
    merged = make(some).merged()
    assert members(merged) == members(make(some))
    flat = list(merged.rows())
    assert flat == sorted(flat)
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in itertools.pairwise(flat))


@given(rows, st.integers(1, 9))
def test_split_keeps_the_bytes_and_the_limit(some, limit):
    pieces = make(some).split(limit)
    assert members(pieces) == members(make(some))
    assert all(z - a <= limit for _, a, z in pieces.rows())


@given(st.lists(rows, max_size=4), st.sampled_from([4096, 8192]), st.sampled_from([2, 5, 4096]))
def test_a_bitmap_tells_which_row_was_the_first_to_set_each_granule(batches, granularity, wide):
    bitmap, there = Bitmap(granularity), set()
    with mock.patch("drsim.blocks.bitmap._WIDE", wide):
        for marks in batches:
            marked = make(marks, granularity // 4)
            found = []
            for v, a, z in marked.rows():
                touched = {(v, g) for g in range(a // granularity, -(-z // granularity))}
                found.append(len(touched - there))
                there |= touched
            assert bitmap.enter(marked).tolist() == found
    assert granules(bitmap) == there


@given(rows, rows, st.integers(1, 6), st.sampled_from([4096, 8192]))
def test_a_bitmap_is_a_set_of_granules(marks, clears, limit, granularity):
    bitmap, twin = Bitmap(granularity), Bitmap(granularity)
    unit = granularity // 4
    marked = make(marks, unit)
    fresh = bitmap.mark(marked)
    wanted = {(v, g) for v, a, z in marked.rows() for g in range(a // granularity, -(-z // granularity))}
    assert fresh == bool(wanted)
    assert not bitmap.mark(marked)
    gone = make(clears, unit)
    bitmap.clear(gone)
    wanted -= {(v, g) for v, a, z in gone.rows() for g in range(-(-a // granularity), z // granularity)}
    assert granules(bitmap) == wanted
    assert bitmap.nbytes == len(wanted) * granularity
    assert bool(bitmap) == bool(wanted)
    twin.merge(bitmap)
    found = set()
    for volume in bitmap.volumes():
        while len(part := bitmap.pop(limit * granularity, volume, 0).extents()):
            assert 0 < part.nbytes <= limit * granularity
            found |= {(v, g) for v, a, z in part.rows() for g in range(a // granularity, z // granularity)}
    assert found == wanted
    assert not bitmap
    other = twin.copy()
    twin.subtract(other)
    assert not twin
    assert granules(other) == wanted


def granules(bitmap: Bitmap) -> set[tuple[int, int]]:
    g = bitmap.granularity
    return {(v, b) for v, a, z in bitmap.extents().rows() for b in range(a // g, z // g)}


def test_a_whole_terabyte_is_marked_and_popped_in_runs():
    bitmap = Bitmap(4096)
    bitmap.mark(extents.of([0], [0], [1 << 40]))
    assert bitmap.nbytes == 1 << 40
    assert list(bitmap.pop(1 << 20, 0, 0).extents().rows()) == [(0, 0, 1 << 20)]
    assert list(bitmap.pop(1 << 20, 0, 1 << 30).extents().rows()) == [(0, 1 << 30, (1 << 30) + (1 << 20))]


@pytest.mark.parametrize("granularity", [2048, 5000, 2 << 20])
def test_other_granularities_are_refused(granularity):
    with pytest.raises(ValueError, match="granularity"):
        Bitmap(granularity)


UNIT = 16
BLOCK = 4 * UNIT
writes = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(0, 12), st.integers(1, 11), st.sampled_from([*Kind, Kind.WRITE])
    ),
    min_size=1,
    max_size=14,
)


def batch_of(some: list[tuple[int, int, int, int]], unit: int = UNIT) -> WriteBatch:
    n = len(some)
    chunks = [
        bytes([i % 250 + 1]) * (m * unit) if k == Kind.WRITE else b"" for i, (_, _, m, k) in enumerate(some)
    ]
    return WriteBatch(
        np.arange(1, n + 1),
        np.arange(n, dtype=float),
        np.array([v for v, _, _, _ in some], np.uint16),
        np.array([o * unit for _, o, _, _ in some]),
        np.array([m * unit for _, _, m, _ in some]),
        np.array([k for _, _, _, k in some], np.uint8),
        BytesPayload(chunks),
    )


def image(batch: WriteBatch) -> dict[int, bytearray]:
    volumes = {0: bytearray(32 * BLOCK), 1: bytearray(32 * BLOCK)}
    for i in range(len(batch)):
        a, n = int(batch.offset[i]), int(batch.length[i])
        content = batch.payload.of(i) if batch.kind[i] == Kind.WRITE else bytes(n)
        assert len(content) == n
        volumes[int(batch.volume[i])][a : a + n] = content
    return volumes


@given(writes, st.booleans())
def test_folding_keeps_the_image(some, aligned):
    batch = batch_of(some, BLOCK if aligned else UNIT)
    folded = fold(batch, BLOCK)
    assert image(folded) == image(batch)
    assert len(folded) <= len(batch)
    assert (np.diff(folded.seq) > 0).all()
    assert folded.last == batch.last
    assert set(folded.seq.tolist()) <= set(batch.seq.tolist())


@given(st.lists(st.integers(0, 9) | st.integers(0, 2**62), min_size=1, max_size=40))
def test_the_last_row_of_each_key_is_the_same_by_loop_and_by_column(keys):
    wanted = [key not in keys[row + 1 :] for row, key in enumerate(keys)]
    for way in ("never", "interpreted", *(["always"] if compiled.available() else [])):
        before = compiled.use(way)
        try:
            assert _last_of(np.array(keys)).tolist() == wanted
        finally:
            compiled.use(before)


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1, max_size=4),
    st.sampled_from([(4096, 4096), (8192, 8192), (8192, 4096), (12288, 4096), (1 << 20, 1 << 42)]),
    st.sampled_from([0, 3, None]),
    st.booleans(),
)
def test_parts_folded_by_loops_are_those_joined_and_folded_by_columns(parts, sizes, volume, trimmed):
    (size, unit), made, at = sizes, [], 0
    for blocks in parts:
        n = len(blocks)
        at += n
        alike = (
            np.array([size]),
            np.array([volume or 0], np.uint16),
            np.array([Kind.TRIM if trimmed else 0], np.uint8),
        )
        length, zeros, kind = (repeated(each, n) for each in alike)
        volumes = zeros if volume is not None else np.arange(n).astype(np.uint16) % 2
        seq = np.arange(at - n + 1, at + 1)
        made.append(WriteBatch(seq, seq * 0.25, volumes, np.array(blocks) * unit, length, kind))
    found = []
    for way in ("never", "interpreted", *(["always"] if compiled.available() else [])):
        before = compiled.use(way)
        try:
            kept = changed_blocks(made)
        finally:
            compiled.use(before)
        columns = kept.seq, kept.time, kept.volume, kept.offset, kept.length, kept.kind
        found.append([(column.dtype, column.tolist()) for column in columns])
    assert all(each == found[0] for each in found)
    if size <= unit:  # no two writes overlap in part
        rows = [
            (v, o) for each in made for v, o in zip(each.volume.tolist(), each.offset.tolist(), strict=True)
        ]
        assert found[0][0][1] == [i for i, row in enumerate(rows, 1) if row not in rows[i:]]


@given(writes)
def test_of_aligned_single_block_writes_one_a_block_remains(some):
    batch = batch_of([(v, o, 1, k) for v, o, _, k in some], BLOCK)
    assert len(fold(batch, BLOCK)) == len({(v, o) for v, o, _, _ in some})


@given(writes, st.integers(0, 14))
def test_a_batch_is_cut_and_joined_without_a_trace(some, cut):
    batch = batch_of(some)
    again = concat([batch.through(cut), batch.after(cut)])
    assert again.seq.tolist() == batch.seq.tolist()
    assert image(again) == image(batch)
    assert batch.nbytes == sum(m * UNIT if k == Kind.WRITE else RECORD for _, _, m, k in some)
    assert empty().nbytes == 0


def test_digests_tell_contents_apart_and_zeros_alike():
    batch = batch_of(
        [(0, 0, 1, Kind.WRITE), (0, 0, 1, Kind.ZERO), (0, 0, 1, Kind.TRIM), (0, 0, 1, Kind.WRITE)]
    )
    a, zero, trim, b = digests(batch).tolist()
    assert zero == trim == 0
    assert len({a, b, zero}) == 3
