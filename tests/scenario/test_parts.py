"""The behaviour of parts: what disks charge, when schedules fire."""

import numpy as np
import pytest

from drsim.scenario.group import Schedule
from drsim.scenario.site import KINDS, Backup, FixedDisk, HardDisk, SolidState

SIZES = np.array([512, 4096, 8192, 1 << 20], np.int64)
JUMPS = np.array([True, False, True, True])


def test_a_fixed_disk_charges_bytes_or_a_requests_share() -> None:
    disk = FixedDisk.model_validate({"write": "400 MB/s", "iops": 20000})
    assert disk.charge(SIZES, JUMPS).tolist() == [20000, 20000, 20000, 1 << 20]
    unlimited = FixedDisk.model_validate({"write": "400 MB/s"})
    assert unlimited.charge(SIZES, JUMPS).tolist() == SIZES.tolist()


def test_an_ssd_writes_whole_pages() -> None:
    disk = SolidState.model_validate({"kind": "ssd", "write": "400 MB/s", "page": "16 KiB"})
    assert disk.charge(SIZES, JUMPS).tolist() == [16384, 16384, 16384, 1 << 20]


def test_a_hard_disk_pays_for_jumps() -> None:
    disk = HardDisk.model_validate({"kind": "hdd", "write": "100 MB/s", "seek": "4 ms", "rpm": 15000})
    # 4 ms + half a turn of 2 ms at 100 MB/s: 600 kB of work
    assert (disk.charge(SIZES, JUMPS) - SIZES).tolist() == [600_000, 0, 600_000, 600_000]
    more = disk.model_copy(update={"spindles": 3})
    assert (more.charge(SIZES, JUMPS) - SIZES).tolist() == [200_000, 0, 200_000, 200_000]


def test_reads_cost_by_their_own_rate() -> None:
    disk = FixedDisk.model_validate({"write": "100 MB/s", "read": "400 MB/s"})
    assert disk.charge_reads(SIZES, JUMPS).tolist() == [128, 1024, 2048, 1 << 18]
    same = FixedDisk.model_validate({"write": "100 MB/s"})
    assert same.charge_reads(SIZES, JUMPS).tolist() == SIZES.tolist()


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_disk_charges_at_least_one_and_keeps_count_whole(kind: type[FixedDisk]) -> None:
    disk = kind.model_validate({"kind": kind.model_fields["kind"].default, "write": "1 MB/s"})
    work = disk.charge(SIZES, JUMPS)
    assert work.dtype == np.int64
    assert (work >= 1).all()
    assert (work >= SIZES).all()


def test_a_schedule_by_interval() -> None:
    schedule = Schedule.model_validate({"every": "6 h", "first": "1 h"})
    assert schedule.moments(86400.0, 0.0) == [3600.0 + i * 21600 for i in range(4)]
    assert schedule.moments(3599.0, 0.0) == []


def test_a_schedule_by_the_clock_keeps_to_its_days() -> None:
    schedule = Schedule.model_validate({"at": ["20:00", "08:00"], "days": "Tue, Wed"})
    # the run begins on Monday at noon
    moments = schedule.moments(3 * 86400.0, 43200.0)
    assert moments == [20 * 3600.0, 32 * 3600.0, 44 * 3600.0, 56 * 3600.0]


def test_a_backup_runs_past_midnight() -> None:
    backup = Backup.model_validate({"read": "50 MB/s", "days": "Mon", "from": "23:00", "to": "01:00"})
    assert next(backup.intervals(7 * 86400.0, 0.0)) == (82800.0, 90000.0)
