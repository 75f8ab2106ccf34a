"""The SimPy world around the engine: hosts, disks, links, faults, runbooks."""

from drsim.simulation.run import Run, run

__all__ = ["Run", "run"]
