"""How a case ends, and how it is reopened. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.change import Change
from chassis.errors import Conflict
from contracts.applications import ApplicationWithdrawn, CaseClosed, CaseReopened
from kernel.legal_days import legal_date
from services.applications.domain.access import require_owner, require_submitted
from services.applications.domain.commands import ReopenCase, WithdrawApplication
from services.applications.domain.state import Case, NoticeStatus, RequestStatus, Status
from services.applications.domain.timeline import TimelineCode


def withdraw(case: Case, command: WithdrawApplication, now: datetime) -> Change[Case]:
    """The applicant withdraws the application; the case is closed.

    Raises:
        NotFound: the case belongs to another account.
        Conflict: a draft (deleted, not withdrawn), decided, or closed already.
    """
    require_owner(case, command.account_id)
    match case.status:
        case Status.DRAFT:
            raise Conflict("a draft is deleted, not withdrawn", id=case.case_id)
        case Status.CLOSED:
            raise Conflict("the case is closed", id=case.case_id)
        case _ if case.decisions:
            raise Conflict("it was decided already", id=case.case_id)
    day = legal_date(now)
    event = ApplicationWithdrawn(case_id=case.case_id, application_id=case.application_id, withdrawn_on=day)
    withdrawn = case.with_requests_lapsed().with_timeline_entry(TimelineCode.WITHDRAWN, now, day)
    return Change(withdrawn, (event,)).and_then(close, "withdrawn", now)


def close(case: Case, reason: str, now: datetime) -> Change[Case]:
    """Closes the case."""
    day = legal_date(now)
    closed = replace(case, status=Status.CLOSED, closed_on=day, closed_reason=reason)
    event = CaseClosed(case_id=case.case_id, closed_on=day, reason=reason)
    return Change(closed.with_timeline_entry(TimelineCode.CLOSED, now, day), (event,))


def close_if_settled(case: Case, now: datetime) -> Change[Case]:
    """Closes once the current decision is announced to every addressee and no request for information is open."""
    decision = case.current_decision
    if case.status is not Status.DECIDED or decision is None:
        return Change(case)
    if any(each.status is RequestStatus.OPEN for each in case.requests):
        return Change(case)
    announced_to = {
        each.addressee_id
        for each in case.notices
        if each.decision_id == decision.decision_id and each.status is NoticeStatus.ANNOUNCED
    }
    if any(each.party_id not in announced_to for each in decision.addressees):
        return Change(case)
    return close(case, "decided", now)


def reopen(case: Case, command: ReopenCase, now: datetime) -> Change[Case]:
    """Reopens a closed case. It needs a new decision, which replaces the current one.

    Raises:
        NotFound: the case is a draft.
        Conflict: it isn't closed, or was withdrawn.
    """
    require_submitted(case)
    if case.status is not Status.CLOSED:
        raise Conflict("the case isn't closed", id=case.case_id)
    if case.closed_reason == "withdrawn":
        raise Conflict("the application was withdrawn: it needs a new one", id=case.case_id)
    day = legal_date(now)
    reopened = replace(case, status=Status.IN_PROCESSING, closed_on=None, closed_reason=None)
    event = CaseReopened(case_id=case.case_id, reopened_on=day, reason=command.reason, reopened_by=command.reopened_by)
    return Change(reopened.with_timeline_entry(TimelineCode.REOPENED, now, day), (event,))
