"""The submission: what it needs, what is recorded of it, and the event. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chassis.change import Change
from chassis.errors import Conflict, Invalid
from contracts.applications import ApplicationSubmitted, IdentityEvidence, Role
from kernel.canonical_json import content_hash
from kernel.json_pointer import pointer
from kernel.legal_days import legal_date
from kernel.texts import Bilingual
from services.applications.domain import forms, notices
from services.applications.domain.access import require_draft
from services.applications.domain.attachments import required_documents
from services.applications.domain.commands import SubmitApplication
from services.applications.domain.completion import begin_processing
from services.applications.domain.findings import Finding, as_errors
from services.applications.domain.offers import require_content, require_trust_level
from services.applications.domain.services import Document, ServiceVersion, Terms
from services.applications.domain.state import Case, Status, Submission, reference
from services.applications.domain.timeline import TimelineCode

IDENTIFICATION_METHOD = "account_sign_in"
"""How a party proved who they are: by the account's sign-in, at the token's trust level."""


def submit(draft: Case, command: SubmitApplication, now: datetime) -> Change[Case]:
    """Turns the draft into a case, then goes on as far as no person is needed: to the fee, to a clerk, or to the
    decision by rule.

    Raises:
        NotFound: the draft belongs to another account.
        Conflict: it was submitted already; or another version of the service came into force since the review.
        Forbidden: the token's trust level is below the service's.
        Invalid: not reviewed, or something is missing or wrong; `errors` lists the findings.
    """
    _require_submittable(draft, command)
    day, terms = legal_date(now), require_content(command.offer).terms
    pinned = replace(
        draft,
        service_version=terms.version,
        names=terms.names,
        status=Status.IN_PROCESSING,
        reference=reference(draft.tenant, day, draft.case_id),
        submitted_at=now,
    )
    evidence = IdentityEvidence(
        party_id=draft.party_id, trust_level=command.trust_level, method=IDENTIFICATION_METHOD, recorded_at=now
    )
    content = submitted_content(pinned, consents_to_mailbox=command.consents_to_mailbox)
    submission = Submission(content_hash(content), now, day, command.consents_to_mailbox, evidence, terms)
    case = replace(pinned, submission=submission).with_timeline_entry(TimelineCode.APPLICATION_RECEIVED, now, day)
    return Change(case, (_application_submitted(case, submission),)).and_then(begin_processing, now)


def submitted_content(case: Case, *, consents_to_mailbox: bool) -> dict[str, Any]:
    """What is submitted, as JSON: its canonical form (RFC 8785) is what `content_hash` is of."""
    return {
        "case_id": case.case_id,
        "application_id": case.application_id,
        "service_id": case.service_id,
        "service_version": case.service_version,
        "channel": case.channel.value,
        "data": case.form_data,
        "attachments": [
            {
                "attachment_id": each.attachment_id,
                "document": each.document,
                "sha256": each.sha256,
                "size": each.size,
                "media_type": each.media_type,
            }
            for each in case.uploads
        ],
        "consents_to_mailbox": consents_to_mailbox,
    }


def _application_submitted(case: Case, submission: Submission) -> ApplicationSubmitted:
    return ApplicationSubmitted(
        case_id=case.case_id,
        case_reference=case.case_reference,
        application_id=case.application_id,
        service_id=case.service_id,
        service_version=case.service_version,
        channel=case.channel,
        parties=(case.party(Role.APPLICANT),),
        identity_evidence=(submission.evidence,),
        content_hash=submission.content_hash,
        attachments=tuple(each.as_attachment() for each in case.uploads),
        received_on=submission.received_on,
        dataref=case.submission_dataref,
    )


# What a submission needs


def _require_submittable(draft: Case, command: SubmitApplication) -> None:
    require_draft(draft, command.account_id)
    if not command.confirmed:
        raise Invalid("review the application, then confirm it", errors=as_errors([_UNCONFIRMED]))
    content = require_content(command.offer)
    in_force, reviewed = content.terms.version, command.reviewed_version or draft.service_version
    if reviewed != in_force:
        raise Conflict(
            "another version of the service is in force since: review again, then name it as reviewed_version",
            service_version=in_force,
        )
    require_trust_level(content.terms, command.trust_level)
    findings = check(draft, content)
    if findings:
        raise Invalid("the application can't be submitted yet", errors=as_errors(findings))


def check(draft: Case, content: ServiceVersion) -> tuple[Finding, ...]:
    """What keeps the draft from being submitted under that version; empty where nothing does."""
    data = draft.form_data
    return (
        *forms.check(content.form, data),
        *_missing_documents(draft, required_documents(content.terms, data)),
        *_unexpected_documents(draft, content.terms),
        *notices.unprintable_fields(content.terms, data),
    )


def _missing_documents(draft: Case, required: Sequence[Document]) -> list[Finding]:
    attached = {each.document for each in draft.uploads}
    return [_document_missing(each) for each in required if each.id not in attached]


def _document_missing(document: Document) -> Finding:
    labels = document.labels
    return Finding(
        pointer("attachments", document.id),
        "document_missing",
        Bilingual(de=f"Diese Unterlage fehlt: {labels.de}", en=f"This document is missing: {labels.in_language('en')}"),
    )


def _unexpected_documents(draft: Case, terms: Terms) -> list[Finding]:
    """Files for documents that the version in force doesn't ask for (any more)."""
    return [
        Finding(
            pointer("attachments", each.document),
            "document_unexpected",
            Bilingual(
                de="Diese Unterlage wird nicht benötigt. Bitte entfernen Sie sie.", en="Not needed. Please remove it."
            ),
        )
        for each in draft.uploads
        if terms.document(each.document) is None
    ]


_UNCONFIRMED = Finding(
    "/confirmed",
    "not_confirmed",
    Bilingual(
        de="Bitte prüfen Sie Ihre Angaben und bestätigen Sie sie.",
        en="Please review what you entered and confirm it.",
    ),
)
