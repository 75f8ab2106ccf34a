"""Pools: every task is answered once, whatever dies on the way."""

from pathlib import Path

import pytest

from drsim.study.lab import Lab
from drsim.study.point import Point
from drsim.study.pool import CorePool, HerePool, Pool, open_pool, run_all
from drsim.study.text import StudyError
from tests.study.worlds import FluidWorld, Witness


def points(*dos: str) -> list[Point]:
    return [Point.of([("rpo", f"{i + 1} min"), ("do", do)]) for i, do in enumerate(dos)]


def test_here_and_on_cores_the_answers_are_the_same() -> None:
    world = FluidWorld(spread=0.4)
    tasks = [Point.of([("rpo", f"{i} min")], r) for i in (1, 2) for r in range(6)]
    here = Lab(world).gather(tasks)
    with CorePool(2) as pool:
        there = Lab(world, pool).gather(tasks)
    assert {p: o.summary for p, o in here.items()} == {p: o.summary for p, o in there.items()}
    assert list(there) == tasks


def test_a_point_that_raises_fails_alone() -> None:
    with CorePool(2) as pool:
        found = Lab(FluidWorld(), pool).gather(points("", "raise", "", ""))
    outcomes = list(found.values())
    assert [o.failed for o in outcomes] == [False, True, False, False]
    assert outcomes[1].error == "RuntimeError: the link melted"
    assert "misbehave" in (outcomes[1].traceback or "")


def test_a_point_that_kills_its_worker_fails_alone() -> None:
    with CorePool(2) as pool:
        found = Lab(FluidWorld(), pool).gather(points("", "", "die", "", "", "", ""))
    failed = [o for o in found.values() if o.failed]
    assert [dict(o.point.overrides)["do"] for o in failed] == ["die"]
    assert "its worker process died twice" in (failed[0].error or "")
    assert len(found) == 7


def test_a_worker_lost_once_costs_no_point(tmp_path: Path) -> None:
    with CorePool(2) as pool:
        found = Lab(FluidWorld(), pool).gather(points("", f"once {tmp_path}/died", "", ""))
    assert (tmp_path / "died").exists()
    assert not any(o.failed for o in found.values())


def test_tasks_are_taken_only_as_workers_come_free() -> None:
    taken: list[int] = []

    def tasks() -> object:
        for i in range(100):
            taken.append(i)
            yield i

    results = run_all(tasks(), abs, HerePool())
    next(results)
    assert len(taken) == 1


def test_nothing_is_run_twice_in_one_lab(tmp_path: Path) -> None:
    log, witness = tmp_path / "log", Witness()
    lab = Lab(FluidWorld(log=str(log)), listener=witness)
    some = [Point.of([("rpo", f"{i} min")]) for i in range(4)]
    lab.gather([*some, *some])
    lab.gather(some)
    assert len(log.read_text().splitlines()) == 4
    assert witness.planned_points == [(4, 0), (4, 4)]


def test_what_can_not_be_opened_is_refused() -> None:
    with pytest.raises(StudyError, match="-j 0"):
        open_pool(0, None)
    pool: Pool = open_pool(1, None)
    assert isinstance(pool, HerePool)
