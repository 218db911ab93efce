"""What is due for a demand, and when. The names of due work are stored: `open`, `look`, `book`, `overdue`."""

from __future__ import annotations

from datetime import datetime, timedelta

from kernel.legal_days import start_of
from services.payments.domain.state import Attempt, Demand, Phase, Status

_PAUSES = (
    (timedelta(seconds=2), timedelta(seconds=1)),
    (timedelta(seconds=10), timedelta(seconds=2)),
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=5), timedelta(seconds=10)),
    (timedelta(minutes=30), timedelta(minutes=1)),
    (timedelta(hours=6), timedelta(minutes=10)),
)
"""The pause between two looks, for attempts younger than the first value: short while the payer is probably paying."""
_LATER_PAUSE = timedelta(hours=1)
_EXPIRED_PAUSE = timedelta(days=1)


def due(demand: Demand) -> dict[str, datetime]:
    """The due work of a demand, by name.

    `open` asks the provider for a transaction, `look` for the status of one; `book` copies bookings to the ledger;
    `overdue` marks the demand on the day after the last day to pay, in Europe/Berlin.
    """
    work: dict[str, datetime] = {}
    opening, watched = attempt_to_open(demand), attempt_to_look_at(demand)
    if opening:
        work["open"] = opening.retry_at
    if watched:
        work["look"] = watched[1]
    if demand.booked < len(demand.bookings):
        work["book"] = demand.bookings[demand.booked].at
    if demand.status is Status.OPEN and not demand.overdue:
        work["overdue"] = start_of(demand.due_on + timedelta(days=1))
    return work


def attempt_to_open(demand: Demand) -> Attempt | None:
    """The attempt for which the provider hasn't returned a transaction yet.

    None for a cancelled demand: its payer was never sent to the page of a transaction that wasn't returned.
    """
    opening = (attempt for attempt in demand.attempts if attempt.phase is Phase.OPENING)
    return next(opening, None) if demand.status is Status.OPEN else None


def attempt_to_look_at(demand: Demand) -> tuple[Attempt, datetime] | None:
    """The attempt whose status the provider is asked for next, and when."""
    planned = [(attempt, next_look(attempt)) for attempt in demand.attempts]
    watched = [(attempt, at) for attempt, at in planned if at is not None]
    return min(watched, key=lambda each: each[1], default=None)


def next_look(attempt: Attempt) -> datetime | None:
    """When the provider is asked again for the status of an attempt; None where it isn't asked."""
    if not attempt.watched or attempt.opened_at is None:
        return None
    last = attempt.looked_at or attempt.opened_at
    planned = last + _pause(attempt.phase, last - attempt.opened_at)
    return min(planned, attempt.hurry_at) if attempt.hurry_at else planned


def _pause(phase: Phase, age: timedelta) -> timedelta:
    if phase is Phase.EXPIRED:
        return _EXPIRED_PAUSE
    if phase is Phase.HELD:
        return _LATER_PAUSE
    return next((pause for younger, pause in _PAUSES if age < younger), _LATER_PAUSE)
