"""Bookings balance, or don't come into being."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain import bookings
from services.payments.domain.bookings import Account, Booking, Line, Occasion, Unbalanced

NOW = datetime(2026, 3, 2, tzinfo=UTC)
cents = st.integers(1, 99_999_999)


@given(cents, cents)
def test_every_booking_balances(amount: int, owed: int) -> None:
    made = [
        bookings.of_demand("demand", amount, NOW),
        bookings.of_receipt("demand", "attempt", amount, owed, NOW),
        bookings.of_cancellation("demand", amount, min(amount, owed), NOW),
    ]
    for booking in made:
        assert sum(line.cents for line in booking.lines) == 0
        assert len({line.account for line in booking.lines}) == len(booking.lines) >= 2


@given(cents)
def test_money_for_which_nothing_is_owed_is_kept_apart(amount: int) -> None:
    booking = bookings.of_receipt("demand", "attempt", amount, 0, NOW)
    assert booking.lines == (Line(Account.PROVIDER_CLEARING, amount), Line(Account.UNALLOCATED, -amount))


def test_too_much_money_is_split() -> None:
    booking = bookings.of_receipt("demand", "attempt", 100, 40, NOW)
    assert {line.account: line.cents for line in booking.lines} == {
        Account.PROVIDER_CLEARING: 100,
        Account.RECEIVABLE: -40,
        Account.UNALLOCATED: -60,
    }


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (Line(Account.RECEIVABLE, 0),),
        (Line(Account.RECEIVABLE, 1),),
        (Line(Account.RECEIVABLE, 2), Line(Account.REVENUE, -1)),
    ],
)
def test_an_unbalanced_booking_can_not_be_made(lines: tuple[Line, ...]) -> None:
    with pytest.raises(Unbalanced):
        Booking("id", Occasion.DEMAND, NOW, lines)


def test_one_attempt_is_one_receipt() -> None:
    first = bookings.of_receipt("demand", "attempt", 100, 100, NOW)
    assert first.booking_id == bookings.of_receipt("demand", "attempt", 100, 0, NOW).booking_id
    assert first.booking_id != bookings.of_receipt("demand", "other", 100, 0, NOW).booking_id
