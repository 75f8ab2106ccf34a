"""``make soak``: rounds of harm; says after each what was done, ends at the first broken promise."""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.agent.rounds import KINDS, WEATHERS, Campaign


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=208)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=8, help="rounds on one pair before a new one is made")
    parser.add_argument("--kinds", default="", help="only these, separated by commas")
    parser.add_argument("--weathers", default=",".join(WEATHERS), help="only these, separated by commas")
    given = parser.parse_args()
    os.environ.setdefault("DRSIM_PATIENCE", "4")  # it runs for long, and is nice to others
    rng = random.Random(given.seed)
    wanted, weathers = given.kinds.split(",") if given.kinds else KINDS, given.weathers.split(",")
    done, began, writes = dict.fromkeys(KINDS, 0), time.monotonic(), 0
    for start in range(0, given.rounds, given.each):
        weather = weathers[start // given.each % len(weathers)]
        with (
            tempfile.TemporaryDirectory() as folder,
            Campaign(Path(folder), given.seed + start, weather) as campaign,
        ):
            kinds = [kind for kind in wanted if kind in campaign.kinds]
            for number in range(start, min(start + given.each, given.rounds)):
                kind = rng.choice(kinds)
                try:
                    campaign.round(kind)
                except BaseException:
                    for site in ("paris", "lyon"):
                        say(f"{site}: {campaign.pair.tail(site)}")
                    say(f"round {number} ({weather}, {kind}) broke a promise; seed {given.seed}")
                    raise
                done[kind] += 1
                say(f"{number + 1:4d} {weather:12s} {kind:18s} {len(campaign.host.history):7d} writes")
            writes += len(campaign.host.history)
    say(f"{given.rounds} rounds, {writes} writes, {time.monotonic() - began:.0f} s: {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
