"""Decisions, by a rule or by the authority. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.change import Change
from chassis.errors import Conflict, Invalid
from contracts import datarefs
from contracts.applications import Addressee, DecisionMade, FeeTiming, Origin, Outcome
from kernel.canonical_json import canonical, content_hash
from kernel.ids import id_of
from kernel.legal_days import legal_date
from service_format.automation import decides
from services.applications.domain import notices
from services.applications.domain.access import require_submitted
from services.applications.domain.commands import DecideApplication
from services.applications.domain.fees import assess_fee, has_fee
from services.applications.domain.findings import as_errors
from services.applications.domain.services import result_keys
from services.applications.domain.state import Case, Decision, Status
from services.applications.domain.timeline import TimelineCode

_TIMELINE_CODES = {
    Outcome.GRANTED: TimelineCode.DECIDED_GRANTED,
    Outcome.PARTLY_GRANTED: TimelineCode.DECIDED_PARTLY_GRANTED,
    Outcome.REFUSED: TimelineCode.DECIDED_REFUSED,
}


def decide_by_rule(case: Case, now: datetime) -> Change[Case]:
    """Grants the application where the service's rule holds (VwVfG § 35a); otherwise changes nothing.

    A notice that needs a `result.<key>` needs a person or a clerk system to give it.
    """
    terms = case.require_submission().terms
    if not decides(terms.procedure.automation, case.form_data) or result_keys(terms.notice):
        return Change(case)
    return _make_decision(case, DecideApplication(Origin.RULE, Outcome.GRANTED), now)


def decide(case: Case, command: DecideApplication, now: datetime) -> Change[Case]:
    """A clerk or a clerk system decides.

    Raises:
        NotFound: the case is a draft.
        Conflict: not complete, closed, withdrawn, or decided already and `replaces` doesn't name that decision.
        Invalid: grounds or results are missing, or can't be printed; `errors` lists the findings.
    """
    require_submitted(case)
    _require_decidable(case, command)
    terms = case.require_submission().terms
    findings = notices.check_decision(terms, command.outcome, command.grounds, command.result or {})
    if findings:
        raise Invalid("the decision can't be made like this", errors=as_errors(findings))
    return _make_decision(case, command, now)


def _require_decidable(case: Case, command: DecideApplication) -> None:
    current_id = case.current_decision.decision_id if case.current_decision else None
    match case.status:
        case Status.AWAITING_PAYMENT:
            raise Conflict("the application isn't complete: a fee before processing is open", id=case.case_id)
        case Status.CLOSED if case.closed_reason == "withdrawn":
            raise Conflict("the application was withdrawn", id=case.case_id)
        case Status.CLOSED:
            raise Conflict("the case is closed: reopen it first", id=case.case_id)
        case _ if current_id is None and command.replaces is not None:
            raise Conflict("there is no decision to replace", id=case.case_id)
        case _ if current_id != command.replaces:
            raise Conflict("it is decided: name the standing decision as `replaces`", decision_id=current_id)


def _make_decision(case: Case, command: DecideApplication, now: datetime) -> Change[Case]:
    """Decides; a fee with the decision is assessed once: neither for a refusal nor for a decision that replaces one."""
    decision = _decision(case, command, now)
    lapsed = case.with_requests_lapsed()
    decided = replace(lapsed, status=Status.DECIDED, decisions=(*case.decisions, decision))
    entry = decided.with_timeline_entry(_TIMELINE_CODES[decision.outcome], now, decision.decided_on)
    change = Change(entry, (_decision_made(case, decision),))
    if command.outcome is Outcome.REFUSED or has_fee(case, FeeTiming.WITH_DECISION):
        return change
    return change.and_then(assess_fee, FeeTiming.WITH_DECISION, now)


def _decision(case: Case, command: DecideApplication, now: datetime) -> Decision:
    submission, day = case.require_submission(), legal_date(now)
    decision_id = id_of(case.case_id, "decision", str(len(case.decisions) + 1))
    ruling = notices.Ruling(
        decision_id=decision_id,
        outcome=command.outcome,
        decided_on=day,
        by_rule=command.origin is Origin.RULE,
        grounds=command.grounds.strip(),
        result=command.result,
    )
    content = notices.content(submission.terms, case.form_data, case.case_reference, ruling)
    addressee = Addressee(
        party_id=case.party_id,
        account_id=case.account_id,
        trust_level=submission.terms.trust_level,
        consents_to_mailbox=submission.consents_to_mailbox,
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


def _decision_made(case: Case, decision: Decision) -> DecisionMade:
    terms = case.require_submission().terms
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
