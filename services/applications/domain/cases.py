"""The case from its receipt to its end. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from chassis.change import Change
from chassis.errors import Conflict, Invalid, NotFound
from contracts import datarefs
from contracts.applications import (
    Addressee,
    ApplicationComplete,
    ApplicationWithdrawn,
    CaseClosed,
    CaseReopened,
    DecisionMade,
    FeeAssessed,
    FeeTiming,
    InformationRequested,
    InformationSupplied,
    Origin,
    Outcome,
    Role,
)
from kernel.canonical_json import canonical, content_hash
from kernel.ids import id_of
from kernel.legal_days import legal_date
from service_format.automation import decides
from services.applications.domain import notices
from services.applications.domain.findings import shown
from services.applications.domain.requirements import owed
from services.applications.domain.services import result_keys
from services.applications.domain.state import (
    Assessment,
    Case,
    Decision,
    InformationRequest,
    NoticeStatus,
    RequestStatus,
    Status,
)

MOST_REQUESTS = 50
"""Requests for information in one case."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide the application."""

    origin: Origin
    outcome: Outcome
    decided_by: str | None = None
    grounds: str = ""
    result: Mapping[str, str] | None = None
    """What the notice's placeholders `result.<key>` stand for."""
    replaces: str | None = None
    """The standing decision, where there is one."""


@dataclass(frozen=True, slots=True)
class AskInformation:
    """Ask the applicant for something."""

    asked_by: str
    question: str
    due_on: date


@dataclass(frozen=True, slots=True)
class SupplyInformation:
    """Answer a request for information."""

    account_id: str
    request_id: str
    answer: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """Go on with a closed case (VwVfG § 51 and others)."""

    reopened_by: str
    reason: str


def check_owner(case: Case, account_id: str) -> None:
    """Another's case is as good as none.

    Raises:
        NotFound: it isn't theirs.
    """
    if case.account_id != account_id:
        raise NotFound("no such case", id=case.case_id)


def check_submitted(case: Case) -> None:
    """The authority sees no drafts.

    Raises:
        NotFound: it is a draft.
    """
    if case.status is Status.DRAFT:
        raise NotFound("no such case", id=case.case_id)


# On the way to a decision


def after_receipt(case: Case, now: datetime) -> Change[Case]:
    """A fee before processing holds the case up; without one it is complete."""
    day = case.handed_in.received_on
    assessed, events = _assess(case, FeeTiming.BEFORE_PROCESSING, now)
    if not events:
        return complete(case, day, now)
    return Change(replace(assessed, status=Status.AWAITING_PAYMENT), events)


def complete(case: Case, as_of: date, now: datetime) -> Change[Case]:
    """Everything needed is there: a rule decides (VwVfG § 35a), or it waits for a clerk."""
    ready = replace(case, status=Status.IN_PROCESSING, complete_as_of=as_of).noted("application_complete", now, as_of)
    said = ApplicationComplete(
        case_id=case.case_id,
        application_id=case.application_id,
        service_id=case.service_id,
        service_version=case.service_version,
        complete_as_of=as_of,
        dataref=case.submission_path,
    )
    return Change(ready, (said,)).and_then(_by_rule, now)


def _by_rule(case: Case, now: datetime) -> Change[Case]:
    terms = case.handed_in.terms
    if not decides(terms.procedure.automation, case.fields) or result_keys(terms.notice):
        return Change(case)
    return _decided(case, Decide(Origin.RULE, Outcome.GRANTED), now)


def _assess(case: Case, timing: FeeTiming, now: datetime) -> Change[Case]:
    """The fee of that timing, where one is owed."""
    terms, day = case.handed_in.terms, legal_date(now)
    fee = owed(terms, timing, case.fields, case.handed_in.received_on)
    if fee is None:
        return Change(case)
    assessment = Assessment(
        assessment_id=id_of(case.case_id, "assessment", str(len(case.assessments) + 1)),
        timing=timing,
        amount=fee.amount,
        due_on=day + timedelta(days=fee.days_to_pay),
    )
    said = FeeAssessed(
        case_id=case.case_id,
        case_reference=case.case_reference,
        assessment_id=assessment.assessment_id,
        service_id=case.service_id,
        timing=timing,
        amount=fee.amount,
        items=fee.items,
        payer=case.party(Role.PAYER),
        due_on=assessment.due_on,
    )
    code = "fee_before_processing" if timing is FeeTiming.BEFORE_PROCESSING else "fee_with_decision"
    known = replace(case, assessments=(*case.assessments, assessment))
    return Change(known.noted(code, now, assessment.due_on, fee.amount), (said,))


# Decisions


def decide(case: Case, command: Decide, now: datetime) -> Change[Case]:
    """A clerk or a clerk system decides.

    Raises:
        NotFound: it is a draft.
        Conflict: not complete, closed, withdrawn, or decided already and not named by `replaces`.
        Invalid: grounds or results are missing, or can't be printed; `errors` lists the findings.
    """
    check_submitted(case)
    _check_decidable(case, command)
    found = notices.wrong_ruling(case.handed_in.terms, command.outcome, command.grounds, command.result or {})
    if found:
        raise Invalid("the decision can't be made like this", errors=shown(found))
    return _decided(case, command, now)


def _check_decidable(case: Case, command: Decide) -> None:
    standing = case.standing.decision_id if case.standing else None
    match case.status:
        case Status.AWAITING_PAYMENT:
            raise Conflict("the application isn't complete: a fee before processing is open", id=case.case_id)
        case Status.CLOSED if case.closed_reason == "withdrawn":
            raise Conflict("the application was withdrawn", id=case.case_id)
        case Status.CLOSED:
            raise Conflict("the case is closed: reopen it first", id=case.case_id)
        case _ if standing is None and command.replaces is not None:
            raise Conflict("there is no decision to replace", id=case.case_id)
        case _ if standing != command.replaces:
            raise Conflict("it is decided: name the standing decision as `replaces`", decision_id=standing)


def _decided(case: Case, command: Decide, now: datetime) -> Change[Case]:
    decision = _decision(case, command, now)
    lapsed = tuple(replace(each, status=RequestStatus.LAPSED) if each.answerable else each for each in case.requests)
    decided = replace(case, status=Status.DECIDED, decisions=(*case.decisions, decision), requests=lapsed)
    noted = decided.noted(f"decided_{decision.outcome.value}", now, decision.decided_on)
    change = Change(noted, (_made(case, decision),))
    if command.outcome is Outcome.REFUSED or _charged(case):
        return change
    return change.and_then(_assess, FeeTiming.WITH_DECISION, now)


def _charged(case: Case) -> bool:
    """A decision that replaces another costs nothing more."""
    return any(each.timing is FeeTiming.WITH_DECISION for each in case.assessments)


def _decision(case: Case, command: Decide, now: datetime) -> Decision:
    terms, day = case.handed_in.terms, legal_date(now)
    decision_id = id_of(case.case_id, "decision", str(len(case.decisions) + 1))
    ruling = notices.Ruling(
        decision_id=decision_id,
        outcome=command.outcome,
        decided_on=day,
        by_rule=command.origin is Origin.RULE,
        grounds=command.grounds.strip(),
        result=command.result,
    )
    content = notices.content(terms, case.fields, case.case_reference, ruling)
    addressee = Addressee(
        party_id=case.party_id,
        account_id=case.account_id,
        trust_level=terms.trust_level,
        consents_to_mailbox=case.handed_in.consents_to_mailbox,
    )
    return Decision(
        decision_id=decision_id,
        replaces=command.replaces,
        origin=command.origin,
        outcome=command.outcome,
        decided_on=day,
        decided_by=command.decided_by,
        addressees=(addressee,),
        content=canonical(content),
        content_hash=content_hash(content),
    )


def _made(case: Case, decision: Decision) -> DecisionMade:
    terms = case.handed_in.terms
    return DecisionMade(
        case_id=case.case_id,
        case_reference=case.case_reference,
        application_id=case.application_id,
        decision_id=decision.decision_id,
        replaces=decision.replaces,
        service_id=case.service_id,
        service_version=case.service_version,
        origin=decision.origin,
        outcome=decision.outcome,
        document_kind=notices.document_kind(terms, decision.outcome),
        procedural_law=terms.procedure.procedural_law,
        decided_on=decision.decided_on,
        decided_by=decision.decided_by,
        addressees=decision.addressees,
        content_hash=decision.content_hash,
        dataref=datarefs.decision(case.tenant, case.case_id, decision.decision_id),
    )


# The ways out, and back


def withdraw(case: Case, account_id: str, now: datetime) -> Change[Case]:
    """The applicant takes the application back.

    Raises:
        NotFound: it isn't theirs.
        Conflict: a draft (deleted, not withdrawn), decided, or closed already.
    """
    check_owner(case, account_id)
    match case.status:
        case Status.DRAFT:
            raise Conflict("a draft is deleted, not withdrawn", id=case.case_id)
        case Status.CLOSED:
            raise Conflict("the case is closed", id=case.case_id)
        case _ if case.decisions:
            raise Conflict("it was decided already", id=case.case_id)
    day = legal_date(now)
    lapsed = tuple(replace(each, status=RequestStatus.LAPSED) if each.answerable else each for each in case.requests)
    said = ApplicationWithdrawn(case_id=case.case_id, application_id=case.application_id, withdrawn_on=day)
    withdrawn = replace(case, requests=lapsed).noted("withdrawn", now, day)
    return Change(withdrawn, (said,)).and_then(close, "withdrawn", now)


def close(case: Case, reason: str, now: datetime) -> Change[Case]:
    """Nothing is left to do."""
    day = legal_date(now)
    closed = replace(case, status=Status.CLOSED, closed_on=day, closed_reason=reason).noted("closed", now, day)
    return Change(closed, (CaseClosed(case_id=case.case_id, closed_on=day, reason=reason),))


def close_if_settled(case: Case, now: datetime) -> Change[Case]:
    """Closes once the standing decision is announced to every addressee and no request for information is open."""
    if case.status is not Status.DECIDED or case.standing is None:
        return Change(case)
    if any(each.status is RequestStatus.OPEN for each in case.requests):
        return Change(case)
    standing = case.standing
    told = {
        each.addressee_id
        for each in case.notices
        if each.decision_id == standing.decision_id and each.status is NoticeStatus.ANNOUNCED
    }
    if any(each.party_id not in told for each in standing.addressees):
        return Change(case)
    return close(case, "decided", now)


def reopen(case: Case, command: Reopen, now: datetime) -> Change[Case]:
    """A closed case goes on; it needs a new decision, which replaces the standing one.

    Raises:
        NotFound: it is a draft.
        Conflict: it isn't closed, or was withdrawn.
    """
    check_submitted(case)
    if case.status is not Status.CLOSED:
        raise Conflict("the case isn't closed", id=case.case_id)
    if case.closed_reason == "withdrawn":
        raise Conflict("the application was withdrawn: it needs a new one", id=case.case_id)
    day = legal_date(now)
    open_again = replace(case, status=Status.IN_PROCESSING, closed_on=None, closed_reason=None)
    said = CaseReopened(case_id=case.case_id, reopened_on=day, reason=command.reason, reopened_by=command.reopened_by)
    return Change(open_again.noted("reopened", now, day), (said,))


# Information


def ask_information(case: Case, command: AskInformation, now: datetime) -> Change[Case]:
    """The authority asks the applicant for something.

    Raises:
        NotFound: it is a draft.
        Conflict: the case is closed, or too much was asked.
        Invalid: the day lies not ahead.
    """
    check_submitted(case)
    if case.status is Status.CLOSED:
        raise Conflict("the case is closed", id=case.case_id)
    if len(case.requests) >= MOST_REQUESTS:
        raise Conflict(f"a case has at most {MOST_REQUESTS} requests for information", id=case.case_id)
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
    said = InformationRequested(
        case_id=case.case_id,
        request_id=request.request_id,
        application_id=case.application_id,
        party_id=case.party_id,
        due_on=request.due_on,
        dataref=datarefs.information_request(case.tenant, case.case_id, request.request_id),
    )
    asked = replace(case, requests=(*case.requests, request))
    return Change(asked.noted("information_requested", now, request.due_on), (said,))


def supply_information(case: Case, command: SupplyInformation, now: datetime) -> Change[Case]:
    """The applicant answers a request.

    Raises:
        NotFound: not theirs, or no such request.
        Conflict: answered already, or no longer needed.
    """
    check_owner(case, command.account_id)
    request = find_request(case, command.request_id)
    if case.status is Status.CLOSED or not request.answerable:
        raise Conflict("the request was answered already or is no longer open", request_id=request.request_id)
    day = legal_date(now)
    answered = replace(request, status=RequestStatus.ANSWERED, answer=command.answer, answered_on=day)
    said = InformationSupplied(
        case_id=case.case_id,
        request_id=request.request_id,
        content_hash=content_hash(answer_content(case, answered)),
        supplied_on=day,
        dataref=datarefs.information_answer(case.tenant, case.case_id, request.request_id),
    )
    known = _with_request(case, answered).noted("information_supplied", now, day)
    return Change(known, (said,)).and_then(close_if_settled, now)


def note_overdue_information(case: Case, now: datetime) -> Change[Case]:
    """Requests whose day has passed are no longer waited for; they still can be answered."""
    day = legal_date(now)
    late = [each for each in case.requests if each.status is RequestStatus.OPEN and each.due_on < day]
    for each in late:
        noted = case.noted("information_overdue", now, each.due_on)
        case = _with_request(noted, replace(each, status=RequestStatus.OVERDUE))
    return close_if_settled(case, now)


def find_request(case: Case, request_id: str) -> InformationRequest:
    """A request of the case.

    Raises:
        NotFound: there is none.
    """
    found = next((each for each in case.requests if each.request_id == request_id), None)
    if found is None:
        raise NotFound("no such request", request_id=request_id)
    return found


def answer_content(case: Case, request: InformationRequest) -> dict[str, str | None]:
    """What was answered, as JSON: its canonical form is what the event's `content_hash` is of."""
    return {
        "case_id": case.case_id,
        "request_id": request.request_id,
        "answer": request.answer,
        "answered_on": request.answered_on.isoformat() if request.answered_on else None,
    }


def _with_request(case: Case, request: InformationRequest) -> Case:
    changed = tuple(request if each.request_id == request.request_id else each for each in case.requests)
    return replace(case, requests=changed)
