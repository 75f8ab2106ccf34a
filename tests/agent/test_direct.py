"""Appends past the page cache: the same bytes as through it, wherever they end, and where the disk refuses."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.agent import direct
from drsim.agent.direct import Bounce, Direct

sizes = st.sampled_from([0, 1, 7, 100, 4095, 4096, 4097, 8192, 8193, 20_000])
appends = st.lists(
    st.tuples(st.lists(sizes, min_size=1, max_size=5), st.sampled_from([0, 5000, 1 << 14])), max_size=6
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(direct, "_PIECE", 8192)


@given(appends, st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)), st.booleans())
def test_what_was_appended_is_there_with_nothing_but_zeroes_behind_it(
    tmp_path_factory, appends, closed, forgotten, refused
):
    path = tmp_path_factory.mktemp("direct") / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    end, expected, number = Direct(path, fd, Bounce()), b"", 0
    end._refused = refused  # as by a file system that knows only pages
    for step, (parts, ahead) in enumerate(appends):
        buffers = [bytes([(number := number % 255 + 1)]) * size for size in parts]
        end.append(buffers, len(expected), ahead)
        expected += b"".join(buffers)
        found = path.read_bytes()
        assert found[: len(expected)] == expected
        assert not found[len(expected) :].strip(b"\0")
        if step in closed:
            end.close()
        if step in forgotten:
            end.forget()
    end.close()
    os.close(fd)


def test_what_a_disk_refuses_goes_through_the_page_cache_and_what_it_lost_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    real, seen = os.pwritev, []

    def pwritev(to, buffers, offset, flags):
        seen.append(to == fd)
        if to != fd:
            raise OSError(refusal, "refused")
        return real(to, buffers, offset, flags)

    monkeypatch.setattr(os, "pwritev", pwritev)
    refusal = 5  # EIO
    end = Direct(path, fd, Bounce())
    with pytest.raises(OSError, match="refused"):
        end.append([b"x" * 5000], 0)
    refusal = 22  # EINVAL
    end.append([b"x" * 5000], 0)
    end.append([b"y" * 5000], 5000)
    assert seen == [False, False, True, True]
    assert path.read_bytes() == b"x" * 5000 + b"y" * 5000
    os.close(fd)
