"""``make reality``: every story for real and through the simulator; a table on stdout, curves in docs/reality."""

import argparse
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from tests.reality.compare import Both, compare
from tests.reality.flight import Flight, Story, fly
from tests.reality.stories import STORIES

DOCS = Path(__file__).parents[2] / "docs/reality"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def picture(story: Story, flight: Flight, rows: list[Both], real: dict, model: dict) -> Path:
    """Draw both lag curves over each other."""
    with plt.rc_context({"svg.hashsalt": "drsim", "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
        for begin, end, *_ in (*flight.cuts, *flight.slow):
            axes.axvspan(begin, end, color="0.9", lw=0)
        axes.plot(real["t"], real["lag_s"], color="#0173b2", lw=2.2, alpha=0.55, label="real agents")
        axes.plot(model["t"], model["lag_s"], color="black", lw=0.7, label="simulator")
        worst = max((b for b in rows if b.key in ("lag_p95_s", "lag_max_s")), key=lambda b: abs(b.error))
        axes.set_title(f"{story.name}: p95 and largest lag within {abs(worst.error):.1%}", loc="left")
        axes.set(xlabel="seconds", ylabel="RPO lag, seconds", ylim=(0, None), xlim=(0, flight.end))
        axes.legend(loc="upper right", frameon=False)
        name = "".join(c if c.isalnum() else "-" for c in story.name.lower()).strip("-").replace("--", "-")
        path = DOCS / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="stories whose name contains this")
    given = parser.parse_args()
    DOCS.mkdir(parents=True, exist_ok=True)
    say("| story | writes | | real | simulated | error |\n|---|---|---|---|---|---|")
    for story in STORIES.values():
        if given.only not in story.name:
            continue
        with tempfile.TemporaryDirectory() as name:
            flight = fly(story, Path(name))
            rows, real, model = compare(story, flight, Path(name))
        picture(story, flight, rows, real, model)
        told = {
            name: f"{getattr(flight, name + '_s') * 1e3:.1f} ms"
            for name in ("journal", "staging", "handling")
        }
        sys.stderr.write(f"{story.name}: {told}; redials {flight.redials}\n")
        for row in rows:
            head = f"| {story.name} | {len(flight.time)} " if row is rows[0] else "| | "
            digits = 0 if row.key.endswith("bytes") else 4
            say(
                f"{head}| `{row.key}` | {row.real:,.{digits}f} | {row.simulated:,.{digits}f} | {row.error:+.1%} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
