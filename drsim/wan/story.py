"""From what a link is configured to suffer to its timeline: layers of time laid over one another."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from drsim.wan import tcp
from drsim.wan.encapsulation import Wire
from drsim.wan.faults import Episode, Fault, Scene
from drsim.wan.loads import Background, SingleThrottle, WeeklyThrottle, left
from drsim.wan.timeline import Cut, Direction, Ints, Span, Step, Timeline, cuts_of, layer, overlay

Throttle = SingleThrottle | WeeklyThrottle


class Transport(Protocol):
    """TCP's settings, as `drsim.wan.link.Tcp` holds them."""

    @property
    def window(self) -> int | None: ...
    @property
    def loss(self) -> float: ...
    @property
    def streams(self) -> int: ...
    @property
    def congestion(self) -> str: ...
    @property
    def reconnect(self) -> float: ...


class Facts(Protocol):
    """What this room needs to know of a link, as `drsim.wan.link.Link` holds it."""

    @property
    def efficiency(self) -> float | None: ...
    @property
    def outages(self) -> tuple[Fault, ...]: ...
    @property
    def throttle(self) -> tuple[Throttle, ...]: ...
    @property
    def background(self) -> tuple[Background, ...]: ...
    @property
    def conduit(self) -> str | None: ...
    @property
    def nominal(self) -> tuple[float, float]: ...
    @property
    def payload(self) -> tuple[float, float]: ...
    @property
    def wire(self) -> Wire: ...
    @property
    def transport(self) -> Transport: ...
    @property
    def rtt_s(self) -> float: ...
    def charge(self, nbytes: Ints, overhead: Ints | int) -> Ints: ...


def tell(
    link: Facts,
    name: str,
    horizon: float,
    seeds: np.random.SeedSequence,
    week_offset: float,
    folder: Path | None,
) -> Timeline:
    """Work out a link's timeline; see `drsim.wan.link.Link.timeline`."""
    scene = Scene(seeds, ("link", name), horizon, week_offset, folder)
    episodes = [e for fault, its in _scenes(link, scene) for e in fault.episodes(its)]
    downs = [(e.begin, e.end, e.cause) for e in episodes if e.down]
    cuts, silent = cuts_of(downs, functools.partial(_silence, link))
    active = [_active(background, scene) for background in link.background]
    ramps = [_ramps(link, rate, cuts) for rate in link.payload]
    forward, reverse = (
        _direction(link, word, ramp, episodes, cuts, active, scene)
        for word, ramp in zip(("forward", "reverse"), ramps, strict=True)
    )
    spans = [Span(e.begin, e.end, e.cause) for e in episodes] + silent
    spans += [Span(begin, end, "tcp") for begin, end in _rising(ramps)]
    spans += [Span(*window, "throttle") for t in link.throttle for window in _windows(t, scene)]
    spans += [Span(begin, end, "background") for intervals in active for begin, end, _ in intervals]
    return Timeline(forward, reverse, tuple(cuts), tuple(sorted(spans)), link.rtt_s / 2, link.charge)


def stream_rate(link: Facts, wire_rate: float, loss: float = 0.0) -> float:
    """Wire bytes/s that TCP makes of ``wire_rate`` with its own loss and ``loss`` (a fraction) more."""
    transport, wire = link.transport, link.wire
    together = 1 - (1 - float(transport.loss)) * (1 - loss)
    window = math.inf if transport.window is None else float(transport.window)
    if together >= 1:
        return 0.0
    stream = tcp.limit(
        wire_rate * wire.goodput,
        wire.mss,
        link.rtt_s,
        window=window,
        loss=together,
        streams=transport.streams,
        congestion=transport.congestion,
    )
    return wire_rate if stream >= wire_rate * wire.goodput else stream / wire.goodput


def _scenes(link: Facts, scene: Scene) -> Iterator[tuple[Fault, Scene]]:
    """Pair each fault with its stream's name: by place on the link, or by place on the conduit."""
    on_conduit: Counter[str] = Counter()
    for place, fault in enumerate(link.outages):
        conduit = fault.conduit or link.conduit
        path: tuple[str, ...] = (*scene.path, "outage", str(place))
        if conduit is not None:
            path = ("conduit", conduit, str(on_conduit[conduit]))
            on_conduit[conduit] += 1
        yield fault, Scene(scene.seeds, path, scene.horizon, scene.week_offset, scene.folder)


def _silence(link: Facts, dead: float) -> float:
    if link.efficiency is not None:
        return 0.0
    timeout = tcp.first_timeout(link.rtt_s, link.transport.congestion)
    every = float(link.transport.reconnect)
    if every == 0:
        return tcp.silence(dead, timeout)
    return tcp.silence_with_reconnect(dead, timeout, every, link.rtt_s)


def _ramps(link: Facts, rate: float, cuts: Sequence[Cut]) -> list[tuple[float, float, float]]:
    """Limits in wire bytes/s while fresh connections start slowly: (begin, end, limit)."""
    if link.efficiency is not None or not cuts:
        return []
    wire, streams = link.wire, link.transport.streams
    steps = tcp.slow_start(stream_rate(link, rate) * wire.goodput, link.rtt_s, wire.mss, streams)
    ends = [at for at, _ in steps[1:]]
    return [
        (cut.up_at + at, cut.up_at + end, limit / wire.goodput)
        for cut in cuts
        for (at, limit), end in zip(steps, ends, strict=False)
    ]


def _rising(ramps: Sequence[list[tuple[float, float, float]]]) -> list[tuple[float, float]]:
    return sorted({(begin, end) for ramp in ramps for begin, end, _ in ramp})


def _active(background: Background, scene: Scene) -> list[tuple[float, float, float]]:
    own = Scene(
        scene.seeds,
        (*scene.path, "background", background.name),
        scene.horizon,
        scene.week_offset,
        scene.folder,
    )
    return [(begin, end, 1.0) for begin, end in background.active(own)]


def _windows(throttle: Throttle, scene: Scene) -> Iterator[tuple[float, float]]:
    return throttle.intervals(scene.horizon, scene.week_offset)


def _throttles(link: Facts, word: str, scene: Scene) -> list[Step]:
    return layer(
        (
            (begin, end, float(throttle.to_rate))
            for throttle in link.throttle
            if throttle.direction in ("both", word)
            for begin, end in _windows(throttle, scene)
        ),
        min,
        math.inf,
    )


def _direction(
    link: Facts,
    word: str,
    ramp: list[tuple[float, float, float]],
    episodes: Sequence[Episode],
    cuts: Sequence[Cut],
    active: Sequence[list[tuple[float, float, float]]],
    scene: Scene,
) -> Direction:
    side = 0 if word == "forward" else 1
    base = (link.nominal if link.efficiency is not None else link.payload)[side]
    layers = [
        layer(((cut.down_at, cut.up_at, 0.0) for cut in cuts), min, 1.0),
        layer(((e.begin, e.end, e.keeps) for e in episodes if e.keeps < 1), min, 1.0),
        layer(((e.begin, e.end, 1 - e.loss) for e in episodes if e.loss > 0), math.prod, 1.0),
        _throttles(link, word, scene),
        layer(ramp, min, math.inf),
        *(layer(intervals, max, 0.0) for intervals in active),
    ]
    through = functools.cache(lambda free, loss: stream_rate(link, free, loss))

    def rate(up: float, keeps: float, passing: float, throttle: float, rising: float, *on: float) -> float:
        there = [other for other, present in zip(link.background, on, strict=True) if present]
        free = left(base * keeps, there)
        if up == 0 or free <= 0:
            return 0.0
        if link.efficiency is not None:
            return min(float(link.efficiency) * free, throttle)
        return min(through(free, 1 - passing), throttle, rising)

    return Direction(overlay(layers, rate))
