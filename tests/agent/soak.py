"""``make soak``: rounds of harm; says after each what was done, ends at the first broken promise."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.agent.rounds import KINDS, Campaign


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=220)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=22, help="rounds on one pair before a new one is made")
    parser.add_argument("--kinds", default="", help="only these, separated by commas")
    given = parser.parse_args()
    kinds = given.kinds.split(",") if given.kinds else KINDS
    rng = random.Random(given.seed)
    done, began, writes = dict.fromkeys(kinds, 0), time.monotonic(), 0
    for start in range(0, given.rounds, given.each):
        with tempfile.TemporaryDirectory() as folder, Campaign(Path(folder), given.seed + start) as campaign:
            for number in range(start, min(start + given.each, given.rounds)):
                kind = kinds[number % len(kinds)] if start == 0 else rng.choice(kinds)
                try:
                    campaign.round(kind)
                except BaseException:
                    for site in ("paris", "lyon"):
                        say(f"{site}: {campaign.pair.tail(site)}")
                    say(f"round {number} ({kind}) broke a promise; seed {given.seed}")
                    raise
                done[kind] += 1
                say(f"{number + 1:4d} {kind:18s} {len(campaign.host.history):7d} writes")
            writes += len(campaign.host.history)
    say(f"{given.rounds} rounds, {writes} writes, {time.monotonic() - began:.0f} s: {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
