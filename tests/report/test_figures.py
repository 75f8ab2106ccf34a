"""Every picture is drawn from results, says what it shows, keeps peaks, and has the same bytes twice."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axis import Tick
from matplotlib.figure import Figure

from drsim.measure.decimate import thin
from drsim.record import safe_name
from drsim.report import panels, style
from drsim.report.charts import causes_figure, exceedance_figure
from drsim.report.comparefigure import Measured, compare_figure
from drsim.report.html import pictures, save_pictures
from drsim.report.imagesfigure import images_figure, worth_drawing
from drsim.report.lagfigure import lag_figure
from drsim.report.overlay import Overlay, overlay_figure
from drsim.report.panels import POINTS, thinned
from drsim.report.source import Source
from drsim.report.studyfigures import Frontier, Grid, frontier_figure, heatmap_figure
from drsim.report.sweepfigure import sweep_figure
from drsim.report.topology import topology_figure
from drsim.units import format_size

MONDAY = datetime(2026, 3, 2)  # noqa: DTZ001  (scenarios have local times)


def title(figure):
    return figure.texts[0].get_text().replace("\n", " ")


def grid(**more):
    share = np.array([[0.6, 0.05, 0.0], [np.nan, 0.0004, 0.0]])
    passed = np.array([[False, False, True], [False, True, True]])
    facts = {
        "x_name": "links.a-b.type",
        "x": ["T1", "DS3", "OC3"],
        "y_name": "journal",
        "y": ["1 GB", "9 GB"],
    }
    return Grid(**{**facts, "share": share, "passed": passed, **more})


def frontier(**more):
    marks = {"T1": 193e3, "DS3": 5.592e6, "OC3": 19.44e6}
    facts = {"rpo_s": np.array([60.0, 900.0, 3600.0]), "rate": np.array([np.nan, 9e6, 2e6]), "marks": marks}
    return Frontier(**{**facts, **more})


def images(week):
    taken = np.arange(0, 86400, 1800.0)
    usable = taken + np.where(taken == 7200, 1500, 300)
    usable[0] = 0.0
    end = np.append(usable[1:], 86400.0)
    table = {"begin": usable, "end": end, "image": ["point"] * len(taken), "seq": np.arange(len(taken))}
    table |= {"taken": taken, "age_max_s": end - taken, "sent_from": taken + 20, "sent_to": usable - 10}
    return Source(week.summary, {**week.tables, "images/mail/nice": table}, week.facts)


def overlaid(rpo):
    t = np.linspace(0, 86400, 400)
    lags = {"base": 3e3 * np.abs(np.sin(t / 9e3)), "wider": 900 * np.abs(np.sin(t / 9e3))}
    lags["base"][50:60] = np.nan
    return Overlay("erp at lyon", {label: (t, lag) for label, lag in lags.items()}, rpo)


def strip(week):
    edges = np.array([0.0, 10.0, 15.0, 17.0, 18.0, 24.0]) * 3600
    kinds = ["following", "held", "snapshot", "none", "following"]
    table = {"begin": edges[:-1], "end": edges[1:], "image": kinds, "seq": np.arange(5)}
    table |= {name: np.full(5, np.nan) for name in ("taken", "sent_from", "sent_to")}
    table["age_max_s"] = np.array([5.0, 1.8e4, 2.5e4, np.nan, 4.0])
    return Source(week.summary, {**week.tables, "images/mail/nice": table}, week.facts)


DRAWN = {
    "lag": lambda week: lag_figure(week, "erp", MONDAY),
    "lag-exposed": lambda week: lag_figure(week, "mail"),
    "exceedance": lambda week: exceedance_figure(week),
    "causes": lambda week: causes_figure(week),
    "points": lambda week: images_figure(images(week), "mail", "nice", MONDAY),
    "strip": lambda week: images_figure(strip(week), "mail", "nice", MONDAY),
    "topology": lambda week: topology_figure(week),
    "heatmap": lambda week: heatmap_figure(grid(today=(1, 0))),
    "frontier": lambda week: frontier_figure(frontier(today=(900.0, 5.592e6))),
    "compare": lambda week: compare_figure(
        ["DS3", "OC3", "DS3 with cycles of 5 min"],
        [
            Measured(
                "erp.lyon lag p99",
                [900.0, 20.0, 400.0],
                [800, 18, 300],
                [1000, 25, 950],
                ["better", "unclear"],
            ),
            Measured(
                "violation", [7200.0, 0.0, 9000.0], [7000, 0, 8000], [7400, 0, 9900], ["better", "worse"]
            ),
            Measured(
                "sent", [5e9, 5e9, 2e9], [5e9, 5e9, 2e9], [5e9, 5e9, 2e9], ["same", "less"], format_size
            ),
        ],
        "three_site · futures 1–20",
        "20 futures, 95 % intervals",
    ),
    "overlay": lambda week: overlay_figure([overlaid(900.0), overlaid(None)], "three_site · future 0"),
    "compare-curves": lambda week: compare_figure(
        ["base", "wider"],
        [Measured("lag max", [9e3, 2e3], [8e3, 1e3], [1e4, 3e3], ["better"])],
        overlays=[overlaid(900.0)],
    ),
    "sweep": lambda week: sweep_figure(
        ["a=1", "a=2"],
        {"lag_p99_s": np.array([90.0, np.nan]), "x": np.array([1.0, 2.0])},
        np.array([True, False]),
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_has_the_same_bytes_twice_and_is_of_slide_size(week, tmp_path, name):
    digests = []
    for turn in ("one", "two"):
        paths = style.save(DRAWN[name](week), tmp_path / turn / name)
        assert [p.suffix for p in paths] == [".png", ".svg"]
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in paths])
    assert digests[0] == digests[1]
    picture = plt.imread(tmp_path / "one" / f"{name}.png")
    assert 1000 <= picture.shape[1] <= 2400
    assert (tmp_path / "one" / f"{name}.svg").stat().st_size < 600_000
    assert picture[..., :3].mean() > 0.6, "a picture is mostly paper"


@pytest.mark.parametrize("name", DRAWN)
def test_no_text_is_cut_off_or_covers_another(week, name):
    with style.look():
        figure = DRAWN[name](week)
        figure.draw_without_rendering()
        page = figure.bbox
        texts = [t for t in figure.findobj(plt.Text) if t.get_text().strip() and t.get_visible()]
        boxes, hidden = [], _hidden(figure)
        for text in texts:
            if text.get_clip_on() and text.axes is not None and text.get_clip_box() is not None:
                continue
            if text in hidden:
                continue
            box = text.get_window_extent()
            inside = min(box.x0 - page.x0, page.x1 - box.x1, box.y0 - page.y0, page.y1 - box.y1)
            assert inside >= -2, f"{text.get_text()!r} is cut off"
            boxes.append((text.get_text(), box))
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            width = min(a.x1, b.x1) - max(a.x0, b.x0)
            height = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert width < 3 or height < 3, f"{one!r} covers {other!r}"


def _hidden(figure):
    """Labels of ticks that are placed but not drawn: out of view, or of an axis that is off."""
    labels = {label for tick in figure.findobj(Tick) for label in (tick.label1, tick.label2)}
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = (high - low) * 1e-9
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if axes.axison and low - slack <= tick.get_loc() <= high + slack:
                    labels -= {tick.label1, tick.label2}
    return labels


def test_titles_state_the_finding(week, tiny):
    assert "erp: lyon misses its 15 min RPO for" in title(lag_figure(week, "erp"))
    assert "without any consistent image" in title(lag_figure(week, "mail"))
    assert title(lag_figure(tiny(), "g")) == "g: t keeps its 1 min RPO (at worst 0 s behind)"
    assert "Share of time beyond the RPO: erp at lyon" in title(exceedance_figure(week))
    assert (
        title(heatmap_figure(grid())) == "3 of 6 designs meet every expectation, from links.a-b.type = DS3 on"
    )
    assert title(heatmap_figure(grid(passed=np.zeros((2, 3), bool)))).startswith("None of the 6")
    assert title(heatmap_figure(grid(passed=np.ones((2, 3), bool)))).startswith("All 6")
    assert (
        title(frontier_figure(frontier()))
        == "No rate keeps an RPO of 1 min; 15 min needs 72 Mb/s (OC3); 1 h needs 16 Mb/s (DS3)"
    )
    assert "keeps any" in title(frontier_figure(frontier(rate=np.full(3, np.nan))))
    assert "expectations missed by erp at lyon, mail at nice" in title(topology_figure(week))
    assert title(DRAWN["compare"](week)) == (
        "OC3 is better than DS3 in 2 of 3 measures, worse in none; DS3 with cycles of 5 min is better than"
        " DS3 in 0 and worse in 1 of 3 measures (20 futures, 95 % intervals)"
    )
    assert "due to outage" in title(causes_figure(week))
    assert title(causes_figure(tiny())) == "No RPO was violated"


def test_the_timeline_says_which_images_were_late_and_what_stood_in_for_them(week):
    late = title(images_figure(_later(images(week), 2400.0), "mail", "nice"))
    assert late == "mail at nice: 1 of 48 images serve longer than the 40 min RPO allows"
    said = title(images_figure(strip(week), "mail", "nice"))
    assert "5 h on the last image in order, 2 h on the protective snapshot, 1 h without an image" in said
    table = strip(week).tables["images/mail/nice"]
    assert worth_drawing(table)
    assert not worth_drawing({**table, "image": ["following"] * 5})
    assert not worth_drawing(None)


def _later(source, rpo):
    groups = {**source.groups()}
    target = {**groups["mail"]["targets"]["nice"], "rpo_s": rpo}
    groups["mail"] = {**groups["mail"], "targets": {"nice": target}}
    return Source({**source.summary, "groups": groups}, source.tables, source.facts)


def test_the_drawn_line_reaches_the_highest_lag(week):
    figure = lag_figure(week, "erp")
    drawn = max(np.nanmax(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_ydata()) > 2)
    assert drawn == week.groups()["erp"]["targets"]["lyon"]["lag_max_s"]


def test_thinning_keeps_extremes_and_gaps():
    t = np.arange(50_000.0)
    values = np.random.default_rng(1).random(50_000)
    values[31_234], values[777] = 9.0, -3.0
    values[40_000:40_010] = np.nan
    kept_t, kept = thinned(t, values)
    assert len(kept) <= 2 * POINTS
    assert np.nanmax(kept) == 9.0
    assert np.nanmin(kept) == -3.0
    assert np.isnan(kept).any()
    assert (kept_t[0], kept_t[-1]) == (0.0, 49_999.0)


@pytest.mark.parametrize("rows", [6, 97, 100, 1000])
@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.9, 1.0])
def test_thinning_keeps_what_a_look_at_each_stretch_finds(rows, gaps):
    rng = np.random.default_rng(rows)
    values = np.where(rng.random(rows) < gaps, np.nan, rng.integers(0, 9, rows).astype(float))
    stretch = math.ceil(rows / 5)
    kept = {0, rows - 1}
    for begin in range(0, rows, stretch):
        part = values[begin : begin + stretch]
        known, holes = np.flatnonzero(~np.isnan(part)), np.flatnonzero(np.isnan(part))
        kept |= {begin + holes[0], begin + holes[-1]} if len(holes) else set()
        kept |= {begin + known[pick(part[known])] for pick in (np.argmin, np.argmax) if len(known)}
    t, found = thin(np.arange(float(rows)), values, 10)
    if rows > 10:
        assert t.tolist() == sorted(kept)
    assert found.tobytes() == values[t.astype(int)].tobytes()


def test_outages_run_through_every_panel(week):
    figure = lag_figure(week, "erp")
    grey = plt.matplotlib.colors.to_rgba(style.OUTAGE)
    for axes in figure.axes:
        assert sum(tuple(p.get_facecolor()) == grey for p in axes.patches) >= 2


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"writes": [(1.0, 2.0)], "rpo": None},
        {"exposed": [(0.0, 100.0)]},
        {"writes": [(0.0, 1e-6)], "duration": 1e-6, "rpo": 1e-9},
        {"writes": [(1.0, 3e7)], "duration": 4e7},
        {"name": "$x^2$ & <b>", "target": "ü\\frac"},
    ],
)
def test_odd_runs_are_drawn_too(tiny, odd, tmp_path):
    source = tiny(**odd)
    for index, picture in enumerate(pictures(source)):
        assert picture.says
        for path in style.save(picture.draw(), tmp_path / str(index)):
            assert path.stat().st_size > 5_000


def test_a_link_that_carried_nothing_is_drawn():
    """No writes, or a link that is down all the time."""
    axes = Figure().subplots()
    panels.link(axes, "a-b", {"t": np.array([0.0]), "data": np.array([0.0]), "usable": np.array([6e7])}, 60.0)
    assert axes.get_ylim() == (0.0, pytest.approx(1.12e6))
    assert axes.get_legend() is None


def test_an_interrupted_picture_leaves_nothing_behind(tmp_path, monkeypatch):
    """A piece of an SVG would never be drawn again: what is there counts as done."""

    def interrupted(path, data):
        path.write_text(str(data[: len(data) // 2]))
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        style.save(Figure(), tmp_path / "lag")
    assert not [*tmp_path.iterdir()]


def test_all_pictures_of_a_run_are_saved_by_name(week, tmp_path):
    names = {path.name for path in save_pictures(week, tmp_path)}
    stems = {*(f"lag-{safe_name(name)}" for name in week.groups()), "causes", "exceedance", "topology"}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}


def test_time_axes_speak_as_people_do():
    cases = [
        (60.0, None, "0:20"),
        (7200.0, None, "01:00"),
        (172_800.0, None, "1 d 06:00"),
        (10 * 86400.0, None, "day 3"),
        (86400.0, MONDAY, "09:00"),
        (7 * 86400.0, MONDAY, "Wed 4 Mar"),
        (400 * 86400.0, MONDAY, "27 Apr\n2026"),
        (0.02, None, "5 ms"),
    ]
    with style.look():
        for end, start, expected in cases:
            figure = Figure()
            axes = figure.subplots()
            style.time_axis(axes, end, start)
            figure.draw_without_rendering()
            assert expected in [t.get_text() for t in axes.get_xticklabels()], (end, start)


def test_drawing_leaves_the_users_settings_alone(week):
    before = dict(plt.rcParams)
    style.svg_text(DRAWN["causes"](week), "x", "p")
    assert dict(plt.rcParams) == before
