"""Requests for information and their answers. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.change import Change
from chassis.errors import Conflict, Invalid, NotFound
from contracts import datarefs
from contracts.applications import InformationRequested, InformationSupplied
from kernel.canonical_json import content_hash
from kernel.ids import id_of
from kernel.legal_days import legal_date
from services.applications.domain.access import require_owner, require_submitted
from services.applications.domain.closing import close_if_settled
from services.applications.domain.commands import RequestInformation, SupplyInformation
from services.applications.domain.state import Case, InformationRequest, RequestStatus, Status
from services.applications.domain.timeline import TimelineCode

MAX_REQUESTS = 50
"""Requests for information in one case."""


def request_information(case: Case, command: RequestInformation, now: datetime) -> Change[Case]:
    """The authority asks the applicant a question.

    Raises:
        NotFound: the case is a draft.
        Conflict: the case is closed, or has `MAX_REQUESTS` requests already.
        Invalid: `due_on` isn't after today.
    """
    require_submitted(case)
    if case.status is Status.CLOSED:
        raise Conflict("the case is closed", id=case.case_id)
    if len(case.requests) >= MAX_REQUESTS:
        raise Conflict(f"a case has at most {MAX_REQUESTS} requests for information", id=case.case_id)
    day = legal_date(now)
    if command.due_on <= day:
        raise Invalid("due_on must lie ahead", errors=[{"pointer": "/due_on", "code": "not_ahead"}])
    request = InformationRequest(
        request_id=id_of(case.case_id, "request", str(len(case.requests) + 1)),
        question=command.question,
        asked_by=command.asked_by,
        asked_on=day,
        due_on=command.due_on,
    )
    event = InformationRequested(
        case_id=case.case_id,
        request_id=request.request_id,
        application_id=case.application_id,
        party_id=case.party_id,
        due_on=request.due_on,
        dataref=datarefs.information_request(case.tenant, case.case_id, request.request_id),
    )
    requested = replace(case, requests=(*case.requests, request))
    return Change(requested.with_timeline_entry(TimelineCode.INFORMATION_REQUESTED, now, request.due_on), (event,))


def supply_information(case: Case, command: SupplyInformation, now: datetime) -> Change[Case]:
    """The applicant answers a request. A decided case that waited for the answer only is closed.

    Raises:
        NotFound: the case belongs to another account, or has no such request.
        Conflict: answered already, or no longer needed.
    """
    require_owner(case, command.account_id)
    request = require_request(case, command.request_id)
    if case.status is Status.CLOSED or not request.answerable:
        raise Conflict("the request was answered already or is no longer open", request_id=request.request_id)
    day = legal_date(now)
    answered = replace(request, status=RequestStatus.ANSWERED, answer=command.answer, answered_on=day)
    event = InformationSupplied(
        case_id=case.case_id,
        request_id=request.request_id,
        content_hash=content_hash(answer_content(case, answered)),
        supplied_on=day,
        dataref=datarefs.information_answer(case.tenant, case.case_id, request.request_id),
    )
    supplied = _with_request(case, answered).with_timeline_entry(TimelineCode.INFORMATION_SUPPLIED, now, day)
    return Change(supplied, (event,)).and_then(close_if_settled, now)


def mark_overdue_requests(case: Case, now: datetime) -> Change[Case]:
    """Due work: the case no longer waits for answers whose day has passed; they can still be given."""
    day = legal_date(now)
    overdue = [each for each in case.requests if each.status is RequestStatus.OPEN and each.due_on < day]
    for each in overdue:
        entry = case.with_timeline_entry(TimelineCode.INFORMATION_OVERDUE, now, each.due_on)
        case = _with_request(entry, replace(each, status=RequestStatus.OVERDUE))
    return close_if_settled(case, now)


def require_request(case: Case, request_id: str) -> InformationRequest:
    """A request of the case.

    Raises:
        NotFound: the case has no such request.
    """
    request = next((each for each in case.requests if each.request_id == request_id), None)
    if request is None:
        raise NotFound("no such request", request_id=request_id)
    return request


def answer_content(case: Case, request: InformationRequest) -> dict[str, str | None]:
    """The answer as JSON: its canonical form (RFC 8785) is what the event's `content_hash` is of."""
    return {
        "case_id": case.case_id,
        "request_id": request.request_id,
        "answer": request.answer,
        "answered_on": request.answered_on.isoformat() if request.answered_on else None,
    }


def _with_request(case: Case, request: InformationRequest) -> Case:
    changed = tuple(request if each.request_id == request.request_id else each for each in case.requests)
    return replace(case, requests=changed)
