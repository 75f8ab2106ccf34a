"""The SimPy world around the engine: hosts, disks, links, faults, runbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drsim.simulation.running import Run, run

__all__ = ["Run", "run"]


def __getattr__(name: str) -> Any:
    """Import the world when it runs: ``drsim validate`` asks `drsim.simulation.limits` only."""
    if name in __all__:
        from drsim.simulation import running

        return getattr(running, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
