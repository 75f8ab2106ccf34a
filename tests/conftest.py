"""Hypothesis profiles (DRSIM_HYPOTHESIS=dev|ci|deep|mutants; DRSIM_EXAMPLES of deep); the folder of outside truth."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

# Ignored in the background of a shell, and programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_slow)
settings.register_profile(
    "ci", max_examples=120, deadline=None, derandomize=True, print_blob=True, suppress_health_check=_slow
)
settings.register_profile(
    "deep",
    max_examples=int(os.environ.get("DRSIM_EXAMPLES", "20000")),
    deadline=None,
    print_blob=True,
    suppress_health_check=_slow,
)
settings.register_profile(
    "mutants",
    max_examples=600,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=_slow,
)
settings.load_profile(os.environ.get("DRSIM_HYPOTHESIS", "ci" if os.environ.get("CI") else "dev"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers: a file's tests stay together, and tests of real agents never run beside one another."""
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "agents" if path.startswith(("tests/agent/", "tests/reality/")) else path

    return Rooms(config, log)


SHARED = Path(os.environ.get("DRSIM_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of truth tables and real traces that no one here made; skips where it is absent."""
    if not (SHARED / "truth").is_dir():
        pytest.skip(f"no outside truth at {SHARED} (set DRSIM_SHARED)")
    return SHARED
