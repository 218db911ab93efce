"""Cases in every state, made by the domain itself: for tests of applications."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chassis.change import Change
from contracts import datarefs
from contracts.applications import Origin, Outcome
from contracts.envelope import Event
from contracts.notifications import (
    AnnouncementFailed,
    NoticeAnnounced,
    NoticeIssued,
    NoticeProvided,
    NoticeRetrieved,
)
from contracts.payments import PaymentReceived
from contracts.values import Money, TrustLevel
from kernel.canonical_json import canonical
from kernel.ids import id_of
from services.applications.domain import (
    attachments,
    closing,
    commands,
    decisions,
    drafts,
    external_events,
    information,
    offers,
    services,
    submission,
)
from services.applications.domain.offers import Offer
from services.applications.domain.state import Case, Decision
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ACCOUNT = id_of("test", "account")
CASE = id_of("test", "case")
HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"


def changed(given: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A service's data with some of it replaced, by path: `procedure__automation=None`."""
    made = deepcopy(given)
    for path, value in fields.items():
        *parents, name = path.split("__")
        place = made
        for parent in parents:
            place = place[parent]
        place[name] = value
    return made


def offer(given: dict[str, Any] | None = None) -> Offer:
    """A version that was published and fetched."""
    content = services.read(given or BIN_CHANGE)
    return Offer(
        offer_id=id_of("test", "offer"),
        service_id=content.terms.service_id,
        version=content.terms.version,
        known_at=NOW,
        valid_from=date(2026, 1, 1),
        valid_to=None,
        online=True,
        content_hash=HASH,
        dataref=datarefs.service_version("witten", "x", 1),
        content=content,
    )


def draft(of: Offer, data: dict[str, Any], case_id: str = CASE) -> Case:
    """A draft with form data."""
    create = commands.CreateDraft("witten", case_id, ACCOUNT, TrustLevel.HIGH, of)
    begun, _ = drafts.create(None, create, NOW)
    saved, _ = drafts.save_form_data(begun, commands.SaveFormData(ACCOUNT, canonical(data)), NOW)
    return saved


def submit_command(of: Offer, **fields: Any) -> commands.SubmitApplication:
    """A submission as it should be."""
    return replace(commands.SubmitApplication(ACCOUNT, TrustLevel.SUBSTANTIAL, of, True, True), **fields)


def submitted(given: dict[str, Any] | None = None, data: dict[str, Any] | None = None) -> Change[Case]:
    """What a submission leads to: with the certificate, it awaits its fee."""
    of = offer(given or CERTIFICATE)
    return submission.submit(draft(of, data or {"purpose": "Bank"}), submit_command(of), NOW)


def in_processing() -> Case:
    """A case for a clerk."""
    return submitted(changed(CERTIFICATE, fees=[]))[0]


def decided(outcome: Outcome = Outcome.GRANTED) -> Case:
    """A case that a clerk decided."""
    return decisions.decide(in_processing(), ruling(outcome), NOW)[0]


def ruling(outcome: Outcome = Outcome.GRANTED, **fields: Any) -> commands.DecideApplication:
    """A clerk's decision as it should be."""
    grounds = "" if outcome is Outcome.GRANTED else "Es fehlt der Nachweis."
    result = {} if outcome is Outcome.REFUSED else {"registered_since": "1. März 2019"}
    return replace(commands.DecideApplication(Origin.CLERK, outcome, "clerk-1", grounds, result), **fields)


def paid(case: Case, outstanding: int = 0, at: datetime = NOW) -> PaymentReceived:
    """Money for the case's first fee."""
    return PaymentReceived(
        demand_id=id_of("test", "demand"),
        case_id=case.case_id,
        assessment_id=case.assessments[0].assessment_id,
        booking_id=id_of("test", "booking", str(outstanding)),
        amount=Money(cents=1100 - outstanding),
        outstanding=Money(cents=outstanding),
        received_at=at,
        method="card",
    )


def told_of(case: Case, decision: Decision | None = None) -> dict[str, Any]:
    """All that notifications can tell of a decision's notice, by name."""
    of = decision or case.decisions[-1]
    notice_id = id_of(of.decision_id, "notice")
    common: dict[str, Any] = {"notice_id": notice_id, "case_id": case.case_id, "decision_id": of.decision_id}
    rule = {"rule": "vwvfg_41_2a", "rule_version": 1}
    day = date(2026, 3, 3)
    told: dict[str, Event] = {
        "issued": NoticeIssued(
            **common,
            document_kind="notice",
            addressee_id=case.party_id,
            document_hash=HASH,
            document_size=1,
            media_type="application/pdf",
            issued_on=day,
            dataref=datarefs.notice_document(case.tenant, notice_id),
        ),
        "provided": NoticeProvided(**common, account_id=case.account_id, trust_level=TrustLevel.BASIC, provided_at=NOW),
        "retrieved": NoticeRetrieved(**common, retrieved_at=NOW, retrieved_on=day),
        "announced": NoticeAnnounced(**common, **rule, announced_on=date(2026, 3, 4), evidence_hash=HASH),
        "failed": AnnouncementFailed(**common, **rule, provision_ended_on=date(2026, 3, 12)),
    }
    return told


def eventful_case() -> tuple[Case, tuple[Event, ...]]:
    """A case with every kind of event: fee, question, refusal, notice, reopened, granted; with all its events."""
    of = offer(
        changed(
            CERTIFICATE,
            fees=[CERTIFICATE["fees"][0], {**CERTIFICATE["fees"][0], "id": "later", "timing": "with_decision"}],
        )
    )
    begun = draft(of, {"purpose": "Bank", "copies": 5})
    document = attachments.require_document(
        begun, ACCOUNT, offers.require_content(of).terms, "power_of_attorney", "application/pdf"
    )
    change = attachments.attach(begun, commands.AttachFile(ACCOUNT, document, HASH, 12, "application/pdf"), NOW)
    change = change.and_then(submission.submit, submit_command(of), NOW)
    change = change.and_then(external_events.on_payment, paid(change.state, outstanding=100), NOW)
    change = change.and_then(external_events.on_payment, paid(change.state), NOW)
    for day in (10, 20):
        question = commands.RequestInformation("clerk-1", "Seit wann?", date(2026, 3, day))
        change = change.and_then(information.request_information, question, NOW)
    change = change.and_then(information.mark_overdue_requests, NOW + timedelta(days=9))
    answer = commands.SupplyInformation(ACCOUNT, change.state.requests[1].request_id, "Seit 2019.")
    change = change.and_then(information.supply_information, answer, NOW)
    change = change.and_then(decisions.decide, ruling(Outcome.REFUSED), NOW)
    for name in ("issued", "provided", "failed", "retrieved", "announced"):
        change = change.and_then(external_events.on_notice, told_of(change.state)[name], NOW)
    change = change.and_then(closing.reopen, commands.ReopenCase("clerk-1", "remedy"), NOW)
    again = ruling(Outcome.PARTLY_GRANTED, grounds="Zum Teil.", replaces=change.state.decisions[0].decision_id)
    change = change.and_then(decisions.decide, again, NOW)
    return change.state, change.events
