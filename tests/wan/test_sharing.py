"""Disciplines against closed forms, worked vectors and measurements; what a ``sharing:`` entry builds."""

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsim.wan import fluid
from drsim.wan.capacity import capacity
from drsim.wan.fifo import FifoServer
from drsim.wan.priority import PriorityServer
from drsim.wan.sharing import KINDS, Sharing
from drsim.wan.weighted import WeightedServer


def _finish(server, *columns, until=1e9):
    for klass, (ready, nbytes) in enumerate(columns):
        server.offer(klass, np.asarray(ready, float), np.asarray(nbytes, np.int64))
    return dict(server.advance(until))


def test_lindley_vector(shared):
    case = json.loads((shared / "truth/worked_scenarios.json").read_text())["lindley_vector"]
    server = FifoServer(capacity([(0.0, case["link_Bps"])], 1e3))
    got = _finish(server, (case["arrival_s"], case["size_B"]))[0]
    assert got == pytest.approx(case["finish_s"], abs=1e-9)


def test_periodic_writes_and_an_outage(shared):
    case = json.loads((shared / "truth/worked_scenarios.json").read_text())["dd1_outage"]
    down, up = case["outage"]
    rate, n = case["link_Bps"], len(case["finish_s"])
    server = FifoServer(capacity([(0.0, rate), (down, 0.0), (up, rate)], 1e3))
    ready = np.arange(n) * float(case["period_s"])
    got = _finish(server, (ready, np.full(n, case["size_B"])))[0]
    assert got == pytest.approx(case["finish_s"], abs=1e-9)
    assert (got - ready).max() == pytest.approx(case["max_delay"])


def _queue_rows(shared):
    with (shared / "truth/analytic.csv").open() as file:
        return [row for row in csv.DictReader(file) if "Wq" in row["id"] and row["kind"] == "queue"]


def test_mean_waiting_of_queues(shared):
    """M/M/1, M/D/1 and M/G/1 (Pollaczek-Khinchine): a million items each, within sampling error."""
    rows = _queue_rows(shared)
    assert len(rows) == 9
    for row in rows:
        par = json.loads(row["params"])
        rng = np.random.default_rng(3)
        rate, n = par.get("rate_Bps", 1e6), 1_000_000
        if row["id"].startswith("MG1"):
            sizes, gap = rng.choice(par["sizes"], n, p=par["p"]), 1 / par["lam"]
        elif row["id"].startswith("MD1"):
            sizes, gap = np.full(n, int(1e6)), 1 / par["rho"]
        else:
            sizes, gap = np.rint(rng.exponential(1e6, n)).astype(np.int64), 1 / par["rho"]
        ready = np.cumsum(rng.exponential(gap, n))
        server = FifoServer(capacity([(0.0, rate)], float(ready[-1]) * 2))
        waits = _finish(server, (ready, sizes))[0] - ready - sizes / rate
        assert waits.mean() == pytest.approx(float(row["value"]), rel=0.03)


def test_fluid_outages(shared):
    """Backlog, catch-up and lag behind one outage: fine-grained constant writes on a FIFO link."""
    with (shared / "truth/analytic.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file) if row["id"].startswith("fluid_outage_")}
    cases = {name.removeprefix("fluid_outage_total_behind_") for name in rows if "total_behind" in name}
    assert len(cases) == 4
    for case in cases:
        par = json.loads(rows[f"fluid_outage_total_behind_{case}"]["params"])
        begin, n = 1000.0, 200_000
        end = begin + 3 * float(rows[f"fluid_outage_total_behind_{case}"]["value"])
        gap = end / n
        steps = [(0.0, par["C_Bps"]), (begin, 0.0), (begin + par["T_s"], par["C_Bps"])]
        server = FifoServer(capacity(steps, end))
        ready, size = np.arange(1, n + 1) * gap, round(par["lam_Bps"] * gap)
        finish = _finish(server, (ready, np.full(n, size)))[0]
        lag = finish - ready
        late = lag > 2 * gap
        value = {what: float(rows[f"fluid_outage_{what}_{case}"]["value"]) for what in ("catchup", "max_lag")}
        assert lag.max() == pytest.approx(value["max_lag"], abs=2 * gap)
        assert finish[late].max() - begin - par["T_s"] == pytest.approx(
            value["catchup"], rel=1e-3, abs=4 * gap
        )


def test_two_to_one_as_a_real_queueing_discipline_measured():
    """htb classes 30 and 15 of 45 Mb/s carried 28.68 and 14.34 Mb/s: 2:1 of what frames leave."""
    server = WeightedServer(capacity([(0.0, 45e6 / 8 * 1448 / 1514)], 1e4), [30, 15])
    n = 20_000
    done = _finish(server, *[(np.zeros(n), np.full(n, 1448))] * 2, until=2.0)
    mbps = [len(done[k]) * 1448 * 8 / 2.0 / 1e6 for k in (0, 1)]
    assert mbps == pytest.approx([28.68, 14.34], rel=2e-3)


def test_caps_leave_capacity_unused_and_reservations_hold():
    line = capacity([(0.0, 1000.0)], 1e4)
    alone = WeightedServer(line, [1, 1], ceilings=[250.0, math.inf])
    assert _finish(alone, ([0.0], [1000]))[0].tolist() == [4.0]
    both = WeightedServer(line, [1, 9], floors=[400.0, 0.0])
    done = _finish(both, ([0.0], [400]), ([0.0], [600]))
    assert (done[0].tolist(), done[1].tolist()) == ([1.0], [1.0])


@pytest.mark.parametrize(
    ("total", "busy", "floor", "ceiling", "want"),
    [
        (900.0, [1, 1, 1], [0, 0, 0], [math.inf] * 3, [150, 300, 450]),
        (900.0, [1, 0, 1], [0, 0, 0], [math.inf] * 3, [225, 0, 675]),
        (900.0, [1, 1, 1], [300, 0, 0], [math.inf] * 3, [300, 240, 360]),
        (900.0, [1, 1, 1], [0, 0, 0], [math.inf, math.inf, 150], [250, 500, 150]),
        (900.0, [1, 1, 1], [300, 0, 0], [math.inf, math.inf, 300], [300, 300, 300]),
        (900.0, [1, 1, 1], [600, 0, 600], [math.inf] * 3, [450, 0, 450]),
        (900.0, [1, 1, 1], [0, 0, 0], [100, 100, 100], [100, 100, 100]),
        (0.0, [1, 1, 1], [10, 0, 0], [math.inf] * 3, [0, 0, 0]),
    ],
)
def test_shares(total, busy, floor, ceiling, want):
    out = [9.0] * 3
    fluid.share_out(total, busy, ([1.0, 2.0, 3.0], floor, ceiling), out)
    assert out == pytest.approx(want)


shares = st.tuples(
    st.floats(0.1, 10), st.sampled_from([0.0, 5.0, 60.0]), st.sampled_from([80.0, 200.0, math.inf])
)


@given(st.floats(1, 1000), st.lists(st.tuples(st.booleans(), shares), min_size=1, max_size=7))
def test_shares_conserve_and_respect_bounds(total, classes):
    busy = [int(flag) for flag, _ in classes]
    weight, floor, ceiling = (list(column) for column in zip(*(share for _, share in classes), strict=True))
    out = [0.0] * len(classes)
    fluid.share_out(total, busy, (weight, floor, ceiling), out)
    mine = [c for c in range(len(out)) if busy[c]]
    assert all(out[c] == 0 for c in range(len(out)) if not busy[c])
    assert sum(out) == pytest.approx(min(total, sum(ceiling[c] for c in mine)))
    if sum(floor[c] for c in mine) <= total:
        free = [out[c] / weight[c] for c in mine if floor[c] < out[c] < ceiling[c]]
        assert free == pytest.approx([free[0]] * len(free)) if free else True
        assert all(floor[c] * (1 - 1e-9) <= out[c] <= ceiling[c] * (1 + 1e-9) for c in mine)


loads = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 2), st.integers(1, 5000)),
    min_size=1,
    max_size=60,
)


@given(loads)
def test_work_conserving_disciplines_end_every_busy_period_together(load):
    """Sharing moves work between classes and never in or out: the last finish of all is FIFO's."""
    line = capacity([(0.0, 1000.0), (5.0, 0.0), (9.0, 3000.0)], 1e4)
    at = np.cumsum([gap for gap, _, _ in load])
    columns = []
    for k in range(3):
        rows = [i for i, (_, klass, _) in enumerate(load) if klass == k]
        columns.append((at[rows], [load[i][2] for i in rows]))
    servers = [FifoServer(line, 3), PriorityServer(line, [0, 1, 1]), WeightedServer(line, [1, 2, 3])]
    ends = [max(column[-1] for column in _finish(server, *columns).values()) for server in servers]
    assert ends == pytest.approx([ends[0]] * 3, abs=1e-9)


def test_equal_priorities_share_one_queue():
    line = capacity([(0.0, 100.0)], 1e4)
    columns = ([0.0, 3.0], [100, 100]), ([0.5, 2.0], [100, 100])
    equal, fifo = _finish(PriorityServer(line, [4, 4]), *columns), _finish(FifoServer(line, 2), *columns)
    assert {k: v.tolist() for k, v in equal.items()} == {k: v.tolist() for k, v in fifo.items()}


def test_the_highest_class_never_notices_the_others():
    line = capacity([(0.0, 1e6)], 1e4)
    rng = np.random.default_rng(2)
    high = (np.cumsum(rng.exponential(0.01, 2000)), rng.integers(100, 9000, 2000))
    low = (np.cumsum(rng.exponential(0.005, 4000)), rng.integers(100, 9000, 4000))
    alone = _finish(FifoServer(line), high)[0]
    beside = _finish(PriorityServer(line, [0, 1]), high, low)[0]
    assert alone.tobytes() == beside.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_backlog_costs_nothing_to_stand_behind(kind):
    """Advancing in small strides over a million queued items looks at what finishes only."""
    line = capacity([(0.0, 1e6)], 1e6)
    server = Sharing.model_validate(kind).server(line, ["a", "b"])
    for k in (0, 1):
        server.offer(k, np.zeros(500_000), np.full(500_000, 1000))
    total = 0
    for at in np.arange(1, 2001) * 0.05:
        total += sum(len(finish) for _, finish in server.advance(float(at)))
        assert server.next_finish(0) > at
    assert total == pytest.approx(100_000, abs=2)
    assert server.queued(0) + server.queued(1) == 1_000_000 - total


def test_a_scenario_names_its_classes():
    sharing = Sharing.model_validate(
        {"kind": "weighted", "classes": {"erp": {"weight": 3}, "erp/resync": {"cap": "4 kb/s"}}}
    )
    assert sharing.share("erp/acks").weight == 3
    server = sharing.server(capacity([(0.0, 4000.0)], 1e4), ["erp", "mail", "erp/resync"])
    done = _finish(server, ([0.0], [2625]), ([0.0], [875]), ([0.0], [500]))
    assert [done[k].tolist() for k in range(3)] == [[1.0], [1.0], [1.0]]
    assert isinstance(Sharing.model_validate("priority").server(capacity([(0.0, 1.0)], 1.0)), PriorityServer)
    assert isinstance(Sharing().server(capacity([(0.0, 1.0)], 1.0)), FifoServer)
