"""Bookings: what happened to money, as balanced sets of lines. There is no other kind: an unbalanced one can't be made.

docs/decisions/0009-booking.md
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.values import Term, Timestamp
from kernel.ids import id_of


class Account(Term):
    """What the lines of a booking add to or take from."""

    RECEIVABLE = "receivable"
    """What is owed to the town. Its balance is the sum of what is outstanding of all demands."""
    REVENUE = "revenue"
    """What the town assessed (its own account is in the booking data)."""
    PROVIDER_CLEARING = "provider_clearing"
    """What a payment provider received and has to hand on."""
    UNALLOCATED = "unallocated"
    """Money received for which nothing is owed any more: to be paid back or set against something else."""


class Occasion(Term):
    """Why something was booked."""

    DEMAND = "demand"
    RECEIPT = "receipt"
    CANCELLATION = "cancellation"


class Unbalanced(ValueError):
    """The lines of a booking don't sum to zero."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account's part in a booking."""

    account: Account
    cents: int
    """Debit above zero, credit below."""


@dataclass(frozen=True, slots=True)
class Booking:
    """Lines that sum to zero, at one time, for one reason.

    Raises:
        Unbalanced: at construction.
    """

    booking_id: str
    occasion: Occasion
    at: Timestamp
    lines: tuple[Line, ...]
    attempt_id: str | None = None
    """The attempt to pay, of a receipt."""

    def __post_init__(self) -> None:
        if sum(line.cents for line in self.lines) or not all(line.cents for line in self.lines) or not self.lines:
            raise Unbalanced(self.booking_id)


def of_demand(demand_id: str, cents: int, now: Timestamp) -> Booking:
    """Something is owed (Sollstellung)."""
    lines = _lines((Account.RECEIVABLE, cents), (Account.REVENUE, -cents))
    return Booking(id_of(demand_id, "demand", "booking"), Occasion.DEMAND, now, lines)


def of_receipt(demand_id: str, attempt_id: str, cents: int, owed: int, now: Timestamp) -> Booking:
    """Money came in: set against what is owed, the rest kept apart."""
    allocated = min(cents, owed)
    lines = _lines(
        (Account.PROVIDER_CLEARING, cents),
        (Account.RECEIVABLE, -allocated),
        (Account.UNALLOCATED, allocated - cents),
    )
    return Booking(receipt_id(demand_id, attempt_id), Occasion.RECEIPT, now, lines, attempt_id)


def of_cancellation(demand_id: str, cents: int, owed: int, now: Timestamp) -> Booking:
    """The demand is taken back: nothing is owed any more, and what was paid for it has no purpose now."""
    lines = _lines(
        (Account.REVENUE, cents),
        (Account.RECEIVABLE, -owed),
        (Account.UNALLOCATED, owed - cents),
    )
    return Booking(id_of(demand_id, "cancellation", "booking"), Occasion.CANCELLATION, now, lines)


def receipt_id(demand_id: str, attempt_id: str) -> str:
    """One attempt is one receipt at most."""
    return id_of(demand_id, attempt_id, "booking")


def _lines(*parts: tuple[Account, int]) -> tuple[Line, ...]:
    return tuple(Line(account, cents) for account, cents in parts if cents)
