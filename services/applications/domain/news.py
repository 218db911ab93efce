"""What payments and notifications tell of a case. Pure: (state, event, now) -> Change."""

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
from services.applications.domain import cases
from services.applications.domain.state import Assessment, Case, Notice, NoticeStatus, Status

PaymentNews = PaymentRequested | PaymentReceived | PaymentFailed | PaymentCancelled | PaymentOverdue
NoticeNews = NoticeIssued | NoticeProvided | NoticeRetrieved | NoticeAnnounced | AnnouncementFailed


def on_payment(case: Case, event: PaymentNews, now: datetime) -> Change[Case]:
    """What happened to a demand: mostly a line in the timeline; a settled fee before processing sets the case going.

    Raises:
        Rejected: it is about a fee that was never assessed here.
    """
    match event:
        case PaymentRequested():
            return _on_requested(case, event, now)
        case PaymentReceived():
            return _on_received(case, event, now)
        case PaymentFailed():
            return Change(case.noted("payment_failed", now))
        case PaymentCancelled():
            cancelled = replace(_assessment(case, event.assessment_id), cancelled=True)
            return Change(_with_assessment(case, cancelled).noted("payment_cancelled", now))
        case PaymentOverdue():
            _assessment(case, event.assessment_id)
            return Change(case.noted("payment_overdue", now, event.due_on, event.outstanding))


def _on_requested(case: Case, event: PaymentRequested, now: datetime) -> Change[Case]:
    known = replace(
        _assessment(case, event.assessment_id),
        demand_id=event.demand_id,
        payment_reference=event.payment_reference,
        dataref=event.dataref,
    )
    return Change(_with_assessment(case, known).noted("payment_requested", now, event.due_on, event.amount))


def _on_received(case: Case, event: PaymentReceived, now: datetime) -> Change[Case]:
    assessment = _assessment(case, event.assessment_id)
    if event.outstanding.cents > 0:
        return Change(case.noted("payment_partly", now, amount=event.outstanding))
    paid = _with_assessment(case, replace(assessment, settled=True)).noted("payment_received", now, amount=event.amount)
    if paid.status is not Status.AWAITING_PAYMENT or _holds_up(paid):
        return Change(paid)
    as_of: date = max(paid.handed_in.received_on, legal_date(event.received_at))
    return cases.complete(paid, as_of, now)


def _holds_up(case: Case) -> bool:
    return any(each.timing is FeeTiming.BEFORE_PROCESSING and not each.settled for each in case.assessments)


def _assessment(case: Case, assessment_id: str) -> Assessment:
    found = next((each for each in case.assessments if each.assessment_id == assessment_id), None)
    if found is None:
        raise Rejected("the fee was not assessed in this case", case_id=case.case_id, assessment_id=assessment_id)
    return found


def _with_assessment(case: Case, assessment: Assessment) -> Case:
    changed = tuple(assessment if each.assessment_id == assessment.assessment_id else each for each in case.assessments)
    return replace(case, assessments=changed)


def on_notice(case: Case, event: NoticeNews, now: datetime) -> Change[Case]:
    """How far a notice got; the case closes when the standing decision is announced to all.

    Raises:
        Rejected: it is about a decision that wasn't made here.
        NotYet: the notice's issue hasn't arrived.
    """
    if all(each.decision_id != event.decision_id for each in case.decisions):
        raise Rejected("the decision was not made in this case", case_id=case.case_id, decision_id=event.decision_id)
    match event:
        case NoticeIssued():
            notice = Notice(event.notice_id, event.decision_id, event.addressee_id, NoticeStatus.ISSUED)
            issued = replace(case, notices=(*_other_notices(case, event.notice_id), notice))
            return Change(issued.noted("notice_issued", now, event.issued_on))
        case NoticeProvided():
            return Change(_moved_on(case, event.notice_id, NoticeStatus.PROVIDED).noted("notice_provided", now))
        case NoticeRetrieved():
            got = _moved_on(case, event.notice_id, NoticeStatus.RETRIEVED)
            return Change(got.noted("notice_retrieved", now, event.retrieved_on))
        case AnnouncementFailed():
            failed = _moved_on(case, event.notice_id, NoticeStatus.FAILED)
            return Change(failed.noted("announcement_failed", now, event.provision_ended_on))
        case NoticeAnnounced():
            announced = _moved_on(case, event.notice_id, NoticeStatus.ANNOUNCED, event.announced_on)
            return cases.close_if_settled(announced.noted("notice_announced", now, event.announced_on), now)


def _moved_on(case: Case, notice_id: str, status: NoticeStatus, announced_on: date | None = None) -> Case:
    known = next((each for each in case.notices if each.notice_id == notice_id), None)
    if known is None:
        raise NotYet("the notice isn't known yet", notice_id=notice_id)
    if known.status is NoticeStatus.ANNOUNCED:
        return case  # read later on: it stays announced
    moved = replace(known, status=status, announced_on=announced_on or known.announced_on)
    return replace(case, notices=(*_other_notices(case, notice_id), moved))


def _other_notices(case: Case, notice_id: str) -> tuple[Notice, ...]:
    return tuple(each for each in case.notices if each.notice_id != notice_id)
