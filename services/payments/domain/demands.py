"""A demand: what somebody owes for a case, the attempts to pay it, and what was booked for it.

Three things are kept apart: what is owed (the demand), what was tried (attempts, of which one at most is live), and
what the provider says (a `ProviderStatus`, applied only where it names our request, amount and reference).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.change import Change
from chassis.errors import Conflict, NotFound, Rejected
from contracts.applications import FeeAssessed, FeeTiming
from contracts.payments import PaymentCancelled, PaymentFailed, PaymentOverdue, PaymentReceived, PaymentRequested
from contracts.values import LegalDate, Money, Term, Timestamp
from kernel.ids import id_of
from kernel.legal_days import start_of
from services.payments.domain import bookings
from services.payments.domain.bookings import Booking
from services.payments.domain.references import payment_reference

MOST_ATTEMPTS = 50
"""The document doesn't grow without end; who failed so often needs another way to pay."""

_PAUSES = (
    (timedelta(seconds=2), timedelta(seconds=1)),
    (timedelta(seconds=10), timedelta(seconds=2)),
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=5), timedelta(seconds=10)),
    (timedelta(minutes=30), timedelta(minutes=1)),
    (timedelta(hours=6), timedelta(minutes=10)),
)
"""Younger than, and then the pause between two looks: close while somebody is at the payment page, seldom later."""
_LATER = timedelta(hours=1)
_EXPIRED = timedelta(days=1)
_CLOSEST = timedelta(seconds=1)
"""The provider isn't asked more often than this, whoever presses what."""


class NotPayable(Conflict):
    """The demand can't be paid online in its present state."""

    code = "not_payable"
    title = "Can't be paid online at present"


class Status(Term):
    """What the demand itself is."""

    OPEN = "open"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class Phase(Term):
    """How far an attempt to pay has come."""

    OPENING = "opening"
    """Recorded here; whether the provider knows of it isn't known yet."""
    INITIAL = "initial"
    """The payer may pay."""
    EXPIRED = "expired"
    """Nobody paid in time; the provider has not ended it, so it still counts as live, and is still watched."""
    HELD = "held"
    """What the provider says doesn't fit what we asked for: not booked, not repeated, a person has to look."""
    PAID = "paid"
    FAILED = "failed"
    CANCELED = "canceled"


_LIVE = frozenset({Phase.OPENING, Phase.INITIAL, Phase.EXPIRED, Phase.HELD})
_WATCHED = _LIVE - {Phase.OPENING}


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to pay, with one transaction at the provider. Its id is the provider's `requestId`."""

    attempt_id: str
    cents: int
    phase: Phase
    started_at: Timestamp
    retry_at: Timestamp
    """When an opening without an answer is tried again."""
    expires_at: Timestamp
    transaction_id: str | None = None
    redirect_url: str | None = None
    opened_at: Timestamp | None = None
    looked_at: Timestamp | None = None
    hurry_at: Timestamp | None = None
    """The payer says to be back: look then."""
    failure_told: bool = False
    """`payment_failed` was said of it."""

    @property
    def live(self) -> bool:
        """Whether money may still come of it, so that no other may be begun."""
        return self.phase in _LIVE

    @property
    def next_look(self) -> datetime | None:
        """When the provider is asked again."""
        if self.phase not in _WATCHED or self.opened_at is None:
            return None
        looked = self.looked_at or self.opened_at
        planned = looked + self._pause(looked - self.opened_at)
        return min(planned, self.hurry_at) if self.hurry_at else planned

    def _pause(self, age: timedelta) -> timedelta:
        if self.phase is Phase.EXPIRED:
            return _EXPIRED
        if self.phase is Phase.HELD:
            return _LATER
        return next((pause for younger, pause in _PAUSES if age < younger), _LATER)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of what is demanded."""

    fee: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Demand:
    """What is owed for one assessment. Never deleted."""

    demand_id: str
    tenant: str
    authority: str
    case_id: str
    case_reference: str
    assessment_id: str
    service_id: str
    timing: FeeTiming
    payer_id: str
    payer_account: str | None
    """Who may pay it online; None where the payer has no account."""
    amount: Money
    items: tuple[Item, ...]
    due_on: LegalDate
    payment_reference: str
    booking_data: Mapping[str, str]
    """The town's, as it was when the demand was made; on each ledger line and with the provider (`bookingData`)."""
    requested_at: Timestamp
    status: Status = Status.OPEN
    overdue: bool = False
    received_cents: int = 0
    """All that ever came in, also what was too much."""
    attempts: tuple[Attempt, ...] = ()
    bookings: tuple[Booking, ...] = field(default=())
    """All, in order: the truth, from which the ledger is filled."""
    booked: int = 0
    """How many of them are in the ledger."""

    @property
    def outstanding(self) -> Money:
        """What is still owed."""
        return Money(cents=self._owed, currency=self.amount.currency)

    @property
    def _owed(self) -> int:
        return 0 if self.status is Status.CANCELLED else max(0, self.amount.cents - self.received_cents)

    @property
    def live_attempts(self) -> tuple[Attempt, ...]:
        """Attempts of which money may still come: one at most, unless the provider takes back that one had failed."""
        return tuple(attempt for attempt in self.attempts if attempt.live)

    @property
    def to_open(self) -> Attempt | None:
        """The attempt for which the provider's first answer is missing.

        Of a cancelled demand it is left: nobody was shown the page of a transaction whose answer didn't arrive.
        """
        opening = (attempt for attempt in self.attempts if attempt.phase is Phase.OPENING)
        return next(opening, None) if self.status is Status.OPEN else None

    @property
    def to_look_at(self) -> tuple[Attempt, datetime] | None:
        """The attempt that the provider is asked for next, and when."""
        planned = [(attempt, attempt.next_look) for attempt in self.attempts]
        watched = [(attempt, at) for attempt, at in planned if at is not None]
        return min(watched, key=lambda each: each[1], default=None)

    def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt of this demand."""
        return next((attempt for attempt in self.attempts if attempt.attempt_id == attempt_id), None)

    def with_attempt(self, changed: Attempt) -> Demand:
        """With one attempt changed."""
        found = (changed if each.attempt_id == changed.attempt_id else each for each in self.attempts)
        return replace(self, attempts=tuple(found))


@dataclass(frozen=True, slots=True)
class Town:
    """For whom a demand is made."""

    tenant: str
    authority: str
    booking_data: Mapping[str, str]


def demand_id_of(tenant: str, assessment_id: str) -> str:
    """The demand of an assessment. Derived from it, so that a replacing assessment finds the earlier one's demand."""
    return id_of(tenant, "demand", assessment_id)


def due(demand: Demand) -> dict[str, datetime]:
    """What must be done later or outside: `open`, `look`, `book`, `overdue`."""
    found: dict[str, datetime] = {}
    if demand.to_open:
        found["open"] = demand.to_open.retry_at
    if demand.to_look_at:
        found["look"] = demand.to_look_at[1]
    if demand.booked < len(demand.bookings):
        found["book"] = demand.bookings[demand.booked].at
    if demand.status is Status.OPEN and not demand.overdue:
        found["overdue"] = start_of(demand.due_on + timedelta(days=1))
    return found


# What is owed


def demand_of(assessed: FeeAssessed, town: Town, now: datetime) -> Demand:
    """The demand that an assessment makes.

    Raises:
        Rejected: its items contradict its amount.
    """
    items = tuple(Item(item.fee, item.amount) for item in assessed.items)
    fits = sum(item.amount.cents for item in items) == assessed.amount.cents
    if items and not (fits and {item.amount.currency for item in items} == {assessed.amount.currency}):
        raise Rejected("the items of the assessment don't sum to its amount", assessment=assessed.assessment_id)
    demand_id = demand_id_of(town.tenant, assessed.assessment_id)
    return Demand(
        demand_id=demand_id,
        tenant=town.tenant,
        authority=town.authority,
        case_id=assessed.case_id,
        case_reference=assessed.case_reference,
        assessment_id=assessed.assessment_id,
        service_id=assessed.service_id,
        timing=assessed.timing,
        payer_id=assessed.payer.party_id,
        payer_account=assessed.payer.account_id,
        amount=assessed.amount,
        items=items,
        due_on=assessed.due_on,
        payment_reference=payment_reference(demand_id),
        booking_data=town.booking_data,
        requested_at=now,
    )


def request_payment(new: Demand) -> Change[Demand]:
    """A fee was assessed. Where nothing is to be paid (a waiver) the demand is settled from the start."""
    said = PaymentRequested(
        demand_id=new.demand_id,
        case_id=new.case_id,
        assessment_id=new.assessment_id,
        payer_id=new.payer_id,
        amount=new.amount,
        payment_reference=new.payment_reference,
        due_on=new.due_on,
        dataref=request_path(new.tenant, new.demand_id),
    )
    if new.amount.cents == 0:
        return Change(replace(new, status=Status.SETTLED), (said,))
    return Change(_booked(new, bookings.of_demand(new.demand_id, new.amount.cents, new.requested_at)), (said,))


def request_path(tenant: str, demand_id: str) -> str:
    """Where the demand as it was made is fetched: it never changes."""
    return f"/payments/v1/{tenant}/demands/{demand_id}/request"


def withdraw(demand: Demand, now: datetime) -> Change[Demand]:
    """The application was withdrawn: what is still owed isn't any more. What was paid stays paid."""
    return _cancel(demand, "withdrawn", now) if demand.status is Status.OPEN else Change(demand)


def give_way(demand: Demand, now: datetime) -> Change[Demand]:
    """Another assessment replaces this one; what was paid for it becomes unallocated."""
    return Change(demand) if demand.status is Status.CANCELLED else _cancel(demand, "replaced", now)


def _cancel(demand: Demand, reason: str, now: datetime) -> Change[Demand]:
    cancelled = replace(demand, status=Status.CANCELLED)
    if demand.amount.cents:
        booking = bookings.of_cancellation(demand.demand_id, demand.amount.cents, demand.outstanding.cents, now)
        cancelled = _booked(cancelled, booking)
    said = PaymentCancelled(
        demand_id=demand.demand_id, case_id=demand.case_id, assessment_id=demand.assessment_id, reason=reason
    )
    return Change(cancelled, (said,))


def fall_overdue(demand: Demand) -> Change[Demand]:
    """The due day is over in Europe/Berlin."""
    if demand.status is not Status.OPEN or demand.overdue:
        return Change(demand)
    said = PaymentOverdue(
        demand_id=demand.demand_id,
        case_id=demand.case_id,
        assessment_id=demand.assessment_id,
        outstanding=demand.outstanding,
        due_on=demand.due_on,
    )
    return Change(replace(demand, overdue=True), (said,))


# Paying


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """The payer wants to pay online."""

    account_id: str
    attempt_id: str
    retry_after: timedelta
    expires_after: timedelta
    max_cents: int
    """The largest amount that the town's provider takes."""


def start_attempt(demand: Demand, command: StartAttempt, now: datetime) -> Change[Demand]:
    """Begins an attempt, unless one is live or this very one was begun before: one charge for one demand.

    Raises:
        NotFound: not the payer.
        NotPayable: nothing to pay, too much for the provider, tried too often, or a payment is being looked into.
    """
    owned_by(demand, command.account_id)
    if demand.attempt(command.attempt_id):
        return Change(demand)
    _payable(demand)
    if demand.outstanding.cents > command.max_cents:
        raise _refusal(demand, "the amount is too large to be paid online")
    if demand.live_attempts:
        return Change(demand)
    if len(demand.attempts) >= MOST_ATTEMPTS:
        raise _refusal(demand, "it was tried too often")
    attempt = Attempt(
        attempt_id=command.attempt_id,
        cents=demand.outstanding.cents,
        phase=Phase.OPENING,
        started_at=now,
        retry_at=now + command.retry_after,
        expires_at=now + command.expires_after,
    )
    return Change(replace(demand, attempts=(*demand.attempts, attempt)))


def owned_by(demand: Demand, account_id: str) -> None:
    """Whether it is this account's to pay.

    Raises:
        NotFound: it isn't; that it exists is nobody else's business.
    """
    if demand.payer_account != account_id:
        raise NotFound("no such demand", id=demand.demand_id)


def _payable(demand: Demand) -> None:
    match demand.status:
        case Status.SETTLED:
            raise _refusal(demand, "it is paid")
        case Status.CANCELLED:
            raise _refusal(demand, "it was cancelled: nothing is owed")
    if any(attempt.phase is Phase.HELD for attempt in demand.attempts):
        raise _refusal(demand, "a payment for it is being looked into")


def payable_online(demand: Demand, max_cents: int) -> bool:
    """Whether the payer can check out now, at a provider that takes at most `max_cents`."""
    if demand.outstanding.cents > max_cents:
        return False
    if demand.payer_account is None or (not demand.live_attempts and len(demand.attempts) >= MOST_ATTEMPTS):
        return False
    try:
        _payable(demand)
    except NotPayable:
        return False
    return True


def _refusal(demand: Demand, why: str) -> NotPayable:
    return NotPayable(why, id=demand.demand_id, state=demand.status.value)


def redirect_of(demand: Demand, attempt_id: str) -> str | None:
    """Where the payer pays; None while the provider hasn't answered. Of an attempt that ended, the same as before.

    Raises:
        NotPayable: not to be paid any more, or not by this attempt.
    """
    attempt = demand.attempt(attempt_id)
    if attempt is None or attempt.live:
        _payable(demand)
    if attempt is None or attempt.phase is Phase.OPENING:
        return None
    if attempt.redirect_url is None:
        raise _refusal(demand, "this attempt to pay has ended: begin another")
    return attempt.redirect_url


def hurry(demand: Demand, now: datetime) -> Change[Demand]:
    """The payer is back from the provider's page, which proves nothing: look at once.

    What is asked for already isn't asked for again: a moved time would make a look on its way come to nothing.
    """
    for attempt in demand.live_attempts:
        if attempt.phase in _WATCHED and attempt.hurry_at is None:
            earliest = attempt.looked_at + _CLOSEST if attempt.looked_at else now
            demand = demand.with_attempt(replace(attempt, hurry_at=max(now, earliest)))
    return Change(demand)


# What the provider says


def record_opening(demand: Demand, attempt_id: str, status: ProviderStatus, now: datetime) -> Change[Demand]:
    """The provider has a transaction for this attempt."""
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
    return heed(demand.with_attempt(opened), attempt_id, status, now)


def heed(demand: Demand, attempt_id: str, status: ProviderStatus, now: datetime) -> Change[Demand]:
    """What the provider says is checked and applied. Repeated, late or contradicting answers never book twice."""
    attempt = demand.attempt(attempt_id)
    if attempt is None or attempt.phase in {Phase.PAID, Phase.OPENING}:
        return Change(demand)
    if not _believable(demand, attempt, status):
        serious = attempt.live or status.state is TransactionState.PAID
        return Change(demand.with_attempt(_looked(attempt, Phase.HELD, now)) if serious else demand)
    if status.state is TransactionState.PAID:
        return _receive(demand, attempt, status.method, now)
    return _without_money(demand, attempt, status.state, now) if attempt.live else Change(demand)


def _without_money(demand: Demand, attempt: Attempt, state: TransactionState, now: datetime) -> Change[Demand]:
    match state:
        case TransactionState.FAILED:
            return _fail(demand, _looked(attempt, Phase.FAILED, now), "declined")
        case TransactionState.CANCELED:
            return _fail(demand, _looked(attempt, Phase.CANCELED, now), "cancelled_by_payer")
        case _ if now >= attempt.expires_at:
            return _fail(demand, _looked(attempt, Phase.EXPIRED, now), "expired")
        case _:
            return Change(demand.with_attempt(_looked(attempt, Phase.INITIAL, now)))


def miss(demand: Demand, attempt_id: str, now: datetime) -> Change[Demand]:
    """The provider says that it knows no such transaction. Once expired, it has forgotten it: nobody can pay it."""
    attempt = demand.attempt(attempt_id)
    if attempt is None or attempt.phase not in _WATCHED:
        return Change(demand)
    if attempt.phase is Phase.HELD or now < attempt.expires_at:
        return Change(demand.with_attempt(_looked(attempt, attempt.phase, now)))
    return _fail(demand, _looked(attempt, Phase.FAILED, now), "expired")


def _believable(demand: Demand, attempt: Attempt, status: ProviderStatus) -> bool:
    """Whether the status is of our transaction: nothing stated may differ, and for money everything must be stated."""
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
    """Money is booked whatever became of the demand meanwhile: what isn't owed any more is kept as unallocated."""
    booking = bookings.of_receipt(demand.demand_id, attempt.attempt_id, attempt.cents, demand.outstanding.cents, now)
    paid = demand.with_attempt(_looked(attempt, Phase.PAID, now))
    paid = _booked(replace(paid, received_cents=demand.received_cents + attempt.cents), booking)
    if paid.status is Status.OPEN and paid.outstanding.cents == 0:
        paid = replace(paid, status=Status.SETTLED)
    said = PaymentReceived(
        demand_id=demand.demand_id,
        case_id=demand.case_id,
        assessment_id=demand.assessment_id,
        booking_id=booking.booking_id,
        amount=Money(cents=attempt.cents, currency=demand.amount.currency),
        outstanding=paid.outstanding,
        received_at=now,
        method=method,
    )
    return Change(paid, (said,))


def _fail(demand: Demand, attempt: Attempt, reason: str) -> Change[Demand]:
    """It came to nothing; said once, whatever follows."""
    failed = demand.with_attempt(replace(attempt, failure_told=True))
    if attempt.failure_told:
        return Change(failed)
    said = PaymentFailed(
        demand_id=demand.demand_id, case_id=demand.case_id, attempt_id=attempt.attempt_id, reason=reason
    )
    return Change(failed, (said,))


def _looked(attempt: Attempt, phase: Phase, now: datetime) -> Attempt:
    return replace(attempt, phase=phase, looked_at=now, hurry_at=None)


# The ledger


def _booked(demand: Demand, booking: Booking) -> Demand:
    return replace(demand, bookings=(*demand.bookings, booking))


def record_booked(demand: Demand, count: int) -> Change[Demand]:
    """The first `count` bookings are in the ledger."""
    return Change(replace(demand, booked=max(demand.booked, count)))
