"""``make gallery``: every shipped scenario run in full, for docs/SCENARIOS.md and the pictures in docs/scenarios."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from drsim.scenario import load
from drsim.simulation import run
from drsim.units import format_duration

ROOT = Path(__file__).parents[2]
PAGE, PICTURES = ROOT / "docs/SCENARIOS.md", ROOT / "docs/scenarios"
HEAD = """# Shipped scenarios

Written by `make gallery` (`python -m tests.gallery`), which runs each file of `scenarios/` in full; `--only NAME`
does one. Figures are those of the worst target by largest lag. A lag that is undefined (no consistent image) is
exposure, shaded in the pictures. `drsim run scenarios/NAME.yaml` gives all the rest.

| scenario | writes | worst target | lag p99 | lag max | exposure | expectations | picture |
|---|---|---|---|---|---|---|---|
"""
POINTS = 400
UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"), (1e-3, "milliseconds"))
LONG = {"branch_year"}
"""Runs of an hour, told in docs/PERFORMANCE.md."""


def headline(name: str, title: str, summary: dict[str, Any]) -> str:
    """One row of the table."""
    targets = {
        f"{g}.{t}": numbers
        for g, group in summary["groups"].items()
        for t, numbers in group["targets"].items()
    }
    worst = max(targets, key=lambda key: (targets[key]["lag_max_s"] or 0.0, targets[key]["exposure_s"]))
    numbers = targets[worst]
    judged = summary["expectations"]
    passed = sum(each["passed"] for each in judged)

    def seconds(key: str) -> str:
        return "none" if numbers[key] is None else format_duration(numbers[key])

    cells = [
        f"[{name}](../scenarios/{name}.yaml): {title}",
        f"{summary['writes']:,}",
        f"`{worst}`",
        seconds("lag_p99_s"),
        seconds("lag_max_s"),
        seconds("exposure_s"),
        f"{passed} of {len(judged)} kept" if judged else "none",
        f"![lag](scenarios/{name}.svg)",
    ]
    return f"| {' | '.join(cells)} |"


def thin(at: np.ndarray, lag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No more points than a picture shows, each stretch by its peak."""
    if len(at) <= POINTS:
        return at, lag
    starts = np.unique(np.linspace(0, len(at) - 1, POINTS).astype(int))
    return at[starts], np.maximum.reduceat(np.nan_to_num(lag), starts)


def unit(largest: float) -> tuple[float, str]:
    """What times up to ``largest`` seconds are told in: the largest unit of which there are two."""
    return next((each for each in UNITS if largest >= 2 * each[0]), UNITS[-1])


def picture(name: str, title: str, summary: dict[str, Any], tables: dict[str, Any]) -> None:
    """The lag of every target over the run."""
    with plt.rc_context({"svg.hashsalt": "drsim", "svg.fonttype": "none", "font.size": 8}):
        figure, axes = plt.subplots(figsize=(5.4, 1.9), layout="constrained")
        curves = {
            key.removeprefix("curve/"): thin(np.asarray(curve["t"], float), np.asarray(curve["lag_s"], float))
            for key, curve in tables.items()
            if key.startswith("curve/")
        }
        step, clock = unit(summary["duration_s"])
        size, word = unit(max(float(np.nanmax(lag, initial=0.0)) for _, lag in curves.values()))
        for label, (at, lag) in curves.items():
            axes.plot(at / step, lag / size, lw=0.9, label=label)
        spans = tables["spans"]
        columns = (spans[key] for key in ("begin", "end", "kind", "cause"))
        for begin, end, kind, cause in zip(*columns, strict=True):
            if kind in ("exposure", "link") and cause != "background":
                axes.axvspan(begin / step, end / step, color="0.92" if kind == "link" else "mistyrose", lw=0)
        axes.set(xlabel=clock, ylabel=f"lag, {word}", xlim=(0, summary["duration_s"] / step), ylim=(0, None))
        axes.set_title(title, loc="left", fontsize=8)
        if len(axes.lines) <= 9:
            axes.legend(loc="upper left", frameon=False, fontsize=6, ncols=3)
        figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def rows() -> dict[str, str]:
    """The table as it stands, by scenario."""
    text = PAGE.read_text() if PAGE.exists() else ""
    return {found[1]: found[0] for found in re.finditer(r"^\| \[(\w+)\]\(.*$", text, re.MULTILINE)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="scenarios to run; others keep their row")
    only = parser.parse_args().only
    PICTURES.mkdir(parents=True, exist_ok=True)
    table = rows()
    for path in sorted((ROOT / "scenarios").glob("*.yaml")):
        if path.stem in LONG or (only and path.stem not in only):
            continue
        scenario = load(path)
        done = run(scenario)
        title = scenario.title or path.stem
        table[path.stem] = headline(path.stem, title, done.summary)
        picture(path.stem, title, done.summary, dict(done.tables))
        sys.stdout.write(table[path.stem] + "\n")
        sys.stdout.flush()
        PAGE.write_text(HEAD + "\n".join(table[name] for name in sorted(table)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
