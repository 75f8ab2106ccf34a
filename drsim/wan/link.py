"""One entry of a scenario's ``links:``: what joins two sites, and what becomes of it in time."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from drsim.units import Distance, Duration, Fraction, Rate, Size
from drsim.wan import types
from drsim.wan.encapsulation import KINDS as ENCAPSULATIONS
from drsim.wan.encapsulation import SMALLEST_MTU, Wire
from drsim.wan.faults import AnyFault
from drsim.wan.idle import IdleRestart
from drsim.wan.loads import AnyThrottle, Background
from drsim.wan.sharing import Sharing
from drsim.wan.story import stream_rate, tell
from drsim.wan.tcp import FIRST_WINDOW, LEAST_RTO, SHORTEST_RTT
from drsim.wan.timeline import Ints, Timeline

_FORM = ConfigDict(allow_inf_nan=False, defer_build=True, extra="forbid", frozen=True)


def _type_name(value: str) -> str:
    return types.find(value).name


def _encapsulation_name(value: str) -> str:
    if value not in ENCAPSULATIONS:
        raise ValueError(f"'{value}' is not an encapsulation: use {', '.join(ENCAPSULATIONS)}")
    return value


class Asymmetric(BaseModel):
    """A rate for each direction."""

    model_config = _FORM

    forward: Rate = Field(description="from the first site to the second")
    reverse: Rate = Field(description="from the second site to the first")


class Tcp(BaseModel):
    """What TCP adds to a link without ``efficiency``."""

    model_config = _FORM

    window: Size | None = Field(
        default=None, description="largest window of each stream; without, as large as needed"
    )
    loss: Fraction = Field(default=0.0, description="packets lost at random")
    streams: int = Field(default=1, ge=1, le=1024, description="connections used side by side")
    congestion: Literal["cubic", "bbr", "reno"] = Field(default="cubic", description="congestion control")
    timestamps: bool = Field(default=True, description="TCP timestamps: 12 bytes a segment")
    reconnect: Duration = Field(
        default=5.0,
        description="heartbeats give a dead connection up and try a fresh one this often; "
        "0: never, so that retransmission back-off alone decides when data flows again",
    )
    slow_start_after_idle: bool = Field(
        default=True,
        description="after more than a timeout without data the window starts small again, as Linux has it "
        "unless net.ipv4.tcp_slow_start_after_idle is 0",
    )

    @model_validator(mode="after")
    def _some_room(self) -> Tcp:
        if self.window == 0:
            raise ValueError("a window of 0 lets nothing pass")
        if self.loss >= 1:
            raise ValueError("a loss of 100 % lets nothing pass: describe an outage instead")
        return self


class Link(BaseModel):
    """A full-duplex link between two sites."""

    model_config = _FORM

    between: tuple[str, str] = Field(description="the two sites; forward is from the first to the second")
    type: Annotated[str, AfterValidator(_type_name)] | None = Field(
        default=None, description="a type of the catalogue", json_schema_extra={"examples": [*types.KINDS]}
    )
    rate: Rate | Asymmetric | None = Field(default=None, description="instead of a type")
    n: int = Field(default=1, ge=1, le=1024, description="so many of them bonded")
    efficiency: Fraction | None = Field(
        default=None, description="share of the nominal rate that carries data; covers all overhead"
    )
    tcp: Tcp | None = Field(
        default=None, description="instead of efficiency: real wire bytes and TCP's limits"
    )
    encapsulation: Annotated[str, AfterValidator(_encapsulation_name)] | None = Field(
        default=None, description="the link's framing; the type's own, or Ethernet, unless given"
    )
    mtu: Size = Field(default=1500, description="largest IP packet")
    rtt: Duration | None = Field(default=None, description="round trip time")
    distance: Distance | None = Field(default=None, description="instead of rtt: length of the path")
    us_per_km: float = Field(default=5.0, gt=0, description="one-way propagation, microseconds a kilometre")
    outages: tuple[AnyFault, ...] = ()
    throttle: tuple[AnyThrottle, ...] = ()
    background: tuple[Background, ...] = ()
    sharing: Sharing = Sharing()
    conduit: str | None = Field(default=None, description="shared risk of all its outages that name none")

    @model_validator(mode="after")
    def _makes_sense(self) -> Link:
        problems = (
            (self.between[0] == self.between[1], "a link joins two different sites"),
            ((self.type is None) == (self.rate is None), "give either type or rate"),
            (self.rtt is not None and self.distance is not None, "give either rtt or distance"),
            (self.mtu < SMALLEST_MTU, f"mtu is at least {SMALLEST_MTU} B"),
            (0.0 in self._stated(), "a rate of 0 lets nothing pass"),
            (self.efficiency == 0, "an efficiency of 0 lets nothing pass"),
            (self.efficiency is not None and self.tcp is not None, "give either efficiency or tcp, not both"),
            (
                self.efficiency is not None and self.encapsulation is not None,
                "efficiency covers all overhead: leave encapsulation out, or leave efficiency out",
            ),
            (
                self.efficiency is not None and any(fault.loss is not None for fault in self.outages),
                "packet loss acts through tcp: leave efficiency out, or use keeps",
            ),
        )
        for wrong, why in problems:
            if wrong:
                raise ValueError(why)
        return self

    @property
    def rtt_s(self) -> float:
        """Round trip without queueing, seconds; 0 unless rtt or distance is given."""
        if self.distance is not None:
            return 2 * float(self.distance) * self.us_per_km * 1e-6
        return float(self.rtt or 0.0)

    @property
    def propagation_s(self) -> float:
        """One-way delay, seconds."""
        return self.rtt_s / 2

    @property
    def nominal(self) -> tuple[float, float]:
        """What ``efficiency`` is a share of: nominal rates, bytes/s, forward and reverse."""
        return self._rates(payload=False)

    @property
    def payload(self) -> tuple[float, float]:
        """What wire bytes move at without efficiency: bytes/s, forward and reverse."""
        return self._rates(payload=True)

    @cached_property
    def wire(self) -> Wire:
        """The TCP stream's framing (where there is no efficiency)."""
        own = types.KINDS[self.type].encapsulation if self.type else "ethernet"
        kind = ENCAPSULATIONS[self.encapsulation or own]
        return Wire(kind, int(self.mtu), self.transport.timestamps)

    @property
    def transport(self) -> Tcp:
        """TCP's settings, or its defaults."""
        return self.tcp or Tcp()

    def charge(self, nbytes: Ints, overhead: Ints | int) -> Ints:
        """Bytes that count against the link's rate.

        Args:
            nbytes: int64[n], payload bytes of frames.
            overhead: int64 or int64[n], what the engine's own framing adds to each.

        Returns:
            int64[n]: wire bytes of a busy stream; with efficiency, which covers all overhead, ``nbytes``.
        """
        return nbytes if self.efficiency is not None else self.wire.charge(nbytes + overhead)

    def restart(self, *, forward: bool) -> IdleRestart | None:
        """What idle time does to a connection in one direction; None where nothing, or `efficiency` covers it."""
        tcp = self.transport
        if self.efficiency is not None or not tcp.slow_start_after_idle or self.rtt_s < SHORTEST_RTT:
            return None
        rate = stream_rate(self, self.payload[0 if forward else 1])
        first = math.ceil(tcp.streams * FIRST_WINDOW * self.wire.mss / self.wire.goodput)
        restart = IdleRestart(rate, self.rtt_s, first, self.rtt_s + LEAST_RTO)
        return restart if restart.lost else None

    def timeline(
        self,
        name: str,
        horizon_s: float,
        seed_sequence: np.random.SeedSequence,
        week_offset_s: float = 0.0,
        folder: Path | None = None,
    ) -> Timeline:
        """Work out everything that is decided before a run.

        Args:
            name: the link's name in the scenario, which names its random streams.
            horizon_s: seconds; what begins later is not in it.
            seed_sequence: the run's (not the link's: conduits are shared between links).
            week_offset_s: seconds from Monday 00:00 to the run's start.
            folder: what file names in distributions are relative to.

        Raises:
            ValueError: a fault or a background that never lets time pass, or a bad file; OSError.
        """
        return tell(self, name, horizon_s, seed_sequence, week_offset_s, folder)

    def _stated(self) -> tuple[float, ...]:
        if isinstance(self.rate, Asymmetric):
            return float(self.rate.forward), float(self.rate.reverse)
        return () if self.rate is None else (float(self.rate),)

    def _rates(self, *, payload: bool) -> tuple[float, float]:
        stated = self._stated()
        if not stated:
            kind = types.find(self.type or "")
            stated = (kind.payload_rate if payload else kind.nominal_rate,)
        return self.n * stated[0], self.n * stated[-1]
