"""make bench: drsim beside naive per-write programs in the same run, the engine alone, folding alone.

Every figure is CPU time of this process, the best of a few rounds taken in turn; ratios are what to quote.
``--only NAME`` (again and again) chooses rows, ``--json FILE`` keeps the figures, ``--addresses`` draws every address,
also of worlds in which nobody looks at them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from drsim.blocks import WriteBatch, compiled
from drsim.blocks.fold import fold
from drsim.randomness import stream
from drsim.replication import actions as do
from drsim.replication import events as on
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.target import TargetEngine
from drsim.scenario import Scenario, loads
from drsim.simulation import run
from drsim.workload import synthetic
from tests.bench.measure import measured
from tests.bench.peer import per_write
from tests.bench.rows import rows
from tests.simulation.naive import NaivePair

PAIR = """
drsim: 1
seed: 1
duration: {duration} s
sites: {{a: {{}}, b: {{disk: {{write: {destage} B/s}}}}}}
links: {{ab: {{between: [a, b], rate: {rate} B/s, efficiency: 100 %, rtt: 10 ms}}}}
groups: {{g: {{source: a, volumes: {{v: 1 TB}}, targets: {{b: {{rpo: 1 s}}}}}}}}
hosts: {{h: {{site: a, writes: [{{volume: g/v, rate: {load} /s, size: 8 KiB, arrivals: poisson}}]}}}}
"""
RATE, DESTAGE, LOAD = 18_720_000, 24_000_000, 2_000
ROUNDS = 3


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def pair() -> None:
    """The pair: the peer on 50 s of writes, drsim on the same 50 s (same lags) and on an hour (its speed)."""
    short = loads(PAIR.format(duration=50, destage=DESTAGE, rate=RATE, load=LOAD), "bench")
    long = loads(PAIR.format(duration=3600, destage=DESTAGE, rate=RATE, load=LOAD), "bench")
    write = short.hosts["h"].writes[0]
    times: list[float] = []
    for block in write.blocks(stream(1, "hosts", "h", "0"), 10**12, short.folder, 0.0):
        times += block.time[block.time <= 50.0].tolist()
        if block.time[-1] > 50.0:
            break
    lags = per_write(times, 8192, RATE, 0.005, DESTAGE)
    got = run(short).summary["groups"]["g"]["targets"]["b"]
    done = [lag for at, lag in zip(times, lags, strict=True) if at + lag <= 50.0]
    assert np.isclose(got["delay_mean_s"], np.mean(done), rtol=1e-9), "drsim and the peer disagree"
    assert np.isclose(got["delay_max_s"], np.max(done), rtol=1e-9), "drsim and the peer disagree"
    ways: tuple[compiled.Choice, ...] = ("never", "always") if compiled.available() else ("never",)
    peers, ours = [], {way: [] for way in ways}
    found = {way: _run(long, way) for way in ways}
    assert all(each == found["never"] for each in found.values()), "compiled loops and NumPy disagree"
    for _ in range(ROUNDS):
        peers.append(cpu(lambda: per_write(times, 8192, RATE, 0.005, DESTAGE)))
        for way in ways:
            ours[way].append(cpu(lambda way=way: _run(long, way)))  # type: ignore[misc]
    slow = len(times) / min(peers)
    same = same_path(times)
    print(f"pair, queues alone as SimPy processes            {slow / 1e6:7.3f} M writes/s")
    print(f"pair, the same path as a naive SimPy program     {same / 1e6:7.3f} M writes/s")
    for way, name in (("never", "NumPy alone "), ("always", "with numba  ")):
        if way in ways:
            fast = found[way]["writes"] / min(ours[way])
            print(f"pair, drsim, {name}                        {fast / 1e6:7.3f} M writes/s")
            print(
                f"  {fast / slow:.0f} x the queues alone, {fast / same:.0f} x the naive program of the same path"
            )


def _run(scenario: Scenario, way: compiled.Choice) -> dict[str, Any]:
    """A run's summary, with compiled loops or without."""
    before = compiled.use(way)
    try:
        return run(scenario).summary
    finally:
        compiled.use(before)


def same_path(times: list[float]) -> float:
    """The oracle of the tests, which can do what drsim does on this path (sessions, cuts, sending again): writes/s.

    With an outage in the middle both must give the same lags; the speed is that of the quiet pair.
    """
    down = (20.0, 25.0)
    text = PAIR.format(duration=50, destage=DESTAGE, rate=RATE, load=LOAD)
    cut = loads(text.replace("rtt: 10 ms", "rtt: 10 ms, outages: [{at: 20 s, for: 5 s}]"), "bench")
    got = run(cut).summary["groups"]["g"]["targets"]["b"]
    writes = [(at, 8192) for at in times]
    found = NaivePair(writes, RATE, 0.005, [down], destage_rate=DESTAGE).run()
    lags = [r - a for a, r in zip(found.acked, found.recovered, strict=True) if r <= 50.0]
    assert np.isclose(got["delay_mean_s"], np.mean(lags), rtol=1e-9), "drsim and the naive program disagree"
    assert np.isclose(got["delay_max_s"], np.max(lags), rtol=1e-9), "drsim and the naive program disagree"
    pair = lambda: NaivePair(writes, RATE, 0.005, destage_rate=DESTAGE).run()  # noqa: E731
    return len(writes) / min(cpu(pair) for _ in range(ROUNDS))


def batches(count: int, size: int) -> list[WriteBatch]:
    """Consecutive batches without payload."""
    made = []
    zeros, kind = np.zeros(size, np.uint16), np.zeros(size, np.uint8)
    length, offset = np.full(size, 8192, np.int64), np.arange(size, dtype=np.int64) * 8192
    for i in range(count):
        seq = np.arange(i * size + 1, (i + 1) * size + 1, dtype=np.int64)
        made.append(WriteBatch(seq, np.full(size, float(i)), zeros, offset, length, kind))
    return made


def engine() -> None:
    """Source and target engines alone, journal mode, batches of 1,000: journal, send, stage, destage, acknowledge."""

    def work() -> None:
        source, target = SourceEngine(SourceSettings()), TargetEngine(TargetSettings())
        inbox: list[tuple[object, on.Event]] = [(target, on.LinkUp()), (source, on.LinkUp())]

        def settle(now: float) -> None:
            while inbox:
                who, event = inbox.pop(0)
                for action in who.step(event, now):  # type: ignore[attr-defined]
                    answer(source if who is source else target, action)

        def answer(who: object, action: do.Action) -> None:
            match action:
                case do.AppendJournal(batch=batch):
                    inbox.append((source, on.JournalDurable(batch.seq, batch.time)))
                case do.Send(frame=frame, ready=ready):
                    inbox.append((target if who is source else source, on.Received(frame, ready)))
                case do.AppendStaging(batch=batch, ready=ready):
                    inbox.append((target, on.StagingDurable(batch.seq, ready)))
                case do.WriteBlocks(ticket=ticket, batch=batch, ready=ready):
                    inbox.append((target, on.BlocksWritten(ticket, batch.seq, ready)))

        settle(0.0)
        for i, batch in enumerate(made):
            inbox.append((source, on.HostWrites(batch)))
            settle(float(i))
        assert source.leg.confirmed == count * size, "not everything was confirmed"

    count, size = 3000, 1000
    made = batches(count, size)
    best = min(cpu(work) for _ in range(ROUNDS))
    print(f"engine alone, 1,000 a batch  {count * size / best / 1e6:8.1f} M writes/s")


def folding() -> None:
    """Folding of a cycle of uniformly random 4 KiB writes over 1 TB, and over 4 GB."""
    rng = np.random.default_rng(1)
    n = 1_000_000
    for blocks, label in ((2**28, "1 TB"), (2**20, "4 GB")):
        batch = WriteBatch(
            np.arange(1, n + 1, dtype=np.int64),
            np.zeros(n),
            np.zeros(n, np.uint16),
            rng.integers(0, blocks, n) * 4096,
            np.full(n, 4096, np.int64),
            np.zeros(n, np.uint8),
        )
        best = min(cpu(lambda batch=batch: fold(batch)) for _ in range(ROUNDS))  # type: ignore[misc]
        print(f"folding, volume of {label}      {n / best / 1e6:8.1f} M writes/s")


ALONE: dict[str, Callable[[], None]] = {"pair": pair, "engine": engine, "folding": folding}


def main() -> None:
    """Print the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [*ALONE, *rows(folder)]
        parser.add_argument("--only", action="append", default=[], choices=names)
        parser.add_argument("--json", type=Path, default=None, help="write the figures of the worlds there")
        parser.add_argument("--addresses", action="store_true", help="draw them also where nobody looks")
        given = parser.parse_args()
        if given.addresses:
            synthetic.undrawn = lambda rows, make: make()
        wanted = given.only or names
        for each in [each for each in ALONE if each in wanted]:
            ALONE[each]()
        found = (
            measured([each for each in wanted if each not in ALONE], folder, print)
            if set(wanted) - set(ALONE)
            else {}
        )
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
