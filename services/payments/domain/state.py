"""A demand with its attempts and bookings, as it is stored.

Three things are kept apart: what is owed (`Demand`), each try to pay it (`Attempt`, at most one live), and what was
booked for it (`Booking`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from contracts.applications import FeeTiming
from contracts.values import LegalDate, Money, Term, Timestamp
from services.payments.domain.bookings import Booking


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


LIVE_PHASES = frozenset({Phase.OPENING, Phase.INITIAL, Phase.EXPIRED, Phase.HELD})


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
    """The payer came back from the payment page: look at this time, whatever the schedule says."""
    failure_told: bool = False
    """`payment_failed` was emitted for it."""

    @property
    def live(self) -> bool:
        """Whether it may still be paid, so that no other may begin."""
        return self.phase in LIVE_PHASES

    @property
    def watched(self) -> bool:
        """Whether the provider is asked for its status."""
        return self.live and self.phase is not Phase.OPENING


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
        """Attempts that may still be paid: at most one, unless the provider revokes the failure of an earlier one."""
        return tuple(attempt for attempt in self.attempts if attempt.live)

    def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt of this demand."""
        return next((attempt for attempt in self.attempts if attempt.attempt_id == attempt_id), None)

    def with_attempt(self, changed: Attempt) -> Demand:
        """With one attempt changed."""
        attempts = (changed if each.attempt_id == changed.attempt_id else each for each in self.attempts)
        return replace(self, attempts=tuple(attempts))

    def with_booking(self, booking: Booking) -> Demand:
        """With one more booking, which isn't in the ledger yet."""
        return replace(self, bookings=(*self.bookings, booking))
