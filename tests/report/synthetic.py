"""A made-up week of three sites, measured with the real meters: what pictures and reports are tested on."""

from __future__ import annotations

import numpy as np

from drsim.measure.causes import Blame, Span, seconds_by_cause
from drsim.measure.lag import LagMeter
from drsim.measure.occupancy import OccupancyMeter
from drsim.measure.usage import UsageMeter
from drsim.report.source import Source
from drsim.wan.capacity import capacity
from drsim.wan.fifo import Fifo

DAY = 86400.0
NONE = np.empty(0), np.empty(0, np.int64)


def office(rng, days, per_s, size):
    """Arrivals of a week: busy from 8 to 18 on weekdays, a quarter of that otherwise."""
    t = np.cumsum(rng.exponential(1 / per_s, int(days * DAY * per_s * 1.1)))
    t = t[t < days * DAY]
    hour, day = t % DAY / 3600, (t // DAY) % 7
    busy = (hour >= 8) & (hour < 18) & (day < 5)
    t = t[busy | (rng.random(len(t)) < 0.25)]
    return t, np.full(len(t), size)


def one(name, steps, outages, rng, days, rpo, load, expose=(), limit=None):
    """Run one group over one link; give summary, tables and spans."""
    acked, size = office(rng, days, load, 262144)
    fifo = Fifo(capacity(steps, days * DAY))
    done, _ = fifo.serve(acked, size)
    done += 0.02
    for begin, end in expose:
        done = np.where((done > begin) & (done < end), end, done)
    end_s = days * DAY
    inside = done <= end_s
    meter, journal, usage = LagMeter(rpo), OccupancyMeter(limit), UsageMeter(300.0)
    for begin, end in expose:
        meter.expose(begin, end)
    meter.feed(acked[inside], size[inside], done[inside])
    out = meter.finish(end_s, acked[~inside], size[~inside])
    journal.arrive(acked, size)
    journal.release(done[inside], size[inside])
    held = journal.finish(end_s)
    usage.feed("data", done[inside], size[inside])
    tick = np.arange(0.0, end_s, 60.0)
    usage.feed("voip", tick, np.full(len(tick), 3_000_000))
    group, target, link = name
    curve = meter.curve()
    t, level = journal.curve()
    at = np.searchsorted(t, curve["t"], side="right") - 1
    curve["journal_bytes"] = level[at]
    spans = [Span(a, b, "outage", link) for a, b in outages]
    spans += [Span(8 * 3600 + d * DAY, 18 * 3600 + d * DAY, "throttle", link) for d in range(min(days, 5))]
    found = meter.violations.columns()
    blame = Blame(curve["t"], curve["lag_s"], spans, rpo)
    by = seconds_by_cause(blame.pieces(found), out["violation_s"])
    numbers = {
        **out,
        "violation_s_by_cause": by,
        "journal_peak_bytes": held["peak_bytes"],
        "journal_limit_bytes": limit,
        "journal_overflows": int(bool(expose)),
        "resyncs": int(bool(expose)),
        "resync_bytes": 0,
        "sent_bytes": int(size[inside].sum()),
        "folded_bytes": 0,
        "last_applied_s": float(done[inside][-1]),
        "consistent": True,
    }
    tables = {
        f"curve/{group}/{target}": curve,
        f"exceedance/{group}/{target}": meter.exceedance(),
        f"link/{link}/forward": usage.columns(end_s, steps),
    }
    rows = [(s.begin, s.end, "link", s.subject, s.cause) for s in spans]
    rows += [(a, b, "exposure", f"{group}/{target}", "resync") for a, b in expose]
    rows += [
        (a, b, "violation", f"{group}/{target}", "")
        for a, b in zip(found["begin"], found["end"], strict=True)
    ]
    totals = {"written_bytes": int(size.sum()), "writes": len(size), "targets": {target: numbers}}
    return totals, tables, rows, sum(b - a for a, b in outages)


def week(days=7, seed=3):
    """Three groups round the ring: one misses its RPO, one is exposed for some hours, one is well."""
    rng = np.random.default_rng(seed)
    slow, fast = 3.9e6, 9e6

    def throttled(rate, low, outages):
        steps = [(0.0, rate)]
        for d in range(days):
            if d % 7 < 5:
                steps += [(d * DAY + 8 * 3600, low), (d * DAY + 18 * 3600, rate)]
        for a, b in outages:
            before = [r for t, r in steps if t <= b][-1]
            steps = [(t, r) for t, r in steps if not a <= t <= b] + [(a, 0.0), (b, before)]
        return sorted(steps)

    plans = [
        (
            ("erp", "lyon", "paris-lyon"),
            slow,
            2.4e6,
            [(1 * DAY + 3 * 3600, 1 * DAY + 5 * 3600), (3.6 * DAY, 3.65 * DAY)],
            900.0,
            8.0,
            (),
        ),
        (
            ("mail", "nice", "lyon-nice"),
            fast,
            9e6,
            [(2.4 * DAY, 2.9 * DAY)],
            1800.0,
            6.0,
            ((2.9 * DAY, 3.1 * DAY),),
        ),
        (("files & <shares>", "paris", "nice-paris"), fast, 9e6, [], 3600.0, 5.0, ()),
    ]
    groups, tables, rows, links = {}, {}, [], {}
    routes = {"group": [], "target": [], "link": []}
    for name, rate, low, outages, rpo, load, expose in plans:
        outages = [(a, b) for a, b in outages if b < days * DAY]
        expose = [e for e in expose if e[1] < days * DAY]
        got = one(name, throttled(rate, low, outages), outages, rng, days, rpo, load, expose, 60_000_000_000)
        groups[name[0]] = got[0]
        tables |= got[1]
        rows += got[2]
        use = got[1][f"link/{name[2]}/forward"]
        carried = int(use["data"].sum() + use["voip"].sum())
        links[name[2]] = {
            "utilisation": carried / float(use["usable"].sum()),
            "carried_bytes": carried,
            "down_s": got[3],
        }
        for key, value in zip(routes, name, strict=True):
            routes[key].append(value)
    tables["routes"] = routes
    tables["spans"] = {
        "begin": np.array([r[0] for r in rows]),
        "end": np.array([r[1] for r in rows]),
        "kind": [r[2] for r in rows],
        "subject": [r[3] for r in rows],
        "cause": [r[4] for r in rows],
    }
    tables["events"] = {
        "t": np.array([2.7 * DAY, 2.9 * DAY, 3.1 * DAY]),
        "subject": ["mail"] * 3,
        "what": ["journal overflow", "resync begins", "resync ends"],
        "detail": ["60 GB full: tracking in the bitmap", "", "order regained"],
    }
    return Source(summary_of(groups, links, days), tables, FACTS)


def summary_of(groups, links, days):
    p99 = groups["erp"]["targets"]["lyon"]["lag_p99_s"]
    return {
        "schema_version": 1,
        "scenario": "three_site",
        "seed": 7,
        "duration_s": days * DAY,
        "writes": sum(g["writes"] for g in groups.values()),
        "wall_s": 3.21,
        "writes_per_wall_s": 1.2e6,
        "passed": False,
        "groups": groups,
        "links": links,
        "hosts": {
            "erp-db": {
                "writes": 10,
                "write_latency_mean_s": 4e-4,
                "write_latency_p99_s": 9e-4,
                "write_latency_max_s": 2e-3,
            }
        },
        "expectations": [
            {"expect": "erp.lyon.lag.p99 <= 15 min", "value": p99, "passed": p99 <= 900},
            {"expect": "mail.nice.exposure == 0 s", "value": 17280.0, "passed": False},
            {"expect": "links.paris-lyon.utilisation <= 90 %", "value": 0.6, "passed": True},
        ],
    }


TEXT = """drsim: 1
title: Three business-continuity sites, each protected by the next
# <script>alert("never")</script>
"""
FACTS = {
    "key": "9f3ac01b77de",
    "seed": 7,
    "overrides": ["links.paris-lyon.rate=45 Mb/s"],
    "exit_code": 3,
    "versions": {"drsim": "0.1.0", "python": "3.11.7", "numpy": "2.4.6"},
    "scenario_text": TEXT,
    "warnings": ["link nice-paris has no outage: its availability is assumed perfect"],
    "assumptions": [
        "links paris-lyon, lyon-nice: efficiency 70 % covers all protocol overhead (no TCP model)"
    ],
    "scenario_data": {
        "title": "Three business-continuity sites, each protected by the next",
        "start": "2026-03-02 00:00",
        "sites": {"paris": {}, "lyon": {}, "nice": {}},
        "links": {
            "paris-lyon": {"between": ["paris", "lyon"], "type": "DS3", "rtt": "9 ms", "efficiency": "70 %"},
            "lyon-nice": {
                "between": ["lyon", "nice"],
                "rate": "100 Mb/s",
                "rtt": "7 ms",
                "efficiency": "70 %",
            },
            "nice-paris": {"between": ["nice", "paris"], "rate": "100 Mb/s", "rtt": "14 ms"},
        },
        "groups": {
            "erp": {"source": "paris", "mode": "journal", "targets": {"lyon": {"rpo": "15 min"}}},
            "mail": {"source": "lyon", "mode": "journal", "targets": {"nice": {"rpo": "30 min"}}},
            "files & <shares>": {"source": "nice", "mode": "cycle", "targets": {"paris": {"rpo": "1 h"}}},
        },
    },
}
