"""Files of the agent: what was durable is found again after any cut, and any flipped bit is noticed."""

import errno
import os
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.agent import disk, legfiles, records
from drsim.agent import journal as journals
from drsim.agent.bitmap_file import BitmapFile
from drsim.agent.disk import FileImage, replace_file
from drsim.agent.journal import Journal
from drsim.agent.marks import Marks, MarksDamagedError
from drsim.agent.records import DamagedError, FormatError
from drsim.agent.snapshots import SnapshotImage, Snapshots
from drsim.agent.volumes import Volumes
from drsim.agent.watermark import Watermark
from drsim.blocks.batch import Kind, WriteBatch
from drsim.blocks.extents import of
from drsim.blocks.payload import BytesPayload
from drsim.replication.generations import Lineage
from drsim.replication.headers import SourceHeader

BLOCK = 4096


def batch(first: int, *writes: tuple) -> WriteBatch:
    """Make writes of (volume, block, blocks, content byte); content None is a trim."""
    n = len(writes)
    kind = [Kind.TRIM if c is None else Kind.WRITE for *_, c in writes]
    return WriteBatch(
        np.arange(first, first + n),
        np.full(n, 1.5),
        np.array([w[0] for w in writes], np.uint16),
        np.array([w[1] * BLOCK for w in writes], np.int64),
        np.array([w[2] * BLOCK for w in writes], np.int64),
        np.array(kind, np.uint8),
        BytesPayload(b"" if c is None else bytes([c]) * (size * BLOCK) for _, _, size, c in writes),
    )


def rows(found: WriteBatch) -> list[tuple]:
    return [
        (s, v, o, n, k, found.payload.of(i)[:1])
        for i, (s, v, o, n, k) in enumerate(
            zip(
                found.seq.tolist(), found.volume.tolist(), found.offset.tolist(), found.length.tolist(),
                found.kind.tolist(), strict=True,
            )
        )
    ]  # fmt: skip


def filled(folder, segment_bytes=20_000):
    journal = Journal(folder, segment_bytes)
    for first in range(1, 21, 2):
        journal.append([batch(first, (0, first, 1, first), (1, 2, 3, None))])
    return journal


def test_a_journal_gives_back_what_was_appended(tmp_path):
    journal = filled(tmp_path / "j")
    assert (journal.first, journal.last) == (1, 20)
    assert len(list((tmp_path / "j").glob("*.seg"))) > 2
    assert rows(journal.read(4, 7)) == [
        (4, 1, 2 * BLOCK, 3 * BLOCK, Kind.TRIM, b""),
        (5, 0, 5 * BLOCK, BLOCK, Kind.WRITE, b"\5"),
        (6, 1, 2 * BLOCK, 3 * BLOCK, Kind.TRIM, b""),
        (7, 0, 7 * BLOCK, BLOCK, Kind.WRITE, b"\7"),
    ]
    again = Journal(tmp_path / "j", 20_000)
    assert (again.first, again.last, again.damage) == (1, 20, [])
    assert rows(again.read(1, 20)) == rows(journal.read(1, 20))


def test_trimming_deletes_whole_segments_and_never_more(tmp_path):
    journal = filled(tmp_path / "j")
    for through in range(21):
        journal.trim(through)
        assert journal.first <= through + 1
        assert [r[0] for r in rows(journal.read(through + 1, 20))] == list(range(through + 1, 21))
    assert len(list((tmp_path / "j").glob("*.seg"))) == 1
    again = Journal(tmp_path / "j", 20_000)
    assert again.last == 20, "a journal whose every write is trimmed still knows where the order stands"


def test_a_small_append_makes_room_for_those_to_come_unless_the_disk_has_none(tmp_path, monkeypatch):
    """Within the room no metadata changes; what lies there is no record, and never becomes one."""
    sizes = []
    journal = Journal(tmp_path / "j")
    for number in range(1, 400):
        journal.append([batch(number, (0, number, 1, number % 255 + 1))])
        (path,) = (tmp_path / "j").glob("*.seg")
        sizes.append(path.stat().st_size)
    assert len(set(sizes)) == 2, "room is made a piece at a time"
    again = Journal(tmp_path / "j")
    assert (again.last, again.damage) == (399, [])
    real = disk.append_durably

    def full(fd, buffers, offset):
        if len(buffers[-1]) > 100_000:
            raise OSError(errno.ENOSPC, "no room for room")
        real(fd, buffers, offset)

    monkeypatch.setattr(disk, "append_durably", full)
    again.append([batch(400, (0, 7, 1, 9))])
    assert Journal(tmp_path / "j").last == 400
    monkeypatch.setattr(disk, "append_durably", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "lost")))
    with pytest.raises(OSError, match="lost"):
        again.append([batch(401, (0, 8, 1, 9))])
    assert Journal(tmp_path / "j").last == 400


def forget(folder, durable: int) -> None:
    """Set the mark of what is known to be durable back, as a crash of the whole machine may."""
    mark = Watermark(folder / "durable")
    mark.put(durable)
    mark.close()


def written(path) -> bytes:
    """A segment without the room that a small append makes behind itself."""
    raw = path.read_bytes()
    assert len(raw) > 1 << 20
    return raw.rstrip(b"\0")


def test_a_torn_tail_is_cut_off_wherever_it_was_torn(tmp_path):
    """Every length of the last record, from nothing to all but one byte."""
    journal = Journal(tmp_path / "j")
    journal.append([batch(1, (0, 0, 1, 1)), batch(2, (0, 1, 1, 2))])
    (path,) = (tmp_path / "j").glob("*.seg")
    whole = written(path)
    half = len(whole) // 2
    assert whole[:4] == whole[half : half + 4] == b"DRJ1"
    for cut in [*range(half, half + 200), *range(half + 200, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:cut] + bytes(cut % 2 * 5000))  # with room behind it, and without
        forget(tmp_path / "j", 1)
        again = Journal(tmp_path / "j")
        assert (again.last, again.damage) == (1, [])
        again.append([batch(2, (0, 7, 1, 9))])
        again.close()
        assert rows(Journal(tmp_path / "j").read(1, 9))[1][2] == 7 * BLOCK


@pytest.mark.parametrize("hurt_record", [0, 2, 4])
def test_a_flipped_bit_in_what_was_durable_is_damage_and_says_which_blocks(tmp_path, hurt_record):
    """The last record too: that it was durable is known, so it is no torn append."""
    journal = Journal(tmp_path / "j")
    journal.append([batch(n, (0, n, 1, n)) for n in range(1, 6)])
    (path,) = (tmp_path / "j").glob("*.seg")
    whole = written(path)
    record = len(whole) // 5
    for at in (3, 60, 500, record - 1):
        hurt = bytearray(whole)
        hurt[record * hurt_record + at] ^= 0x10
        path.write_bytes(hurt)
        again = Journal(tmp_path / "j")
        (damage,) = again.damage
        if at > 200:  # the content is hurt, the columns are whole: the walk goes on behind it
            assert damage.batch.offset.tolist() == [(hurt_record + 1) * BLOCK]
            assert again.last == 5
            assert len(list(again.walk(1, skip=True))) == 4
            with pytest.raises(DamagedError):
                list(again.walk(1))
        else:
            assert damage.batch is None
            assert len(list(again.walk(1, skip=True))) == hurt_record
        again.close()


@pytest.mark.parametrize("foreign", [0, 1, 2])
def test_what_a_later_version_has_written_is_refused_by_name_and_left_alone(tmp_path, foreign):
    journal = Journal(tmp_path / "j")
    journal.append([batch(n, (0, n, 1, n)) for n in (1, 2, 3)])
    (path,) = (tmp_path / "j").glob("*.seg")
    later = bytearray(written(path))
    at = len(later) // 3 * foreign
    later[at : at + 12] = b"DRJ3later or"
    path.write_bytes(later)
    said = rf"byte {at}: a record in format DRJ3, and drsim \S+ reads DRJ1 and DRJ2: start the version"
    with pytest.raises(FormatError, match=said):
        Journal(tmp_path / "j")
    assert path.read_bytes() == later
    forget(tmp_path / "j", foreign)  # now nobody was promised any of it: what an earlier life may have left
    assert Journal(tmp_path / "j").last == foreign


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_the_name_of_a_format_is_damage_and_no_other_format(tmp_path, bit):
    journal = Journal(tmp_path / "j")
    journal.append([batch(1, (0, 1, 1, 1)), batch(2, (0, 2, 1, 2))])
    (path,) = (tmp_path / "j").glob("*.seg")
    hurt = bytearray(written(path))
    hurt[3] ^= 1 << bit
    path.write_bytes(hurt)
    (damage,) = Journal(tmp_path / "j").damage
    assert damage.record is None


def test_a_watermark_is_found_again_or_is_nothing(tmp_path):
    mark = Watermark(tmp_path / "w")
    assert mark.value == 0
    mark.put(7)
    assert Watermark(tmp_path / "w").value == 7
    (tmp_path / "w").write_bytes(b"\1" + (tmp_path / "w").read_bytes()[1:])
    assert Watermark(tmp_path / "w").value == 0


def test_a_bit_that_flips_under_an_open_journal_is_noticed_when_read(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append([batch(1, (0, 1, 1, 1))])
    (path,) = (tmp_path / "j").glob("*.seg")
    hurt = bytearray(written(path))
    hurt[-1] ^= 1
    path.write_bytes(hurt)
    with pytest.raises(DamagedError):
        journal.read(1, 1)


def test_set_bits_are_waited_for_fallen_ones_only_before_a_header_that_relies_on_them(tmp_path, monkeypatch):
    files = legfiles.LegFiles(tmp_path, [64 * BLOCK], BLOCK)
    seen = []
    real = os.fdatasync
    monkeypatch.setattr("drsim.agent.bitmap_file.os.fdatasync", lambda fd: (seen.append("bits"), real(fd)))
    monkeypatch.setattr(legfiles, "save_header", lambda *_: seen.append("header"))
    some, header = of([0], [0], [8 * BLOCK]), SourceHeader(Lineage(1), 1, True, 0, 0, True)
    files.mark(some, dirty=True)
    assert seen == ["bits"]
    files.mark(some, dirty=False)
    assert seen == ["bits"]
    files.save_header(header)
    assert seen == ["bits", "bits", "header"]
    files.save_header(header)
    assert seen[3:] == ["header"]
    files.mark(some, dirty=False)
    assert not len(legfiles.LegFiles(tmp_path, [64 * BLOCK], BLOCK).dirty())


def test_marks_survive_and_damage_is_refused(tmp_path):
    marks = Marks(tmp_path / "m")
    marks.put(seq=7, name="x")
    assert Marks(tmp_path / "m").get("seq") == 7
    (tmp_path / "m").write_text((tmp_path / "m").read_text().replace("7", "8", 1))
    with pytest.raises(MarksDamagedError):
        Marks(tmp_path / "m")


def test_replacing_a_file_never_shows_a_part(tmp_path, monkeypatch):
    replace_file(tmp_path / "f", b"old")

    def full(fd, data, offset):
        raise OSError(28, "no space")

    monkeypatch.setattr("drsim.agent.disk.write_all", full)
    with pytest.raises(OSError):
        replace_file(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"


@given(
    st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60), st.booleans()), max_size=30),
    st.sampled_from([1, 3, 64]),
)
def test_a_bitmap_file_is_a_set_of_granules(tmp_path_factory, marks, granule):
    size = 200 * BLOCK - 100
    granularity = granule * BLOCK
    path = tmp_path_factory.mktemp("b") / "bits"
    bits, oracle = BitmapFile(path, size, granularity), set()
    for start, count, dirty in marks:
        begin, end = start * BLOCK, min((start + count) * BLOCK, size)
        if begin >= end:
            continue
        bits.mark(np.array([begin]), np.array([end]), dirty)
        if dirty:
            oracle |= set(range(begin // granularity, -(-end // granularity)))
        else:
            oracle -= {
                g for g in oracle if g * granularity >= begin and min((g + 1) * granularity, size) <= end
            }
    bits.close()
    again = BitmapFile(path, size, granularity)
    found = {
        g
        for _, start, stop in again.extents().rows()
        for g in range(start // granularity, -(-stop // granularity))
    }
    assert found == oracle
    assert all(stop <= size for _, _, stop in again.extents().rows())
    again.close()


def test_a_damaged_page_of_a_bitmap_counts_as_dirty(tmp_path):
    size = 4096 * 8 * 3 * BLOCK
    bits = BitmapFile(tmp_path / "b", size, BLOCK)
    bits.mark(np.array([0]), np.array([BLOCK]), True)
    bits.close()
    hurt = bytearray((tmp_path / "b").read_bytes())
    hurt[4096 + 17] ^= 1
    (tmp_path / "b").write_bytes(hurt)
    again = BitmapFile(tmp_path / "b", size, BLOCK)
    assert again.damaged_pages == 1
    page = 4088 * 8 * BLOCK
    assert list(again.extents().rows()) == [(0, 0, BLOCK), (0, page, 2 * page)]


@given(st.data())
def test_snapshots_stay_what_they_were(tmp_path_factory, data):
    """Random writes, trims, snapshots, drops, restores and reopenings against plain copies of the bytes."""
    folder = tmp_path_factory.mktemp("s")
    blocks = 12
    paths = {"a": (folder / "a.img", blocks * BLOCK), "b": (folder / "b.img", blocks * BLOCK - 512)}
    volumes = Volumes(paths)
    snapshots = Snapshots(folder / "snapshots", volumes, chunk=2 * BLOCK)
    live = [bytearray(size) for _, size in paths.values()]
    kept: dict[str, list[bytes]] = {}
    for step in range(data.draw(st.integers(1, 25))):
        verb = data.draw(
            st.sampled_from(["write", "write", "write", "trim", "take", "drop", "restore", "reopen"])
        )
        if verb in ("write", "trim"):
            volume, block = data.draw(st.integers(0, 1)), data.draw(st.integers(0, blocks - 2))
            count = data.draw(st.integers(1, blocks - 1 - block))
            content = None if verb == "trim" else step % 255 + 1
            volumes.apply(batch(1, (volume, block, count, content)))
            live[volume][block * BLOCK : (block + count) * BLOCK] = bytes([content or 0]) * (count * BLOCK)
        elif verb == "take":
            name = f"snap/{data.draw(st.integers(0, 3))}"
            snapshots.take(name, step, 0.5)
            kept.pop(name, None)
            kept[name] = [bytes(v) for v in live]
        elif verb in ("drop", "restore") and kept:
            name = data.draw(st.sampled_from(sorted(kept)))
            if verb == "drop":
                snapshots.drop(name)
                del kept[name]
            else:
                snapshots.restore(name)
                live = [bytearray(v) for v in kept[name]]
        elif verb == "reopen":
            snapshots.close()
            volumes.close()
            volumes = Volumes(paths)
            snapshots = Snapshots(folder / "snapshots", volumes, chunk=2 * BLOCK)
        assert [s.name for s in snapshots.all] == list(kept)
        for snapshot in snapshots.all:
            for number, wanted in enumerate(kept[snapshot.name]):
                image = SnapshotImage(snapshots, snapshot, number)
                assert image.read(0, image.size) == wanted
        for number, wanted in enumerate(live):
            assert volumes.images[number].read(0, len(wanted)) == wanted
    snapshots.close()
    volumes.close()


def test_a_snapshot_is_saved_before_the_volume_changes(tmp_path, monkeypatch):
    """If saving fails, the volume must not have been touched."""
    volumes = Volumes({"a": (tmp_path / "a.img", 4 * BLOCK)})
    snapshots = Snapshots(tmp_path / "s", volumes, chunk=BLOCK)
    volumes.apply(batch(1, (0, 0, 4, 7)))
    snapshots.take("keep", 4, 0.0)

    def fail(fd, buffers, offset):
        raise OSError(5, "I/O error")

    monkeypatch.setattr("drsim.agent.disk.append_durably", fail)
    with pytest.raises(OSError):
        volumes.apply(batch(5, (0, 1, 1, 9)))
    assert volumes.images[0].read(0, 4 * BLOCK) == b"\7" * 4 * BLOCK


def test_an_image_of_another_size_is_refused(tmp_path):
    FileImage(tmp_path / "v", 8192, create=True).close()
    with pytest.raises(OSError, match="has 8192 bytes, not 4096"):
        FileImage(tmp_path / "v", 4096)


def test_cutting_a_journal_forgets_what_comes_after_and_nothing_else(tmp_path):
    for after in (0, 1, 5, 12, 19, 20):
        journal = filled(tmp_path / f"j{after}")
        journal.cut(after)
        journal.append([batch(after + 1, (0, 99, 1, 200))])
        journal.close()
        again = Journal(tmp_path / f"j{after}", 20_000)
        found = rows(again.read(1, 99))
        assert [r[0] for r in found] == list(range(1, after + 2))
        assert found[-1][2] == 99 * BLOCK
        assert again.damage == []
        again.close()


def test_a_segment_that_is_used_again_shows_nothing_of_its_earlier_life(tmp_path):
    """Spares keep their old records; at any length of new ones, and after any crash, only new ones are seen."""
    journal = Journal(tmp_path / "j", 20_000)
    first = 1
    for _ in range(12):
        for _ in range(6):
            journal.append([batch(first, (0, first % 50, 1, first % 250))])
            first += 1
        journal.trim(first - 3)
        journal.close()
        (newest,) = sorted((tmp_path / "j").glob("*.seg"))[-1:]
        assert journal._most_spares == 3
        journal = Journal(tmp_path / "j", 20_000)
        assert (journal.last, journal.damage) == (first - 1, [])
        assert [r[0] for r in rows(journal.read(first - 2, first))] == [first - 2, first - 1]
        assert newest.exists()
    assert list((tmp_path / "j").glob("*.spare"))
    assert len(list((tmp_path / "j").iterdir())) < 9, "spares are bounded"


def test_a_torn_append_over_an_earlier_life_is_cut_off(tmp_path):
    journal = Journal(tmp_path / "j", 20_000)
    for seq in range(1, 13):
        journal.append([batch(seq, (0, seq, 1, seq))])
    journal.trim(12)
    for seq in range(13, 16):
        journal.append([batch(seq, (0, seq, 1, seq))])
    journal.append([batch(16, (0, 1, 1, 16)), batch(17, (0, 2, 1, 17))])
    (path,) = sorted((tmp_path / "j").glob("*.seg"))[-1:]
    whole = path.read_bytes()
    assert len(whole) > 12_000, "the file is one that was used before"
    record = 4096 + 48 + 35
    for cut in (record + 1, record + 60, record + 300, 2 * record - 1):
        old = whole[: 2 * record]
        path.write_bytes(old[:cut] + bytes([7]) * (2 * record - cut) + whole[2 * record :])
        forget(tmp_path / "j", 16)
        again = Journal(tmp_path / "j", 20_000)
        assert (again.last, again.damage) == (16, [])
        again.close()


large = st.lists(st.integers(1, 8), min_size=1, max_size=6)  # blocks of each append


@given(data=st.data(), sizes=large, segment=st.sampled_from([40_000, 64 << 20]))
def test_whatever_becomes_of_appends_under_way_what_was_settled_is_there_in_order(
    tmp_path_factory, data, sizes, segment
):
    with mock.patch.multiple(journals, _SMALL=1, _WORTH=1):
        crash_under_way(tmp_path_factory.mktemp("j"), data.draw, sizes, segment)


def crash_under_way(folder, draw, sizes, segment):
    """Writes beside each other end in any order; a crash leaves those settled, perhaps more, never a gap."""
    journal = Journal(folder, segment)
    journal.append([batch(1, (0, 0, 1, 1))])
    given, under_way, settled = 1, [], 1
    for size in sizes:
        found = journal.beside([batch(given + 1, (0, given, size, given + 1))])
        if found is None:
            assert under_way, "a segment begins with nothing under way"
            break
        under_way.append([found[0], False])
        given += 1
        while under_way and draw(st.booleans()):
            chosen = under_way[draw(st.integers(0, len(under_way) - 1))]
            if not chosen[1]:
                chosen[0].write()
                chosen[1] = True
            while under_way and under_way[0][1]:
                under_way.pop(0)[0].settle()
                settled += 1
    assert journal.last == settled
    assert [r[0] for r in rows(journal.read(1, given))] == list(range(1, settled + 1)), "no one reads beyond"
    for append, is_written in under_way:
        if is_written and draw(st.booleans()):  # only a part of it reached the disk
            with append.segment.path.open("r+b") as file:
                at = draw(st.integers(append.start, append.start + records.size(append.batches[0]) - 1))
                file.seek(at)
                torn = bytes([file.read(1)[0] ^ 0x55])
                file.seek(at)
                file.write(torn)
    again = Journal(folder, segment)
    assert again.damage == []
    assert settled <= again.last <= given
    assert [r[:2] + r[5:] for r in rows(again.read(1, given))] == [
        (seq, 0, bytes([seq])) for seq in range(1, again.last + 1)
    ]
    again.append([batch(again.last + 1, (0, 5, 1, 77))])
    assert rows(Journal(folder, segment).read(again.last, again.last))[0][5] == b"\x4d"


def test_what_begins_an_order_anew_or_is_small_or_goes_through_the_page_cache_is_appended_alone(tmp_path):
    def big(first):
        return batch(first, (0, 0, 512, 7))

    journal = Journal(tmp_path / "j")
    assert journal.beside([big(1)]) is None, "there is no segment yet"
    journal.append([batch(1, (0, 0, 1, 1))])
    assert journal.beside([big(2)]) is None, "a small append shares its last block with the next"
    journal.append([big(2)])
    assert journal.beside([batch(3, (0, 0, 1, 1))]) is None, "few bytes"
    assert journal.beside([big(2)]) is None, "the order begins anew"
    job, count = journal.beside([big(3), *(big(n) for n in range(4, 20))])
    assert count == 4, "eight mebibytes, and the rest beside them"
    assert journal.beside([big(6)]) is None, "that place has been given"
    job.write()
    job.settle()
    assert journal.last == 6
    journal._segments[-1].end.close()
    assert journal.beside([big(7)]) is None, "which of two that sync hears of a loss?"
