"""Group commit: what is done is done in order, once, whatever is under way beside it, and nothing after a refusal."""

import asyncio
import threading

from hypothesis import given
from hypothesis import strategies as st

from drsim.agent.commits import Committer

items = st.lists(st.integers(0, 20), min_size=1, max_size=30)


class Medium:
    """Takes numbers; those from 10 on may be under way beside others, from 15 on one at a time."""

    def __init__(self, ends: list[bool], fails: int | None, patience_s: float = 0.002) -> None:
        self.ends, self.fails, self.patience_s = ends, fails, patience_s
        self.jobs: list[Job] = []
        self.under_way, self.most, self.alone = 0, 0, False
        self.durable: list[int] = []
        self.lock = threading.Lock()

    def check(self, numbers: list[int]) -> None:
        if self.fails in numbers:
            raise OSError("refused")

    def commit(self, numbers: list[int]) -> None:
        with self.lock:
            assert not self.under_way, "alone"
            self.check(numbers)
            self.durable += numbers

    def beside(self, numbers: list[int]):
        if min(numbers) < 10:
            return None
        count = 1 if min(numbers) >= 15 else len(numbers)
        return Job(self, numbers[:count], self.ends.pop() if self.ends else True), count


class Job:
    def __init__(self, medium: Medium, numbers: list[int], late: bool) -> None:
        self.medium, self.numbers = medium, numbers
        self.late = threading.Event()
        medium.jobs.append(self)
        with medium.lock:
            medium.under_way += 1
            medium.most = max(medium.most, medium.under_way)
        if not late:
            self.late.set()

    def write(self) -> None:
        self.late.wait(self.medium.patience_s)  # another may overtake this one
        with self.medium.lock:
            self.medium.under_way -= 1
        for job in self.medium.jobs:
            job.late.set()
        self.medium.check(self.numbers)

    def settle(self) -> None:
        self.medium.durable += self.numbers


async def submitted(medium: Medium, numbers: list[int], every: int):
    done: list[int] = []
    failures: list[BaseException] = []

    def told(found: list[int]) -> None:
        done.extend(found)
        assert done == medium.durable[: len(done)]

    committer = Committer(
        medium.commit, told, failures.append, "test",
        heavy=lambda found: min(found, default=0) >= 10, beside=medium.beside,
    )  # fmt: skip
    for number, item in enumerate(numbers):
        committer.submit(item)
        if number % every == 0:
            await asyncio.sleep(0)
    await committer.drained()
    committer.close()
    await asyncio.sleep(0)
    return done, failures


@given(
    items, st.lists(st.booleans(), max_size=20), st.integers(1, 5), st.sampled_from([None, None, 3, 12, 18])
)
def test_everything_is_done_in_order_and_nothing_after_a_refusal(numbers, ends, every, fails):
    medium = Medium(ends, fails)
    done, failures = asyncio.run(submitted(medium, numbers, every))
    assert done == numbers[: len(done)], "in the order of submission, each once"
    assert medium.most <= 2
    if fails in numbers:
        assert len(failures) == 1
        assert len(done) <= numbers.index(fails)
    else:
        assert (done, failures) == (numbers, [])


def test_two_are_under_way_at_once_and_the_first_is_done_first():
    medium = Medium([False, False, True], None, patience_s=60)
    done, _ = asyncio.run(submitted(medium, [15, 16, 17], 1))
    assert (done, medium.most) == ([15, 16, 17], 2)
