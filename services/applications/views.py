"""The answers of the HTTP interface: models with examples, and the mapping of a case to them."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chassis.aggregates import Answer, Snapshot
from chassis.errors import Invalid
from contracts import datarefs
from contracts.applications import Channel, DocumentKind, FeeTiming, Origin, Outcome
from contracts.values import Money, Timestamp, TrustLevel
from kernel.legal_days import legal_date
from kernel.texts import Bilingual, Language
from service_format.pricing import fee_code
from services.applications import texts
from services.applications.domain.fees import fee_owed
from services.applications.domain.findings import Finding, as_errors
from services.applications.domain.information import answer_content
from services.applications.domain.services import ServiceVersion, Terms
from services.applications.domain.state import (
    Assessment,
    Case,
    Decision,
    InformationRequest,
    Notice,
    NoticeStatus,
    RequestStatus,
    Status,
    Upload,
)
from services.applications.domain.submission import check, submitted_content

_ID = "0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"
_HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class AttachmentView(View):
    """A file handed in."""

    attachment_id: str = Field(examples=[_ID])
    document: str = Field(description="which of the service's documents it is", examples=["tenancy_agreement"])
    sha256: str = Field(examples=[_HASH])
    size: int = Field(description="bytes", examples=[182_044])
    media_type: str = Field(examples=["application/pdf"])


class FeeView(View):
    """A fee that was set, and where it can be paid."""

    assessment_id: str = Field(examples=[_ID])
    timing: FeeTiming = Field(examples=["before_processing"])
    amount: Money = Field(examples=[{"cents": 1100, "currency": "EUR"}])
    due_on: date = Field(examples=["2026-03-16"])
    settled: bool = Field(examples=[False])
    cancelled: bool = Field(examples=[False])
    payment_reference: str | None = Field(description="Kassenzeichen", examples=["WIT-000042-7"])
    demand: str | None = Field(
        description="path of the demand in payments", examples=[datarefs.payment_request("witten", _ID)]
    )


class DecisionView(View):
    """A decision; its content is at `dataref`."""

    decision_id: str = Field(examples=[_ID])
    replaces: str | None = Field(examples=[None])
    origin: Origin = Field(examples=["clerk"])
    outcome: Outcome = Field(examples=["granted"])
    decided_on: date = Field(examples=["2026-03-09"])
    dataref: str = Field(examples=[datarefs.decision("witten", _ID, _ID)])


class NoticeView(View):
    """How far a notice got."""

    notice_id: str = Field(examples=[_ID])
    decision_id: str = Field(examples=[_ID])
    status: NoticeStatus = Field(examples=["provided"])
    announced_on: date | None = Field(examples=[None])


class RequestView(View):
    """A question of the authority."""

    request_id: str = Field(examples=[_ID])
    question: str = Field(examples=["Bitte nennen Sie das Datum Ihres Einzugs."])
    asked_on: date = Field(examples=["2026-03-09"])
    due_on: date = Field(examples=["2026-03-20"])
    status: RequestStatus = Field(examples=["open"])
    answered_on: date | None = Field(examples=[None])


class Summary(View):
    """A draft or case in a list."""

    application_id: str = Field(examples=[_ID])
    case_id: str = Field(description="names it in every path", examples=[_ID])
    case_reference: str | None = Field(description="from submission on", examples=["WIT-2026-7K3M9QX2RT"])
    service_id: str = Field(examples=["registration-certificate"])
    service_version: int = Field(examples=[1])
    service_name: Bilingual
    status: Status = Field(examples=["in_processing"])
    status_text: Bilingual
    created_at: Timestamp
    changed_at: Timestamp
    submitted_at: Timestamp | None
    received_on: date | None = Field(description="legal date of receipt", examples=["2026-03-02"])
    closed_on: date | None = Field(examples=[None])
    closed_reason: str | None = Field(description="`decided`, `withdrawn`", examples=[None])


class CaseView(Summary):
    """A draft or case in full."""

    channel: Channel
    data: dict[str, Any] = Field(description="the form data", examples=[{"bin_size": "120"}])
    attachments: tuple[AttachmentView, ...]
    consents_to_mailbox: bool | None = Field(examples=[True])
    complete_as_of: date | None = Field(examples=["2026-03-02"])
    identity_trust_level: TrustLevel | None = Field(description="at which it was submitted", examples=["substantial"])
    fees: tuple[FeeView, ...]
    decisions: tuple[DecisionView, ...]
    notices: tuple[NoticeView, ...]
    requests: tuple[RequestView, ...]
    submission: str | None = Field(
        description="path of what was submitted", examples=[datarefs.submission("witten", _ID, _ID)]
    )


class Page(View):
    """A page of a list."""

    items: tuple[Summary, ...]
    next: str | None = Field(description="`cursor` of the next page; null: there is none", examples=[None])


class CaseChange(View):
    """The case's status after a change."""

    application_id: str = Field(examples=[_ID])
    case_id: str = Field(examples=[_ID])
    case_reference: str | None = Field(examples=["WIT-2026-7K3M9QX2RT"])
    status: Status = Field(examples=["in_processing"])


class Submitted(CaseChange):
    """The receipt: the copy of what was submitted is at `dataref`."""

    service_version: int = Field(examples=[1])
    received_on: date = Field(examples=["2026-03-02"])
    content_hash: str = Field(description="SHA-256 of the content as canonical JSON (RFC 8785)", examples=[_HASH])
    dataref: str = Field(examples=[datarefs.submission("witten", _ID, _ID)])


class Decided(CaseChange):
    """The decision that was made."""

    decision_id: str = Field(examples=[_ID])
    content_hash: str = Field(examples=[_HASH])
    dataref: str = Field(examples=[datarefs.decision("witten", _ID, _ID)])


class Asked(CaseChange):
    """The request that was made."""

    request_id: str = Field(examples=[_ID])
    dataref: str = Field(examples=[datarefs.information_request("witten", _ID, _ID)])


class FindingView(View):
    """One thing that keeps an application from being submitted."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the application", examples=["/data/bin_size"])
    code: str = Field(examples=["required"])
    message: Bilingual


class Findings(View):
    """What keeps it from being submitted; empty: nothing does."""

    findings: tuple[FindingView, ...]


class ReviewFee(View):
    """What would be charged."""

    timing: FeeTiming
    amount: Money
    labels: tuple[Bilingual, ...]
    days_to_pay: int = Field(examples=[14])


class Review(View):
    """The page to review before submission (VwVfG § 3a (5), OZG § 9a)."""

    application: CaseView
    service_version: int = Field(description="the version in force: name it as `reviewed_version`", examples=[1])
    authority: dict[str, str]
    data: dict[str, Any]
    form_ui: dict[str, Any] = Field(description="labels and groups of the form, with its code lists")
    attachments: tuple[AttachmentView, ...]
    fees: tuple[ReviewFee, ...]
    consent: Bilingual = Field(description="what `consents_to_mailbox` means")
    findings: tuple[FindingView, ...]
    can_submit: bool


class Line(View):
    """What happened."""

    at: Timestamp
    code: str = Field(examples=["application_received"])
    text: str = Field(examples=["Ihr Antrag ist am 2. März 2026 bei uns eingegangen."])


class Timeline(View):
    """What happened, in order, in plain sentences."""

    lang: str = Field(examples=["de"])
    items: tuple[Line, ...]


class SubmissionView(View):
    """What was submitted, as it was. It never changes."""

    case_reference: str = Field(examples=["WIT-2026-7K3M9QX2RT"])
    received_on: date = Field(examples=["2026-03-02"])
    submitted_at: Timestamp
    service_name: Bilingual
    content: dict[str, Any] = Field(description="`content_hash` is the SHA-256 of its canonical JSON (RFC 8785)")
    content_hash: str = Field(examples=[_HASH])
    identity_trust_level: TrustLevel
    sample: bool = Field(description="true: the service is sample data")


class AnswerView(View):
    """An answer to a request for information. It never changes."""

    case_id: str = Field(examples=[_ID])
    request_id: str = Field(examples=[_ID])
    answer: str = Field(examples=["Ich bin am 1. März eingezogen."])
    answered_on: date = Field(examples=["2026-03-10"])


class Paragraphs(View):
    """Texts in order."""

    de: tuple[str, ...] = Field(examples=[["Ihre Restmülltonne hat künftig 120 Liter."]])
    en: tuple[str, ...] = Field(examples=[["Your bin will have 120 litres."]])


class FactView(View):
    """A line of the notice's table; the value is one text where both languages are the same."""

    label: Bilingual
    value: str | Bilingual = Field(examples=["120 Liter"])


class Sender(View):
    """Who decided."""

    name: str = Field(examples=["Gemeinde Steinhagen"])
    street: str = Field(examples=["Musterstraße 1"])
    postal_code: str = Field(examples=["33803"])
    city: str = Field(examples=["Steinhagen"])


class DecisionContent(View):
    """Ready content for a notice. It never changes; `content_hash` is the SHA-256 of its canonical JSON (RFC 8785)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case_reference: str = Field(examples=["STE-2026-7K3M9QX2RT"])
    decision_id: str = Field(examples=[_ID])
    document_kind: DocumentKind = Field(examples=["notice"])
    outcome: Outcome = Field(examples=["granted"])
    title: Bilingual
    paragraphs: Paragraphs
    facts: tuple[FactView, ...]
    legal_basis: tuple[str, ...] = Field(examples=[["§ 18 BMG"]])
    remedy: Bilingual | None
    authority: Sender
    service_name: Bilingual
    decided_on: date = Field(examples=["2026-03-09"])
    decided_by_rule: bool = Field(description="VwVfG § 35a", examples=[False])
    sample: bool = Field(description="true: the service is sample data", examples=[True])


CONSENT = Bilingual(
    de="Ich bin einverstanden, dass mir der Bescheid in meinem Postfach zum Abruf bereitgestellt wird. Er gilt am Tag "
    "nach dem Abruf als bekannt gegeben (§ 41 Abs. 2a VwVfG).",
    en="I agree that the notice is provided in my mailbox for me to fetch. It counts as announced on the day after I "
    "fetch it (VwVfG § 41 (2a)).",
)


def created(snapshot: Snapshot[Case]) -> Answer:
    """A new draft."""
    case = snapshot.state
    body = case_view(case).model_dump(mode="json")
    return Answer(201, body, snapshot.etag, f"/applications/v1/{case.tenant}/applications/{case.case_id}")


def changed(snapshot: Snapshot[Case]) -> Answer:
    """A changed draft or case: without its content, since answers are stored for repeated requests."""
    return Answer(200, _case_change(snapshot.state), snapshot.etag)


def submission_receipt(snapshot: Snapshot[Case]) -> Answer:
    """The receipt of a submission."""
    case = snapshot.state
    body = Submitted(
        **_case_change(case),
        service_version=case.service_version,
        received_on=case.require_submission().received_on,
        content_hash=case.require_submission().content_hash,
        dataref=case.submission_dataref,
    )
    return Answer(200, body.model_dump(mode="json"), snapshot.etag)


def decision_receipt(snapshot: Snapshot[Case]) -> Answer:
    """The decision that was just made."""
    case, decision = snapshot.state, snapshot.state.decisions[-1]
    body = Decided(
        **_case_change(case),
        decision_id=decision.decision_id,
        content_hash=decision.content_hash,
        dataref=_decision_path(case, decision),
    )
    return Answer(201, body.model_dump(mode="json"), snapshot.etag, body.dataref)


def request_receipt(snapshot: Snapshot[Case]) -> Answer:
    """The request that was just made."""
    case = snapshot.state
    request_id = case.requests[-1].request_id
    dataref = datarefs.information_request(case.tenant, case.case_id, request_id)
    body = Asked(**_case_change(case), request_id=request_id, dataref=dataref)
    return Answer(201, body.model_dump(mode="json"), snapshot.etag, body.dataref)


def _case_change(case: Case) -> dict[str, Any]:
    return CaseChange(
        application_id=case.application_id,
        case_id=case.case_id,
        case_reference=case.reference,
        status=case.status,
    ).model_dump(mode="json")


def summary(case: Case) -> Summary:
    """A draft or case in a list."""
    return Summary(**_summary(case))


def _summary(case: Case) -> dict[str, Any]:
    return {
        "application_id": case.application_id,
        "case_id": case.case_id,
        "case_reference": case.reference,
        "service_id": case.service_id,
        "service_version": case.service_version,
        "service_name": case.names.complete(),
        "status": case.status,
        "status_text": texts.STATUS[case.status],
        "created_at": case.created_at,
        "changed_at": case.changed_at,
        "submitted_at": case.submitted_at,
        "received_on": case.submission.received_on if case.submission else None,
        "closed_on": case.closed_on,
        "closed_reason": case.closed_reason,
    }


def case_view(case: Case) -> CaseView:
    """A draft or case in full."""
    submission = case.submission
    return CaseView(
        **_summary(case),
        channel=case.channel,
        data=case.form_data,
        attachments=tuple(map(attachment, case.uploads)),
        consents_to_mailbox=submission.consents_to_mailbox if submission else None,
        complete_as_of=case.complete_as_of,
        identity_trust_level=submission.evidence.trust_level if submission else None,
        fees=tuple(map(_fee, case.assessments)),
        decisions=tuple(_decision(case, each) for each in case.decisions),
        notices=tuple(map(_notice, case.notices)),
        requests=tuple(map(request, case.requests)),
        submission=case.submission_dataref if submission else None,
    )


def attachment(upload: Upload) -> AttachmentView:
    """A file handed in."""
    return AttachmentView(
        attachment_id=upload.attachment_id,
        document=upload.document,
        sha256=upload.sha256,
        size=upload.size,
        media_type=upload.media_type,
    )


def request(information_request: InformationRequest) -> RequestView:
    """A question of the authority, without its answer."""
    return RequestView(
        request_id=information_request.request_id,
        question=information_request.question,
        asked_on=information_request.asked_on,
        due_on=information_request.due_on,
        status=information_request.status,
        answered_on=information_request.answered_on,
    )


def _fee(assessment: Assessment) -> FeeView:
    return FeeView(
        assessment_id=assessment.assessment_id,
        timing=assessment.timing,
        amount=assessment.amount,
        due_on=assessment.due_on,
        settled=assessment.settled,
        cancelled=assessment.cancelled,
        payment_reference=assessment.payment_reference,
        demand=assessment.dataref,
    )


def _decision(case: Case, decision: Decision) -> DecisionView:
    return DecisionView(
        decision_id=decision.decision_id,
        replaces=decision.replaces,
        origin=decision.origin,
        outcome=decision.outcome,
        decided_on=decision.decided_on,
        dataref=_decision_path(case, decision),
    )


def _decision_path(case: Case, decision: Decision) -> str:
    return datarefs.decision(case.tenant, case.case_id, decision.decision_id)


def _notice(notice: Notice) -> NoticeView:
    return NoticeView(
        notice_id=notice.notice_id,
        decision_id=notice.decision_id,
        status=notice.status,
        announced_on=notice.announced_on,
    )


def findings(found: tuple[Finding, ...]) -> Findings:
    """What keeps an application from being submitted."""
    return Findings.model_validate({"findings": as_errors(found)})


def review(case: Case, content: ServiceVersion, now: datetime) -> Review:
    """The page to review."""
    found = findings(check(case, content)).findings
    return Review(
        application=case_view(case),
        service_version=content.terms.version,
        authority=content.terms.authority.model_dump(),
        data=case.form_data,
        form_ui=json.loads(content.ui),
        attachments=tuple(map(attachment, case.uploads)),
        fees=_fees(content.terms, case, legal_date(now)),
        consent=CONSENT,
        findings=found,
        can_submit=not found,
    )


def _fees(terms: Terms, case: Case, day: date) -> tuple[ReviewFee, ...]:
    labels = {fee_code(each): each.labels.complete() for each in terms.fees}
    found = []
    for timing in (FeeTiming.BEFORE_PROCESSING, FeeTiming.WITH_DECISION):
        try:
            fee = fee_owed(terms, timing, case.form_data, day)
        except Invalid:
            continue  # submitting answers that the amount can't be charged
        if fee is not None:
            names = tuple(labels[item.fee] for item in fee.items)
            found.append(ReviewFee(timing=timing, amount=fee.amount, labels=names, days_to_pay=fee.days_to_pay))
    return tuple(found)


def timeline(case: Case, language: Language) -> Timeline:
    """What happened, in plain sentences."""
    lines = tuple(Line(at=each.at, code=each.code, text=texts.sentence(each, language)) for each in case.entries)
    return Timeline(lang=language, items=lines)


def submission(case: Case) -> SubmissionView:
    """What was submitted."""
    submitted = case.require_submission()
    return SubmissionView(
        case_reference=case.case_reference,
        received_on=submitted.received_on,
        submitted_at=submitted.submitted_at,
        service_name=case.names.complete(),
        content=submitted_content(case, consents_to_mailbox=submitted.consents_to_mailbox),
        content_hash=submitted.content_hash,
        identity_trust_level=submitted.evidence.trust_level,
        sample=submitted.terms.sample,
    )


def answer(case: Case, answered: InformationRequest) -> AnswerView:
    """An answer to a request."""
    return AnswerView.model_validate(answer_content(case, answered))
