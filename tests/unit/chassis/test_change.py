"""A change and the steps that follow it."""

from __future__ import annotations

from chassis.change import Change
from contracts.envelope import Event
from contracts.payments import PaymentFailed

ID = "3f0c1c56-1a9e-4b7e-9c53-0b8a4f0f8a11"


def failed(reason: str) -> Event:
    return PaymentFailed(demand_id=ID, case_id=ID, attempt_id=ID, reason=reason)


def counted(state: int, by: int, reason: str = "declined") -> Change[int]:
    return Change(state + by, (failed(reason),))


def test_a_step_gets_the_changed_state_and_its_events_follow() -> None:
    change = Change(1, (failed("expired"),)).and_then(counted, 2).and_then(counted, by=3, reason="cancelled_by_payer")
    assert change.state == 6
    assert [event.reason for event in change.events] == ["expired", "declined", "cancelled_by_payer"]  # type: ignore[attr-defined]


def test_a_change_says_nothing_unless_told() -> None:
    state, events = Change("x")
    assert (state, events) == ("x", ())
