"""A real Dask scheduler and two real workers on loopback give what one process gives."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from drsim.study.lab import Lab
from drsim.study.point import Point
from drsim.study.pool import ClusterPool, open_pool
from drsim.study.text import StudyError
from tests.study.worlds import FluidWorld

distributed = pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    join = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard"]
    quiet = {"env": env, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*start, "--no-dashboard", "--scheduler-file", str(file)], **quiet)]  # type: ignore[call-overload]
    try:
        joining = [*join, "--scheduler-file", str(file), "--local-directory", str(folder)]
        started += [subprocess.Popen(joining, **quiet) for _ in range(2)]  # type: ignore[call-overload]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with distributed.Client(scheduler_file=str(file), timeout="60s", set_as_default=False) as client:
                client.wait_for_workers(2, timeout=60)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:  # a nanny that is just replacing a dead worker
                process.kill()
                process.wait(10)


def test_a_cluster_gives_what_one_process_gives(address: str) -> None:
    world = FluidWorld(spread=0.4)
    points = [Point.of([("rpo", f"{i} min")], r) for i in range(5) for r in range(4)]
    with open_pool(1, address) as pool:
        assert pool.width == 2
        there = Lab(world, pool).gather(points)
    here = Lab(world).gather(points)
    assert [o.summary for o in there.values()] == [o.summary for o in here.values()]


def test_a_failing_point_fails_alone_on_a_cluster(address: str) -> None:
    with open_pool(1, address) as pool:
        found = Lab(FluidWorld(), pool).gather([Point.of([("do", do)]) for do in ("none", "raise", "well")])
    assert [o.error for o in found.values()] == [None, "RuntimeError: the link melted", None]


def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(
        StudyError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9: .*dask scheduler"
    ):
        ClusterPool("tcp://127.0.0.1:9", timeout_s=0.5)


@pytest.mark.skipif(os.environ.get("DRSIM_HYPOTHESIS") != "deep", reason="Dask takes half a minute over it")
def test_a_point_that_kills_its_workers_fails_alone_on_a_cluster(address: str) -> None:
    with open_pool(1, address) as pool:
        found = Lab(FluidWorld(), pool).gather([Point.of([("do", do)]) for do in ("none", "die", "well")])
    errors = [o.error for o in found.values()]
    assert errors[0] is errors[2] is None
    assert "the cluster gave it up" in (errors[1] or "")
