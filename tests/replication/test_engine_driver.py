"""The driver both worlds share: one engine, never entered twice, one timer, usable again after an error."""

import pytest

from drsim.replication import actions as do
from drsim.replication import events as ev
from drsim.replication.driver import Driver


class Clock:
    """Time by hand."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls: list[tuple[float, object]] = []

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: object) -> None:
        self.calls.append((when, callback))

    def ring(self) -> None:
        when, callback = self.calls.pop(0)
        self.time = max(self.time, when)
        callback()


class Echo:
    """Answers each event with notes; has a deadline if told so."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.due: float | None = None
        self.inside = False

    def step(self, event: ev.Event, now: float) -> list[do.Action]:
        assert not self.inside, "entered twice"
        self.inside = True
        name = event.verb if isinstance(event, ev.Command) else type(event).__name__
        self.seen.append(name)
        self.inside = False
        return [do.Noted(f"{name} {i}", 0, now) for i in (1, 2)]

    def deadline(self) -> float | None:
        return self.due


def test_an_event_delivered_from_an_action_waits_its_turn():
    engine, told = Echo(), []

    def perform(action: do.Noted) -> None:
        told.append(action.what)
        if action.what == "a 1":
            driver.deliver(ev.Command("b"))

    driver = Driver(engine, Clock(), perform)
    driver.deliver(ev.Command("a"))
    assert told == ["a 1", "a 2", "b 1", "b 2"]


def test_after_an_error_the_driver_is_usable_and_the_rest_is_dropped():
    engine = Echo()

    def perform(action: do.Noted) -> None:
        if action.what == "a 1":
            driver.deliver(ev.Command("dropped"))
            raise OSError("no space left")

    driver = Driver(engine, Clock(), perform)
    with pytest.raises(OSError, match="no space"):
        driver.deliver(ev.Command("a"))
    driver.deliver(ev.Command("c"))
    assert engine.seen == ["a", "c"]


def test_one_timer_at_the_earliest_deadline():
    engine, clock = Echo(), Clock()
    driver = Driver(engine, clock, lambda _: None)
    engine.due = 5.0
    driver.deliver(ev.Command("a"))
    driver.deliver(ev.Command("b"))
    assert [when for when, _ in clock.calls] == [5.0]
    engine.due = 3.0
    driver.deliver(ev.Command("c"))
    assert [when for when, _ in clock.calls] == [5.0, 3.0]
    clock.calls.sort(key=lambda call: call[0])
    engine.due = None
    clock.ring()
    assert engine.seen[-1] == "Due"


def test_the_tap_sees_every_step_before_it_is_carried_out():
    seen, engine, clock = [], Echo(), Clock()
    clock.time = 7.0
    driver = Driver(
        engine, clock, lambda _: seen.append("performed"), lambda now, e, a: seen.append((now, len(a)))
    )
    driver.deliver(ev.Due())
    assert seen == [(7.0, 2), "performed", "performed"]
