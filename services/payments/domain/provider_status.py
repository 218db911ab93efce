"""What the provider says of a transaction, checked against what we asked for, and applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.change import Change
from contracts.payments import PaymentFailed, PaymentReceived
from contracts.values import Money, Term
from services.payments.domain import bookings
from services.payments.domain.state import Attempt, Demand, Phase, Status


class TransactionState(Term):
    """What became of a transaction, as the provider says. Adapters translate their provider's codes to these."""

    OPEN = "open"
    """The payer may pay."""
    PAID = "paid"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What the provider says of a transaction, and what it says that it was asked for."""

    state: TransactionState
    transaction_id: str
    redirect_url: str | None = None
    request_id: str | None = None
    cents: int | None = None
    """None where the amount is missing or no whole number of cents."""
    currency: str | None = None
    purpose: str | None = None
    method: str = "other"


def record_opening(demand: Demand, attempt_id: str, status: ProviderStatus, now: datetime) -> Change[Demand]:
    """The provider returned a transaction for this attempt."""
    attempt = demand.attempt(attempt_id)
    if attempt is None or attempt.phase is not Phase.OPENING:
        return Change(demand)
    opened = replace(
        attempt,
        phase=Phase.INITIAL,
        transaction_id=status.transaction_id,
        redirect_url=status.redirect_url,
        opened_at=now,
    )
    return apply_provider_status(demand.with_attempt(opened), attempt_id, status, now)


def apply_provider_status(demand: Demand, attempt_id: str, status: ProviderStatus, now: datetime) -> Change[Demand]:
    """Checks a status and applies it. Repeated, late or contradicting ones never book twice.

    One that isn't of our transaction holds the attempt: nothing is booked, and a person has to look into it.
    """
    attempt = demand.attempt(attempt_id)
    if attempt is None or attempt.phase in {Phase.PAID, Phase.OPENING}:
        return Change(demand)
    if not _is_of(demand, attempt, status):
        matters = attempt.live or status.state is TransactionState.PAID
        return Change(demand.with_attempt(_after_look(attempt, Phase.HELD, now)) if matters else demand)
    if status.state is TransactionState.PAID:
        return _receive(demand, attempt, status.method, now)
    return _without_money(demand, attempt, status.state, now) if attempt.live else Change(demand)


def _without_money(demand: Demand, attempt: Attempt, state: TransactionState, now: datetime) -> Change[Demand]:
    match state:
        case TransactionState.FAILED:
            return _fail(demand, _after_look(attempt, Phase.FAILED, now), "declined")
        case TransactionState.CANCELED:
            return _fail(demand, _after_look(attempt, Phase.CANCELED, now), "cancelled_by_payer")
        case _ if now >= attempt.expires_at:
            return _fail(demand, _after_look(attempt, Phase.EXPIRED, now), "expired")
        case _:
            return Change(demand.with_attempt(_after_look(attempt, Phase.INITIAL, now)))


def record_unknown_transaction(demand: Demand, attempt_id: str, now: datetime) -> Change[Demand]:
    """The provider answers that it has no such transaction. After the expiry, nobody can pay it any more: it failed."""
    attempt = demand.attempt(attempt_id)
    if attempt is None or not attempt.watched:
        return Change(demand)
    if attempt.phase is Phase.HELD or now < attempt.expires_at:
        return Change(demand.with_attempt(_after_look(attempt, attempt.phase, now)))
    return _fail(demand, _after_look(attempt, Phase.FAILED, now), "expired")


def _is_of(demand: Demand, attempt: Attempt, status: ProviderStatus) -> bool:
    """Whether the status is of our transaction: what it states must be equal, and a paid one must state everything."""
    expected = {
        "transaction_id": attempt.transaction_id,
        "request_id": attempt.attempt_id,
        "cents": attempt.cents,
        "currency": demand.amount.currency,
        "purpose": demand.payment_reference,
    }
    unstated = (None,) if status.state is not TransactionState.PAID else ()
    return all(getattr(status, name) in {value, *unstated} for name, value in expected.items())


def _receive(demand: Demand, attempt: Attempt, method: str, now: datetime) -> Change[Demand]:
    """Books the money, whatever the demand's status: what isn't owed any more is unallocated."""
    booking = bookings.of_receipt(demand.demand_id, attempt.attempt_id, attempt.cents, demand.outstanding.cents, now)
    paid = demand.with_attempt(_after_look(attempt, Phase.PAID, now))
    paid = replace(paid, received_cents=demand.received_cents + attempt.cents).with_booking(booking)
    if paid.status is Status.OPEN and paid.outstanding.cents == 0:
        paid = replace(paid, status=Status.SETTLED)
    event = PaymentReceived(
        demand_id=demand.demand_id,
        case_id=demand.case_id,
        assessment_id=demand.assessment_id,
        booking_id=booking.booking_id,
        amount=Money(cents=attempt.cents, currency=demand.amount.currency),
        outstanding=paid.outstanding,
        received_at=now,
        method=method,
    )
    return Change(paid, (event,))


def _fail(demand: Demand, attempt: Attempt, reason: str) -> Change[Demand]:
    """The attempt failed or expired. `payment_failed` is emitted once for an attempt."""
    failed = demand.with_attempt(replace(attempt, failure_told=True))
    if attempt.failure_told:
        return Change(failed)
    event = PaymentFailed(
        demand_id=demand.demand_id, case_id=demand.case_id, attempt_id=attempt.attempt_id, reason=reason
    )
    return Change(failed, (event,))


def _after_look(attempt: Attempt, phase: Phase, now: datetime) -> Attempt:
    return replace(attempt, phase=phase, looked_at=now, hurry_at=None)
