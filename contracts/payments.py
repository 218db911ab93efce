"""Events of payments: what is owed and paid. Subject of each: the demand; key: its case."""

from __future__ import annotations

from contracts import topics
from contracts.envelope import Event
from contracts.values import Code, DataRef, LegalDate, Money, Reference, Timestamp, Uuid


class PaymentRequested(Event):
    """A demand exists and can be paid. Consumed by applications (the payer is shown where to pay)."""

    topic = topics.PAYMENTS
    name = "payment_requested"

    demand_id: Uuid
    case_id: Uuid
    assessment_id: Uuid
    payer_id: Uuid
    """The paying party."""
    amount: Money
    payment_reference: Reference
    """Kassenzeichen."""
    due_on: LegalDate
    dataref: DataRef


class PaymentReceived(Event):
    """Money was received and booked, as the provider confirmed to us. Consumed by applications.

    A demand is settled when `outstanding` is zero; there may be several receipts.
    """

    topic = topics.PAYMENTS
    name = "payment_received"

    demand_id: Uuid
    case_id: Uuid
    assessment_id: Uuid
    booking_id: Uuid
    amount: Money
    outstanding: Money
    received_at: Timestamp
    method: Code
    """The provider's payment method, or `other`."""


class PaymentFailed(Event):
    """One attempt to pay failed; the demand stays open. Consumed by applications (shown in the timeline)."""

    topic = topics.PAYMENTS
    name = "payment_failed"

    demand_id: Uuid
    case_id: Uuid
    attempt_id: Uuid
    reason: Code
    """`declined`, `cancelled_by_payer`, `expired`."""


class PaymentCancelled(Event):
    """The demand was cancelled: nothing more is owed by it. Consumed by applications."""

    topic = topics.PAYMENTS
    name = "payment_cancelled"

    demand_id: Uuid
    case_id: Uuid
    assessment_id: Uuid
    reason: Code
    """`withdrawn`, `replaced`."""


class PaymentOverdue(Event):
    """The due date passed with something outstanding. Consumed by applications."""

    topic = topics.PAYMENTS
    name = "payment_overdue"

    demand_id: Uuid
    case_id: Uuid
    assessment_id: Uuid
    outstanding: Money
    due_on: LegalDate
