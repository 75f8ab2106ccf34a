"""Many writes by one call leave what they would leave one by one, and say as much when they cannot."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.agent.scatter import Plan, Scatter
from drsim.agent.volumes import Volumes
from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.payload import BytesPayload, Strip

SIZE = 256 * 512
runs = st.tuples(st.integers(1, 120), st.sampled_from([512, 512, 512, 1024]), st.sampled_from([1, 2]))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    made = Volumes({name: (folder / name, SIZE) for name in ("a", "b")})
    if not made.scatter.able:
        pytest.skip("this kernel takes no writes together (io_submit)")
    yield made
    made.close()


def batch_of(given_runs, seed: int, kind: int = Kind.WRITE) -> WriteBatch:
    """Give a batch of runs of writes, each as a strip with three bytes between contents."""
    rng = np.random.default_rng(seed)
    columns, strips = [], []
    for where, length in given_runs:
        buffer = rng.integers(0, 256, 3 + len(where) * (length + 3), np.uint8)
        strips.append(Strip(buffer.data, 3, length + 3, length, len(where)))
        columns += [(volume, 512 * block, length) for volume, block in where]
    volume, offset, length = np.array(columns).T
    n = len(columns)
    kinds = np.full(n, kind, np.uint8)
    payload = BytesPayload.laid(strips)
    return WriteBatch(
        np.arange(1, n + 1), np.zeros(n), volume.astype(np.uint16), offset, length, kinds, payload
    )


def land(volumes: Volumes, batch: WriteBatch) -> None:
    """Carry out a batch, together if it may be."""
    if (together := volumes.together(batch)) is None:
        volumes.apply(batch)
    else:
        together.carry_out()
        together.settle()


def contents(volumes: Volumes) -> list[bytes]:
    return [image.read(0, SIZE) for image in volumes.images]


def one_by_one(before: list[bytes], batch: WriteBatch) -> list[bytes]:
    images = [bytearray(image) for image in before]
    for row in range(len(batch)):
        at, content = int(batch.offset[row]), batch.payload.of(row)
        images[batch.volume[row]][at : at + len(content)] = content
    return [bytes(image[:SIZE]) for image in images]


@given(st.lists(runs, min_size=1, max_size=4), st.integers(0, 1 << 30))
def test_writes_together_leave_what_they_leave_one_by_one(volumes, some, seed):
    """Runs of so many writes of one length to places that are so many blocks of 512 bytes apart at least."""
    rng = np.random.default_rng(seed)
    places = [
        [(int(rng.integers(2)), step * int(rng.integers(250 // step))) for _ in range(n)]
        for n, _, step in some
    ]
    batch = batch_of([(where, length) for where, (_, length, _) in zip(places, some, strict=True)], seed)
    expected = one_by_one(contents(volumes), batch)
    alike = len({length for _, length, _ in some}) == 1 and all(512 * step >= n for _, n, step in some)
    if len(batch) >= 64 and alike and len({step for _, _, step in some}) == 1:
        assert volumes.together(batch) is not None  # equal places only: what this is for
    land(volumes, batch)
    assert contents(volumes) == expected


def test_writes_to_one_place_again_and_again_are_made_once_and_the_last_stays(volumes):
    batch = batch_of([([(0, 5)] * 40 + [(1, 5)] * 40, 512)], 1)
    together = volumes.together(batch)
    assert together.rows.tolist() == [39, 79]
    land(volumes, batch)
    assert contents(volumes)[1][5 * 512 : 6 * 512] == batch.payload.of(79)


def test_trims_few_writes_and_such_as_overlap_in_part_go_one_by_one(volumes):
    apart = [(n % 2, 2 * n) for n in range(70)]
    assert volumes.together(batch_of([(apart, 1024)], 1)) is not None
    assert volumes.together(batch_of([(apart, 1024)], 1, Kind.TRIM)) is None
    assert volumes.together(batch_of([(apart[:63], 1024)], 1)) is None
    assert volumes.together(batch_of([(apart, 4096)], 1)) is None
    volumes.guard = lambda _: None
    assert volumes.together(batch_of([(apart, 1024)], 1)) is None
    volumes.guard = None


def test_a_call_that_the_kernel_cut_short_is_made_good(volumes, monkeypatch):
    batch = batch_of([([(0, n) for n in range(70)], 512)], 7)
    expected = one_by_one(contents(volumes), batch)

    def half(self: Scatter, plan: Plan) -> None:
        """As a kernel that wrote every other row, and 100 bytes of the rest."""
        for row, control in enumerate(plan.controls):
            content = batch.payload.of(int(control["data"]))[: 512 if row % 2 else 100]
            os.pwrite(int(control["fd"]), content, int(control["offset"]))
            plan.events[row] = row, 0, len(content), 0

    monkeypatch.setattr(Scatter, "carry_out", half)
    land(volumes, batch)
    assert contents(volumes) == expected


def test_more_writes_than_fit_a_call_are_made_in_several(volumes):
    batch = batch_of([([(n % 2, n // 2 % 60) for n in range(1500)], 512)], 3)
    together = volumes.together(batch)
    plan = together.plan
    rows = np.arange(1500) % len(plan.controls)
    columns = [plan.controls[name][rows].astype(np.int64) for name in ("fd", "address", "nbytes", "offset")]
    again = Plan(*columns)
    volumes.scatter.carry_out(again)
    assert again.short().size == 0
    assert (again.events["result"] == 512).all()
    assert sorted(again.events["data"].tolist()) == list(range(1500))


def test_a_file_that_refuses_is_an_error_of_the_disk(tmp_path, volumes):
    path = tmp_path / "f"
    path.touch()
    source = np.zeros(4096, np.uint8)
    address = source.__array_interface__["data"][0]
    fd = os.open(path, os.O_RDONLY)
    columns = [np.full(20, value) for value in (fd, address, 16)]
    plan = Plan(*columns, np.arange(20) * 16)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        volumes.scatter.carry_out(plan)
    os.close(fd)
    plan.events["result"] = 16
    plan.events["result"][3] = -errno.ENOSPC
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as told:
        plan.short()
    assert told.value.errno == errno.ENOSPC


def test_where_the_kernel_has_no_such_call_writes_are_made_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("drsim.agent.scatter._SETUP", -1)
    made = Volumes({name: (tmp_path / name, SIZE) for name in ("a", "b")})
    assert not made.scatter.able
    batch = batch_of([([(0, n) for n in range(70)], 512)], 7)
    land(made, batch)
    assert contents(made) == one_by_one([bytes(SIZE)] * 2, batch)
    made.close()
