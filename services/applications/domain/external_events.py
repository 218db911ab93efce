"""What a case does with the events of payments and notifications. Pure: (state, event, now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from chassis.change import Change
from chassis.errors import NotYet, Rejected
from contracts.applications import FeeTiming
from contracts.notifications import (
    AnnouncementFailed,
    NoticeAnnounced,
    NoticeIssued,
    NoticeProvided,
    NoticeRetrieved,
)
from contracts.payments import (
    PaymentCancelled,
    PaymentFailed,
    PaymentOverdue,
    PaymentReceived,
    PaymentRequested,
)
from kernel.legal_days import legal_date
from services.applications.domain.closing import close_if_settled
from services.applications.domain.completion import complete_application
from services.applications.domain.fees import has_unsettled_fee
from services.applications.domain.state import Assessment, Case, Notice, NoticeStatus, Status
from services.applications.domain.timeline import TimelineCode

PaymentEvent = PaymentRequested | PaymentReceived | PaymentFailed | PaymentCancelled | PaymentOverdue
NoticeEvent = NoticeIssued | NoticeProvided | NoticeRetrieved | NoticeAnnounced | AnnouncementFailed


# Payments


def on_payment(case: Case, event: PaymentEvent, now: datetime) -> Change[Case]:
    """Records what happened to a demand in the timeline. Once all fees before processing are paid, the application is
    complete.

    Raises:
        Rejected: it is about a fee that this case never assessed.
    """
    match event:
        case PaymentRequested():
            return _on_payment_requested(case, event, now)
        case PaymentReceived():
            return _on_payment_received(case, event, now)
        case PaymentFailed():
            return Change(case.with_timeline_entry(TimelineCode.PAYMENT_FAILED, now))
        case PaymentCancelled():
            cancelled = replace(_require_assessment(case, event.assessment_id), cancelled=True)
            return Change(_with_assessment(case, cancelled).with_timeline_entry(TimelineCode.PAYMENT_CANCELLED, now))
        case PaymentOverdue():
            _require_assessment(case, event.assessment_id)
            return Change(case.with_timeline_entry(TimelineCode.PAYMENT_OVERDUE, now, event.due_on, event.outstanding))


def _on_payment_requested(case: Case, event: PaymentRequested, now: datetime) -> Change[Case]:
    assessment = replace(
        _require_assessment(case, event.assessment_id),
        demand_id=event.demand_id,
        payment_reference=event.payment_reference,
        dataref=event.dataref,
    )
    requested = _with_assessment(case, assessment)
    return Change(requested.with_timeline_entry(TimelineCode.PAYMENT_REQUESTED, now, event.due_on, event.amount))


def _on_payment_received(case: Case, event: PaymentReceived, now: datetime) -> Change[Case]:
    assessment = _require_assessment(case, event.assessment_id)
    if event.outstanding.cents > 0:
        return Change(case.with_timeline_entry(TimelineCode.PAYMENT_PARTLY, now, amount=event.outstanding))
    settled = _with_assessment(case, replace(assessment, settled=True))
    paid = settled.with_timeline_entry(TimelineCode.PAYMENT_RECEIVED, now, amount=event.amount)
    if paid.status is not Status.AWAITING_PAYMENT or has_unsettled_fee(paid, FeeTiming.BEFORE_PROCESSING):
        return Change(paid)
    as_of: date = max(paid.require_submission().received_on, legal_date(event.received_at))
    return complete_application(paid, as_of, now)


def _require_assessment(case: Case, assessment_id: str) -> Assessment:
    assessment = next((each for each in case.assessments if each.assessment_id == assessment_id), None)
    if assessment is None:
        raise Rejected("the fee was not assessed in this case", case_id=case.case_id, assessment_id=assessment_id)
    return assessment


def _with_assessment(case: Case, assessment: Assessment) -> Case:
    changed = tuple(assessment if each.assessment_id == assessment.assessment_id else each for each in case.assessments)
    return replace(case, assessments=changed)


# Notices


def on_notice(case: Case, event: NoticeEvent, now: datetime) -> Change[Case]:
    """Records how far a notice got. The case closes when the current decision is announced to every addressee.

    Raises:
        Rejected: it is about a decision that wasn't made in this case.
        NotYet: the notice's `notice_issued` hasn't arrived.
    """
    if all(each.decision_id != event.decision_id for each in case.decisions):
        raise Rejected("the decision was not made in this case", case_id=case.case_id, decision_id=event.decision_id)
    match event:
        case NoticeIssued():
            notice = Notice(event.notice_id, event.decision_id, event.addressee_id, NoticeStatus.ISSUED)
            issued = replace(case, notices=(*_other_notices(case, event.notice_id), notice))
            return Change(issued.with_timeline_entry(TimelineCode.NOTICE_ISSUED, now, event.issued_on))
        case NoticeProvided():
            provided = _with_notice_status(case, event.notice_id, NoticeStatus.PROVIDED)
            return Change(provided.with_timeline_entry(TimelineCode.NOTICE_PROVIDED, now))
        case NoticeRetrieved():
            retrieved = _with_notice_status(case, event.notice_id, NoticeStatus.RETRIEVED)
            return Change(retrieved.with_timeline_entry(TimelineCode.NOTICE_RETRIEVED, now, event.retrieved_on))
        case AnnouncementFailed():
            failed = _with_notice_status(case, event.notice_id, NoticeStatus.FAILED)
            return Change(failed.with_timeline_entry(TimelineCode.ANNOUNCEMENT_FAILED, now, event.provision_ended_on))
        case NoticeAnnounced():
            announced = _with_notice_status(case, event.notice_id, NoticeStatus.ANNOUNCED, event.announced_on)
            return close_if_settled(
                announced.with_timeline_entry(TimelineCode.NOTICE_ANNOUNCED, now, event.announced_on), now
            )


def _with_notice_status(case: Case, notice_id: str, status: NoticeStatus, announced_on: date | None = None) -> Case:
    notice = next((each for each in case.notices if each.notice_id == notice_id), None)
    if notice is None:
        raise NotYet("the notice isn't known yet", notice_id=notice_id)
    if notice.status is NoticeStatus.ANNOUNCED:
        return case  # retrieved after its announcement: it stays announced
    changed = replace(notice, status=status, announced_on=announced_on or notice.announced_on)
    return replace(case, notices=(*_other_notices(case, notice_id), changed))


def _other_notices(case: Case, notice_id: str) -> tuple[Notice, ...]:
    return tuple(each for each in case.notices if each.notice_id != notice_id)
