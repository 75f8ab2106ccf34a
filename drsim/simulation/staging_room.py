"""What a target's staging holds, counted where it comes and goes, and told to the sender where room is scarce."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drsim.blocks.batch import Floats, WriteBatch
from drsim.measure.occupancy import OccupancyMeter
from drsim.simulation.valve import Valve


class StagingRoom:
    """Staging of one leg.

    Args:
        size: bytes it may hold, None for no limit.
        staged: bytes the engine has staged and not on the volumes.
        valve: the sender's view of the room, where there is a limit.
    """

    def __init__(self, size: int | None, staged: Callable[[], int], valve: Valve | None) -> None:
        self.meter = OccupancyMeter(size, spread=False, drawn=False)
        self._staged = staged
        self._valve = valve
        self._put = 0
        self._held = 0

    def welcome(self) -> None:
        """A session begins: the sender is told how much room there is."""
        if self._valve is not None:
            self._valve.welcome(self._staged())

    def restart(self, at: float) -> None:
        """Count anew at ``at`` (seconds): what is staged is all there is; what was under way is not any more."""
        held, self._held = self._held, self._staged()
        if held > self._held:
            self.meter.release(np.array([at]), np.array([held - self._held]))
        elif held < self._held:
            self.meter.arrive(np.array([at]), np.array([self._held - held]))

    def put(self, batch: WriteBatch, at: Floats) -> None:
        """Writes came at ``at`` (float64[n] seconds)."""
        self._put += batch.nbytes
        self._held += batch.nbytes
        self.meter.arrive(at, batch.room)

    def taken(self, batch: WriteBatch, at: Floats) -> None:
        """Writes are on the volumes since ``at`` (float64[n] seconds)."""
        nbytes = batch.room
        self._held -= batch.nbytes
        self.meter.release(at, nbytes)
        if self._valve is not None:
            self._valve.credit(at, batch.room)

    def receive(self, deliver: Callable[[], None], offered: int, at: float) -> None:
        """Let the engine take a frame of ``offered`` bytes: what it does not stage, as it knew it, needs no room."""
        before = self._put
        deliver()
        self.reconcile(at)
        unused = offered - (self._put - before)
        if unused and self._valve is not None:
            self._valve.credit(np.array([at]), np.array([unused]))

    def reconcile(self, at: float) -> None:
        """What the engine has forgotten unwritten needs no room from ``at`` (seconds) on: a copy or takeover begins."""
        gone = self._held - self._staged()
        if gone > 0:
            self._held -= gone
            self.meter.release(np.array([at]), np.array([gone]))
            if self._valve is not None:
                self._valve.credit(np.array([at]), np.array([gone]))

    def peak(self, end: float) -> int:
        """Most bytes held at once by ``end`` (seconds), after which nothing was told."""
        return int(self.meter.finish(end)["peak_bytes"])
