"""A demand: what is owed, what was tried, what is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chassis.errors import NotFound
from contracts import datarefs
from contracts.payments import PaymentCancelled, PaymentFailed, PaymentOverdue, PaymentReceived, PaymentRequested
from kernel.ids import id_of
from services.payments.domain import attempts, demands, ledger, provider_status, schedule
from services.payments.domain.attempts import NotPayable
from services.payments.domain.bookings import Account, Occasion
from services.payments.domain.provider_status import TransactionState, apply_provider_status
from services.payments.domain.state import Demand, Phase, Status
from tests.unit.payments.demand_samples import (
    NOW,
    attempt_of,
    new_demand,
    opened,
    reported,
    requested,
    started,
    starting,
)


def balance(demand: Demand, account: Account) -> int:
    return sum(line.cents for each in demand.bookings for line in each.lines if line.account is account)


# What is owed


def test_a_demand_says_what_is_owed_and_books_it() -> None:
    demand, (said,) = demands.request_payment(new_demand())
    assert isinstance(said, PaymentRequested)
    assert said.payment_reference == demand.payment_reference
    assert said.dataref == datarefs.payment_request("witten", demand.demand_id)
    assert demand.outstanding.cents == balance(demand, Account.RECEIVABLE) == 1250
    assert set(schedule.due(demand)) == {"book", "overdue"}


def test_a_waived_fee_is_settled_from_the_start() -> None:
    demand, (said,) = demands.request_payment(new_demand(0))
    assert isinstance(said, PaymentRequested)
    assert demand.status is Status.SETTLED
    assert schedule.due(demand) == {}


def test_states_survive_being_stored() -> None:
    adapter = TypeAdapter(Demand)
    demand = opened(requested())
    assert adapter.validate_python(adapter.dump_python(demand, mode="json")) == demand


@pytest.mark.parametrize(
    ("due_on", "at"),
    [
        (date(2026, 3, 16), datetime(2026, 3, 16, 23, tzinfo=UTC)),
        (date(2026, 7, 16), datetime(2026, 7, 16, 22, tzinfo=UTC)),
        (date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),
    ],
)
def test_overdue_begins_with_the_next_day_in_berlin(due_on: date, at: datetime) -> None:
    assert schedule.due(requested(due_on=due_on))["overdue"] == at


def test_overdue_is_said_once_and_the_demand_stays_payable() -> None:
    demand, (said,) = demands.mark_overdue(requested())
    assert isinstance(said, PaymentOverdue)
    assert said.outstanding.cents == 1250
    assert demands.mark_overdue(demand) == (demand, ())
    assert "overdue" not in schedule.due(demand)
    assert attempts.redirect_of(opened(demand), id_of("first"))


def test_withdrawal_cancels_what_is_open_only() -> None:
    cancelled, (said,) = demands.withdraw_demand(requested(), NOW)
    assert isinstance(said, PaymentCancelled)
    assert said.reason == "withdrawn"
    assert (
        cancelled.outstanding.cents
        == balance(cancelled, Account.RECEIVABLE)
        == balance(cancelled, Account.REVENUE)
        == 0
    )
    assert demands.withdraw_demand(cancelled, NOW) == (cancelled, ())
    paid = opened(requested())
    paid, _ = apply_provider_status(paid, id_of("first"), reported(paid, TransactionState.PAID), NOW)
    assert demands.withdraw_demand(paid, NOW) == (paid, ())


def test_what_was_paid_for_a_replaced_demand_is_unallocated() -> None:
    paid = opened(requested())
    paid, _ = apply_provider_status(paid, id_of("first"), reported(paid, TransactionState.PAID), NOW)
    replaced, (said,) = demands.replace_demand(paid, NOW)
    assert isinstance(said, PaymentCancelled)
    assert said.reason == "replaced"
    assert balance(replaced, Account.UNALLOCATED) == -1250
    assert balance(replaced, Account.RECEIVABLE) == balance(replaced, Account.REVENUE) == 0
    assert demands.replace_demand(replaced, NOW) == (replaced, ())


# Beginning to pay


def test_an_attempt_is_recorded_before_the_provider_is_asked() -> None:
    demand = started(requested())
    assert schedule.due(demand)["open"] == NOW + timedelta(seconds=4)
    assert attempts.redirect_of(demand, id_of("first")) is None


def test_a_second_checkout_leads_to_the_same_page() -> None:
    demand = opened(requested())
    again = started(demand, "second")
    assert again == demand
    assert attempts.redirect_of(demand, id_of("first")) == reported(demand, TransactionState.OPEN).redirect_url


@pytest.mark.parametrize("said", [TransactionState.FAILED, TransactionState.CANCELED])
def test_a_new_attempt_after_the_provider_ended_the_first(said: TransactionState) -> None:
    demand = opened(requested())
    demand, (failed,) = apply_provider_status(demand, id_of("first"), reported(demand, said), NOW)
    assert isinstance(failed, PaymentFailed)
    assert failed.reason == {"failed": "declined", "canceled": "cancelled_by_payer"}[said.value]
    demand = opened(demand, "second")
    assert attempt_of(demand, "second").phase is Phase.INITIAL
    assert attempts.redirect_of(demand, id_of("first")), "a repeated request gets the same answer"


def test_others_find_nothing() -> None:
    for account in ("somebody", ""):
        with pytest.raises(NotFound):
            attempts.start_attempt(requested(), starting(account=account), NOW)
    with pytest.raises(NotFound):
        attempts.start_attempt(requested(payer_account=None), starting(), NOW)


def test_what_can_not_be_paid() -> None:
    paid = opened(requested())
    paid, _ = apply_provider_status(paid, id_of("first"), reported(paid, TransactionState.PAID), NOW)
    cancelled, _ = demands.withdraw_demand(requested(), NOW)
    for demand in (paid, cancelled, requested(99_999_901)):
        with pytest.raises(NotPayable):
            attempts.start_attempt(demand, starting("second"), NOW)


def test_a_page_is_not_shown_for_a_cancelled_demand() -> None:
    for demand in (opened(requested()), started(requested())):
        cancelled, _ = demands.withdraw_demand(demand, NOW)
        with pytest.raises(NotPayable):
            attempts.redirect_of(cancelled, id_of("first"))
        assert "open" not in schedule.due(cancelled)


def test_attempts_are_bounded() -> None:
    demand = requested()
    for number in range(attempts.MAX_ATTEMPTS):
        demand = opened(demand, str(number))
        demand, _ = apply_provider_status(
            demand, id_of(str(number)), reported(demand, TransactionState.FAILED, str(number)), NOW
        )
    with pytest.raises(NotPayable):
        started(demand, "one more")


# What is believed


@pytest.mark.parametrize(
    "lie",
    [
        {"cents": 1249},
        {"cents": None},
        {"currency": "USD"},
        {"currency": None},
        {"purpose": "RF18539007547034"},
        {"purpose": None},
        {"request_id": "another"},
        {"request_id": None},
        {"transaction_id": "another"},
    ],
)
def test_money_that_is_not_proven_is_held(lie: dict[str, str | int | None]) -> None:
    demand = opened(requested())
    held, said = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.PAID, **lie), NOW)
    assert said == ()
    assert attempt_of(held).phase is Phase.HELD
    assert (held.received_cents, held.bookings) == (0, demand.bookings)
    with pytest.raises(NotPayable):
        started(held, "second")
    with pytest.raises(NotPayable):
        attempts.redirect_of(held, id_of("first"))
    assert schedule.due(held)["look"] == NOW + timedelta(hours=1)
    paid, (received,) = apply_provider_status(held, id_of("first"), reported(demand, TransactionState.PAID), NOW)
    assert isinstance(received, PaymentReceived)
    assert paid.status is Status.SETTLED


def test_an_end_of_another_transaction_is_not_believed() -> None:
    demand = opened(requested())
    held, said = apply_provider_status(
        demand, id_of("first"), reported(demand, TransactionState.FAILED, request_id="another"), NOW
    )
    assert (attempt_of(held).phase, said) == (Phase.HELD, ())


def test_what_is_not_stated_does_not_matter_before_money_comes() -> None:
    demand = opened(requested())
    silent = reported(demand, TransactionState.OPEN, request_id=None, cents=None, currency=None, purpose=None)
    assert attempt_of(apply_provider_status(demand, id_of("first"), silent, NOW)[0]).phase is Phase.INITIAL


def test_payment_settles_and_says_so() -> None:
    demand = opened(requested())
    paid, (said,) = apply_provider_status(
        demand, id_of("first"), reported(demand, TransactionState.PAID, method="paypal"), NOW
    )
    assert isinstance(said, PaymentReceived)
    assert (said.amount.cents, said.outstanding.cents, said.method) == (1250, 0, "paypal")
    assert said.booking_id == paid.bookings[-1].booking_id
    assert paid.status is Status.SETTLED
    assert set(schedule.due(paid)) == {"book"}
    for said_later in TransactionState:
        assert apply_provider_status(paid, id_of("first"), reported(paid, said_later), NOW) == (paid, ())


def test_an_opening_may_be_answered_with_money() -> None:
    demand = started(requested())
    paid, (said,) = provider_status.record_opening(demand, id_of("first"), reported(demand, TransactionState.PAID), NOW)
    assert isinstance(said, PaymentReceived)
    assert provider_status.record_opening(paid, id_of("first"), reported(demand, TransactionState.OPEN), NOW) == (
        paid,
        (),
    )


def test_late_money_is_never_lost() -> None:
    for end in (demands.withdraw_demand, demands.replace_demand):
        demand, _ = end(opened(requested()), NOW)
        assert "look" in schedule.due(demand), "still watched"
        paid, (said,) = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.PAID), NOW)
        assert isinstance(said, PaymentReceived)
        assert said.outstanding.cents == 0
        assert paid.status is Status.CANCELLED
        assert balance(paid, Account.UNALLOCATED) == -1250
        assert paid.bookings[-1].occasion is Occasion.RECEIPT


def test_a_provider_that_takes_back_a_failure_is_booked_twice_if_it_says_so() -> None:
    demand = opened(requested())
    demand, _ = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.FAILED), NOW)
    demand = opened(demand, "second")
    demand, _ = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.PAID), NOW)
    assert demand.status is Status.SETTLED
    with pytest.raises(NotPayable):
        attempts.redirect_of(demand, id_of("second"))
    demand, _ = apply_provider_status(demand, id_of("second"), reported(demand, TransactionState.PAID, "second"), NOW)
    assert (demand.received_cents, demand.outstanding.cents) == (2500, 0)
    assert balance(demand, Account.UNALLOCATED) == -1250


# Looking


def test_looks_come_closely_at_first_and_seldom_later() -> None:
    demand = opened(requested())
    times = [NOW]
    while times[-1] < NOW + timedelta(hours=12):
        times.append(schedule.due(demand)["look"])
        demand, _ = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.OPEN), times[-1])
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert [pause.total_seconds() for pause in pauses[:4]] == [1, 1, 2, 2]
    assert pauses[-1] == timedelta(hours=1)
    assert len([at for at in times if at < NOW + timedelta(minutes=30)]) < 80


def test_an_attempt_nobody_pays_expires_and_is_watched_on() -> None:
    demand = opened(requested())
    later = NOW + timedelta(days=1)
    expired, (said,) = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.OPEN), later)
    assert isinstance(said, PaymentFailed)
    assert said.reason == "expired"
    assert schedule.due(expired)["look"] == later + timedelta(days=1)
    assert started(expired, "second") == expired, "the provider hasn't ended it: the same page"
    again, nothing = apply_provider_status(expired, id_of("first"), reported(demand, TransactionState.FAILED), later)
    assert nothing == (), "said once"
    assert not again.live_attempts
    paid, _ = apply_provider_status(expired, id_of("first"), reported(demand, TransactionState.PAID), later)
    assert paid.status is Status.SETTLED


def test_a_transaction_that_the_provider_has_forgotten() -> None:
    demand = opened(requested())
    missed, said = provider_status.record_unknown_transaction(demand, id_of("first"), NOW)
    assert (attempt_of(missed).phase, said) == (Phase.INITIAL, ())
    gone, (failed,) = provider_status.record_unknown_transaction(missed, id_of("first"), NOW + timedelta(days=1))
    assert isinstance(failed, PaymentFailed)
    assert not gone.live_attempts


def test_the_payer_is_back_and_the_provider_is_asked_at_once() -> None:
    demand = opened(requested())
    demand, _ = apply_provider_status(
        demand, id_of("first"), reported(demand, TransactionState.OPEN), NOW + timedelta(minutes=10)
    )
    back = NOW + timedelta(minutes=10, seconds=20)
    hurried, _ = attempts.request_look(demand, back)
    assert schedule.due(hurried)["look"] == back
    assert attempts.request_look(hurried, back + timedelta(seconds=1)) == (hurried, ())
    looked, _ = apply_provider_status(hurried, id_of("first"), reported(demand, TransactionState.OPEN), back)
    pressed, _ = attempts.request_look(looked, back)
    assert schedule.due(pressed)["look"] == back + timedelta(seconds=1), "but not more often than each second"
    assert attempts.request_look(requested(), NOW) == (requested(), ())


@given(st.timedeltas(timedelta(), timedelta(days=400)))
def test_there_is_always_a_next_look_and_it_is_later(age: timedelta) -> None:
    demand = opened(requested())
    at = NOW + age
    looked, _ = apply_provider_status(demand, id_of("first"), reported(demand, TransactionState.OPEN), at)
    assert timedelta(seconds=1) <= schedule.due(looked)["look"] - at <= timedelta(days=1)


# The ledger


def test_bookings_are_due_until_they_are_in_the_ledger() -> None:
    demand = requested()
    assert schedule.due(demand)["book"] == NOW
    demand, _ = ledger.record_booked(demand, 1)
    assert "book" not in schedule.due(demand)
    assert ledger.record_booked(demand, 0)[0] == demand
    assert replace(demand, booked=0) == requested()
