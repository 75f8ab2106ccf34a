"""For real: a journal that spills to a second folder, a leg suspended and resumed, points of the past exported."""

import signal
import time

import pytest

from drsim.agent.journal import Journal
from drsim.agent.load import load
from drsim.cli.main import main
from tests.agent.host import Host
from tests.agent.pair import BLOCK, copied, libnbd, needs, pair, until

BLOCKS = 256


def drsim(capsys, *words: str, code: int = 0) -> str:
    """Run a command in this process; give what it said."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    signal.signal(signal.SIGTERM, before)
    assert (ended.value.code or 0) == code
    said = capsys.readouterr()
    return said.out + said.err


def loaded(two, host: Host, writes: int) -> None:
    before = host.acknowledged
    host.start(two.uri())
    until(lambda: host.acknowledged >= before + writes, what="load")
    host.stop()


def test_a_journal_spills_to_a_second_folder_survives_there_and_comes_back(tmp_path):
    needs("nbdcopy")
    libnbd()
    second = tmp_path / "slow"
    group = (
        "journal: {size: 256 KiB, on_full: {kind: spill, size: 64 MB}, resident: 64 KiB}\n"
        f"    segment: 64 KiB\n    spill: {second}"
    )
    with pair(tmp_path, group, size=BLOCKS * BLOCK) as two:
        host = Host(BLOCKS, 1)
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        resyncs = two.leg()["resyncs"]
        two.kill("lyon")
        loaded(two, host, 300)
        status = two.status("paris")
        assert status["spilled_bytes"] > 300 * BLOCK - (256 + 2 * 64) * 1024 > 0
        assert sum(p.stat().st_size for p in second.glob("*.seg")) >= status["spilled_bytes"]
        assert status["targets"]["lyon"]["journal_overflows"] == 0
        two.kill("paris")
        two.start()
        two.settle()
        assert two.leg()["resyncs"] in (0, resyncs), "the order survived in the second folder"
        loaded(two, host, 300)
        two.settle()
        until(
            lambda: two.status("paris")["spilled_bytes"] < 128 * 1024,
            what="but for the newest, no segment is left",
        )
        assert copied(two.uri(), tmp_path / "a") == copied_target(two, tmp_path)


def copied_target(two, folder) -> str:
    two.ask("lyon", "rehearse", name="look")
    return copied(two.uri("lyon", "erp/v@look"), folder / "b")


def test_a_leg_is_suspended_and_resumed_by_command_and_stays_so_over_a_restart(tmp_path, capsys):
    libnbd()
    with pair(tmp_path, size=BLOCKS * BLOCK) as two:
        config = str(tmp_path / "paris.yaml")
        host = Host(BLOCKS, 2)
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        assert "erp to lyon: BUFFERING" in drsim(capsys, "suspend", config, "erp")
        loaded(two, host, 50)
        two.kill("paris")
        two.start("paris")
        until(lambda: two.leg()["connected"], what="connected again")
        loaded(two, host, 50)
        assert two.leg()["state"] == "BUFFERING"
        assert two.leg()["backlog_bytes"] >= 100 * BLOCK
        assert "no target 'nice'" in drsim(capsys, "resume", config, "erp", "--target", "nice", code=2)
        drsim(capsys, "resume", config, "erp", "--target", "lyon")
        two.settle()
        assert "not the source" in drsim(capsys, "suspend", str(tmp_path / "lyon.yaml"), "erp", code=2)


def test_a_journal_that_suspends_when_full_waits_for_its_operator(tmp_path, capsys):
    libnbd()
    probe = pair(tmp_path, "journal: {size: 128 KiB, on_full: suspend}", size=BLOCKS * BLOCK)
    with probe as two:
        host = Host(BLOCKS, 3)
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        two.kill("lyon")
        loaded(two, host, 100)
        assert two.leg()["state"] == "TRACKING"
        two.kill("paris")
        two.start()
        until(lambda: two.leg()["connected"], what="connected")
        time.sleep(0.3)
        assert two.leg()["state"] == "TRACKING", "connected, and yet it waits"
        drsim(capsys, "resume", str(tmp_path / "paris.yaml"), "erp")
        two.settle()
        two.stop()
        assert two.image("paris") == two.image("lyon")


def test_any_write_within_the_history_can_be_looked_at_while_replication_goes_on(tmp_path, capsys):
    needs("nbdcopy")
    libnbd()
    target = "rpo: 5 s, seed: in-sync, history: {window: 10 min}"
    with pair(tmp_path, target=target, size=BLOCKS * BLOCK) as two:
        config = str(tmp_path / "lyon.yaml")
        host = Host(BLOCKS, 4)
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="connected")
        loaded(two, host, 200)
        two.settle()
        host.start(two.uri())
        for point in (1, 77, 150):
            said = drsim(capsys, "rehearse", config, "erp", "--point", str(point), "--name", f"p{point}")
            assert f"consistent at write {point}" in said
            copied(two.uri("lyon", f"erp/v@p{point}"), tmp_path / "past")
            assert host.reach((tmp_path / "past").read_bytes()) == point
            assert f"p{point} is gone" in drsim(
                capsys, "rehearse", config, "erp", "--name", f"p{point}", "--end"
            )
        host.stop()
        assert "can be returned to" in drsim(capsys, "rehearse", config, "erp", "--point", "999999", code=2)
        assert "consistent at write 0" in drsim(capsys, "rehearse", config, "erp", "--ago", "5 min")
        assert list((two.states["lyon"] / "erp" / "past").glob("p*")) == []
        drsim(capsys, "role", config, "erp", "source", "--point", "120")
        copied(two.uri("lyon"), tmp_path / "taken")
        assert host.reach((tmp_path / "taken").read_bytes()) == 120


def test_a_past_is_laid_in_pieces_others_run_between_them_and_staging_is_kept_so_long(tmp_path, monkeypatch):
    import asyncio

    from drsim.agent import past
    from drsim.agent.journal import Journal
    from drsim.agent.volumes import Volumes
    from tests.agent.test_store_files import batch

    monkeypatch.setattr(past, "_PIECE", 4 * BLOCK)
    staging = Journal(tmp_path / "staging", 20_000)
    for seq in range(1, 41):
        staging.append([batch(seq, (0, seq, 1, seq))])
    overlay = past.Overlay(tmp_path / "past", Volumes({"v": (tmp_path / "v.img", 64 * BLOCK)}))
    between = []

    async def replication_goes_on() -> None:
        while True:
            between.append(int(overlay.covered.stop.max()) // BLOCK)
            staging.trim(40)
            await asyncio.sleep(0)

    async def lay() -> None:
        other = asyncio.ensure_future(replication_goes_on())
        await overlay.lay(staging, 10, 30)
        other.cancel()

    asyncio.run(lay())
    assert sorted(set(between)) == [15, 19, 23, 27, 31]
    runs = list(overlay.covered.rows())
    assert runs == [(0, 11 * BLOCK, 31 * BLOCK)]
    assert overlay.files.images[0].read(30 * BLOCK, 2) == bytes([30, 30])
    staging.trim(40)
    assert staging.first > 30, "once it is laid, staging may forget again"

    for seq in range(41, 51):
        staging.append([batch(seq, (0, seq, 1, seq))])

    async def lay_from_what_is_gone() -> None:
        laying = asyncio.ensure_future(overlay.lay(staging, 40, 50))
        await asyncio.sleep(0)
        staging.restart(1)
        await laying

    monkeypatch.setattr(past, "_PIECE", 1)
    with pytest.raises(ValueError, match="meanwhile"):
        asyncio.run(lay_from_what_is_gone())


def test_granules_larger_than_a_block_resync_and_fail_back(tmp_path):
    needs("nbdcopy")
    libnbd()
    group = "journal: {size: 128 KiB, on_full: track}\n    resync: {granularity: 64 KiB}"
    with pair(tmp_path, group, size=BLOCKS * BLOCK) as two:
        host = Host(BLOCKS, 5)
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        two.kill("lyon")
        loaded(two, host, 100)
        two.start("lyon")
        two.settle()
        assert two.leg()["resyncs"] > 0
        two.ask("lyon", "promote")
        two.ask("paris", "demote")
        until(lambda: two.status("lyon")["targets"]["paris"]["state"] == "STREAMING", what="failed back")


def test_segments_go_to_the_second_folder_only_beyond_the_room_of_the_first(tmp_path):
    from tests.agent.test_store_files import batch

    first, second = tmp_path / "one", tmp_path / "two"
    journal = Journal(first, 20_000, spill=(second, 60_000))
    for seq in range(1, 41):
        journal.append([batch(seq, (0, seq, 1, seq))])
    assert journal.spilled > 0
    assert 60_000 <= sum(p.stat().st_size for p in first.glob("*.seg")) < 90_000
    journal.close()
    again = Journal(first, 20_000, spill=(second, 60_000))
    assert (again.first, again.last, again.damage) == (1, 40, [])
    again.trim(40)
    assert not list(second.glob("*.spare")), "spares are kept on the first medium alone"
    again.close()


def test_a_spill_folder_that_is_never_used_is_refused(tmp_path):
    from drsim.scenario.problem import ScenarioError

    with pair(tmp_path, "spill: /tmp/never") as two, pytest.raises(ScenarioError, match="never uses"):
        load(two.folder / "paris.yaml")
