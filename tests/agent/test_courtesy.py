"""Threads that wait their turn while many writes are answered at a time, and no longer."""

import os
import threading

import pytest

from drsim.agent.nbd.courtesy import Courtesy

LONG = 100  # takes after which the mean is what each of them is


@pytest.fixture
def kinds(monkeypatch):
    """The policies that threads were given, by thread; nothing is really changed."""
    given: dict[int, list[int]] = {}
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_OTHER)
    monkeypatch.setattr(os, "sched_setscheduler", lambda who, what, _: given.setdefault(who, []).append(what))
    return given


def told(courtesy: Courtesy, *takes: int) -> None:
    for writes in takes:
        courtesy.answered(writes)


def test_all_threads_wait_their_turn_while_many_writes_are_answered_at_a_time(kinds):
    done = threading.Event()
    other = threading.Thread(target=done.wait, args=(60,))
    other.start()
    courtesy = Courtesy()
    told(courtesy, *[1] * LONG)
    assert kinds == {}, "one at a time: nobody waits"
    told(courtesy, *[0, 1, 16, 16] * LONG)  # the first of many is taken by itself, or only a part of it
    assert kinds[threading.get_native_id()] == kinds[other.native_id] == [os.SCHED_BATCH]
    told(courtesy, *[0, 8, 12, 0, 16] * LONG)
    assert kinds[other.native_id] == [os.SCHED_BATCH], "said once"
    told(courtesy, *[0] * LONG)  # they wait for the disk
    assert kinds[threading.get_native_id()] == kinds[other.native_id] == [os.SCHED_BATCH, os.SCHED_OTHER]
    done.set()
    other.join()


def test_a_few_more_or_less_change_nothing(kinds):
    courtesy = Courtesy()
    told(courtesy, *[5] * LONG)
    assert kinds == {}
    told(courtesy, *[8] * LONG, *[4] * LONG, *[5] * LONG)
    assert kinds[threading.get_native_id()] == [os.SCHED_BATCH]


def test_a_policy_that_someone_chose_is_left_alone(kinds, monkeypatch):
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_FIFO)
    told(Courtesy(), *[64] * LONG, *[0] * LONG)
    assert kinds == {}


def test_a_sandbox_that_forbids_it_is_no_error(kinds, monkeypatch):
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    told(Courtesy(), *[64] * LONG, *[0] * LONG)


def test_the_kernel_takes_it():
    courtesy, found = Courtesy(), []

    def alone() -> None:
        told(courtesy, *[64] * LONG)
        found.append(os.sched_getscheduler(0))
        told(courtesy, *[1] * LONG)
        found.append(os.sched_getscheduler(0))

    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        pytest.skip("someone chose a policy for these tests")
    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    assert found == [os.SCHED_BATCH, os.SCHED_OTHER]
