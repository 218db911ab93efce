"""The timeline of a case: what can stand in it. `texts.py` has a sentence for each code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.values import LegalDate, Money, Timestamp


class TimelineCode(StrEnum):
    """What happened. The values are stored and part of the HTTP interface: they never change."""

    DRAFT_CREATED = "draft_created"
    APPLICATION_RECEIVED = "application_received"
    APPLICATION_COMPLETE = "application_complete"

    FEE_BEFORE_PROCESSING = "fee_before_processing"
    FEE_WITH_DECISION = "fee_with_decision"
    PAYMENT_REQUESTED = "payment_requested"
    PAYMENT_RECEIVED = "payment_received"
    PAYMENT_PARTLY = "payment_partly"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_CANCELLED = "payment_cancelled"
    PAYMENT_OVERDUE = "payment_overdue"

    INFORMATION_REQUESTED = "information_requested"
    INFORMATION_SUPPLIED = "information_supplied"
    INFORMATION_OVERDUE = "information_overdue"

    DECIDED_GRANTED = "decided_granted"
    DECIDED_PARTLY_GRANTED = "decided_partly_granted"
    DECIDED_REFUSED = "decided_refused"

    NOTICE_ISSUED = "notice_issued"
    NOTICE_PROVIDED = "notice_provided"
    NOTICE_RETRIEVED = "notice_retrieved"
    NOTICE_ANNOUNCED = "notice_announced"
    ANNOUNCEMENT_FAILED = "announcement_failed"

    WITHDRAWN = "withdrawn"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An entry of the timeline, with the day and the amount that its sentence names."""

    code: str
    """A `TimelineCode`, or one that only a newer release knows: both may run at a time, and the case stays readable."""
    at: Timestamp
    day: LegalDate | None = None
    amount: Money | None = None
