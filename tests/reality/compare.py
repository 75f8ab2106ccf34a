"""The same writes through the simulator; lag, journal and catch-up of both, beside each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drsim.measure.lag import LagMeter
from drsim.scenario.loading import load
from drsim.simulation.running import Run, run
from tests.reality.flight import Flight, Story
from tests.reality.wan import FRAME, WIRE

KEYS = ("lag_p50_s", "lag_p95_s", "lag_p99_s", "lag_max_s", "journal_peak_bytes", "catch_up_s")


def simulate(story: Story, flight: Flight, folder: Path) -> Run:
    """Run the writes as they entered the real order through a simulated pair on the link as it really was.

    What the machine itself was like is told too (means of the recordings): how long a group commit takes at either
    end, how long a frame takes from engine to engine beyond the line, and when the connection was there again
    after a cut: an outage lasts until then, less the round trip that the simulator's own handshake takes.
    """
    trace = folder / "writes.csv"
    with trace.open("w") as file:
        file.write("t_us,dev,op,offset_bytes,length_bytes\n")
        for t, offset, length in zip(flight.time, flight.offset, flight.length, strict=True):
            file.write(f"{t * 1e6:.0f},0,W,{offset},{length}\n")
    arrival = max(0.0, flight.staging_s + flight.handling_s)
    rtt = 2 * (story.delay or 0.0)
    redialled = [end + redial - rtt for (_, end), redial in zip(flight.cuts, flight.redials, strict=True)]
    bad = [
        f"{{at: {begin:.6f} s, for: {end - begin:.6f} s}}"
        for (begin, _), end in zip(flight.cuts, redialled, strict=True)
    ]
    bad += [f"{{at: {b:.6f} s, for: {e - b:.6f} s, keeps: {share * 100} %}}" for b, e, share in flight.slow]
    # tbf counts a full packet as 1514 bytes, the simulator's Ethernet as 1538: the same packets a second.
    rate = f"{story.mbit * 1e6 * WIRE / FRAME:.0f} b/s"
    text = f"""
drsim: 1
title: {story.name}
duration: {flight.end:.6f} s
sites:
  paris: {{journal_disk: {{write: 100 TB/s, latency: {flight.journal_s * 1e3:.4f} ms}}}}
  lyon: {{journal_disk: {{write: 100 TB/s, latency: {arrival * 1e3:.4f} ms}}}}
links:
  wan:
    between: [paris, lyon]
    rate: {rate}
    rtt: {rtt * 1e3} ms
    tcp: {{reconnect: 1 ms, loss: {story.loss * 100} %}}
    outages: [{", ".join(bad)}]
groups:
  erp:
    source: paris
    volumes: {{v: {story.volume} B}}
    targets: {{lyon: {{rpo: 5 s, staging: {{medium: journal_disk}}}}}}
    mode: journal
    journal: {{size: {story.journal}, on_full: track, medium: journal_disk}}
hosts:
  host: {{site: paris, writes: [{{trace: writes.csv, volume: erp/v}}]}}
"""
    path = folder / "same.yaml"
    path.write_text(text)
    return run(load(path))


@dataclass
class Both:
    """A key's value in reality and in the simulator."""

    key: str
    real: float
    simulated: float

    @property
    def error(self) -> float:
        """The simulator's error as a share of reality."""
        return (self.simulated - self.real) / self.real if self.real else self.simulated


def measured(flight: Flight) -> LagMeter:
    """Give reality's meter: the very one the simulator uses."""
    meter = LagMeter(5.0)
    known = np.isfinite(flight.recovered)
    count = len(known) if known.all() else int(np.argmin(known))
    meter.feed(flight.acknowledged[:count], flight.length[:count], flight.recovered[:count])
    return meter


def catch_up(t: np.ndarray, lag: np.ndarray, since: float) -> float:
    """Give how long after ``since`` the lag first came back to (nearly) nothing."""
    later = (t > since + 0.05) & (lag < 0.25)
    return float(t[later][0] - since) if later.any() else float("inf")


def compare(story: Story, flight: Flight, folder: Path) -> tuple[list[Both], dict, dict]:
    """Give the table of one story and both lag curves."""
    simulated = simulate(story, flight, folder)
    meter = measured(flight)
    count = int(np.isfinite(flight.recovered).sum())
    real = meter.finish(flight.end, flight.acknowledged[count:], flight.length[count:])
    model = simulated.summary["groups"]["erp"]["targets"]["lyon"]
    curves = meter.curve(), simulated.tables["curve/erp/lyon"]
    found = [Both(key, float(real[key]), float(model[key])) for key in KEYS if key.startswith("lag")]
    found.append(Both("journal_peak_bytes", float(flight.journal_peak), float(model["journal_peak_bytes"])))
    troubles = [end for _, end, *_ in (*flight.cuts, *flight.slow)]
    if troubles:
        both = [catch_up(np.asarray(c["t"]), np.asarray(c["lag_s"]), max(troubles)) for c in curves]
        found.append(Both("catch_up_s", *both))
    return found, *curves
