"""Drafts, up to the submission that turns one into a case. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.change import Change
from chassis.errors import Conflict, Forbidden, Invalid, NotFound, UnsupportedMediaType
from contracts.applications import ApplicationSubmitted, Channel, IdentityEvidence, Role
from contracts.values import TrustLevel
from kernel.canonical_json import content_hash
from kernel.ids import id_of
from kernel.json_pointer import pointer
from kernel.legal_days import legal_date
from kernel.texts import Bilingual
from services.applications.domain import cases, forms, notices
from services.applications.domain.findings import Finding, shown
from services.applications.domain.offers import Offer
from services.applications.domain.requirements import documents_needed
from services.applications.domain.services import Document, ServiceVersion, Terms
from services.applications.domain.state import Case, Status, Submission, Upload, reference, submitted_content

METHOD = "account_sign_in"
"""How a party showed who they are: by the account's sign-in, at the token's trust level."""

_SIGNATURES = {"application/pdf": (b"%PDF-",), "image/jpeg": (b"\xff\xd8\xff",), "image/png": (b"\x89PNG\r\n\x1a\n",)}


@dataclass(frozen=True, slots=True)
class Create:
    """Begin a draft."""

    tenant: str
    case_id: str
    account_id: str
    trust_level: TrustLevel
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class Save:
    """Replace the form data."""

    account_id: str
    data: str
    """Canonical JSON of an object."""


@dataclass(frozen=True, slots=True)
class Attach:
    """Name a file that is durable already."""

    account_id: str
    document: Document
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Detach:
    """Take a file out again."""

    account_id: str
    document_id: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand in."""

    account_id: str
    trust_level: TrustLevel
    """Of the token with which it is submitted."""
    offer: Offer | None
    """The version in force on the legal day."""
    confirmed: bool
    """Reviewed before submission (VwVfG § 3a (5), OZG § 9a)."""
    consents_to_mailbox: bool
    """Consent to announcement by retrieval (VwVfG § 41 (2a))."""
    reviewed_version: int | None = None
    """The version that was reviewed, where it isn't the draft's."""


def create(known: Case | None, command: Create, now: datetime) -> Change[Case]:
    """A draft begins.

    Raises:
        Forbidden: the token's trust level is below the service's.
    """
    if known is not None:
        raise Conflict("it exists already", id=command.case_id)
    terms = content_of(command.offer).terms
    _check_trust(terms, command.trust_level)
    draft = Case(
        tenant=command.tenant,
        case_id=command.case_id,
        application_id=id_of(command.case_id, "application"),
        account_id=command.account_id,
        service_id=terms.service_id,
        service_version=terms.version,
        names=terms.names,
        channel=Channel.ONLINE,
        status=Status.DRAFT,
        created_at=now,
        changed_at=now,
    )
    return Change(draft.noted("draft_created", now))


def save(draft: Case, command: Save, now: datetime) -> Change[Case]:
    """The form data is replaced."""
    check_draft(draft, command.account_id)
    return Change(replace(draft, data=command.data, changed_at=now))


def attach(draft: Case, command: Attach, now: datetime) -> Change[Case]:
    """A file is named, in place of what was there for that document."""
    check_draft(draft, command.account_id)
    upload = Upload(
        attachment_id=id_of(draft.case_id, "attachment", command.document.id, command.sha256),
        document=command.document.id,
        sha256=command.sha256,
        size=command.size,
        media_type=command.media_type,
        uploaded_at=now,
    )
    others = tuple(each for each in draft.uploads if each.document != command.document.id)
    return Change(replace(draft, uploads=(*others, upload), changed_at=now))


def detach(draft: Case, command: Detach, now: datetime) -> Change[Case]:
    """A file is no longer named; the sweep removes it.

    Raises:
        NotFound: nothing was handed in for that document.
    """
    check_draft(draft, command.account_id)
    others = tuple(each for each in draft.uploads if each.document != command.document_id)
    if len(others) == len(draft.uploads):
        raise NotFound("nothing was uploaded for this document", document=command.document_id)
    return Change(replace(draft, uploads=others, changed_at=now))


def discard(draft: Case, account_id: str) -> Change[None]:
    """A draft is deleted.

    Raises:
        Conflict: it was submitted: it can be withdrawn, not deleted.
    """
    check_draft(draft, account_id)
    return Change(None)


def upload_target(draft: Case, account_id: str, terms: Terms, document_id: str, media_type: str) -> Document:
    """The document that a file is for, checked before the file is read.

    Raises:
        NotFound: the service asks for no such document.
        UnsupportedMediaType: not of a type that the document may have.
    """
    check_draft(draft, account_id)
    document = terms.document(document_id)
    if document is None:
        raise NotFound("the service asks for no such document", document=document_id)
    if media_type not in document.media_types or media_type not in _SIGNATURES:
        raise UnsupportedMediaType(f"send one of: {', '.join(document.media_types)}")
    return document


def check_signature(head: bytes, media_type: str) -> None:
    """A file has to begin as its type does.

    Raises:
        UnsupportedMediaType: it doesn't.
    """
    if not head.startswith(_SIGNATURES[media_type]):
        raise UnsupportedMediaType("the file is not of the type that it was sent as")


def check(draft: Case, content: ServiceVersion) -> tuple[Finding, ...]:
    """What keeps the draft from being submitted under that version."""
    data = draft.fields
    return (
        *forms.check(content.form, data),
        *_missing(draft, documents_needed(content.terms, data)),
        *_not_asked_for(draft, content.terms),
        *notices.unprintable_fields(content.terms, data),
    )


def submit(draft: Case, command: Submit, now: datetime) -> Change[Case]:
    """The draft becomes a case, as far as it goes by itself: to the fee, to a clerk, or to the decision by rule.

    Raises:
        Conflict: submitted already; or another version of the service came into force since the review.
        Forbidden: the token's trust level is below the service's.
        Invalid: not reviewed, or something is missing or wrong; `errors` lists the findings.
    """
    _check_submittable(draft, command)
    day, terms = legal_date(now), content_of(command.offer).terms
    pinned = replace(
        draft,
        service_version=terms.version,
        names=terms.names,
        status=Status.IN_PROCESSING,
        reference=reference(draft.tenant, day, draft.case_id),
        submitted_at=now,
    )
    evidence = IdentityEvidence(
        party_id=draft.party_id, trust_level=command.trust_level, method=METHOD, recorded_at=now
    )
    content = submitted_content(pinned, consents_to_mailbox=command.consents_to_mailbox)
    submission = Submission(content_hash(content), now, day, command.consents_to_mailbox, evidence, terms)
    case = replace(pinned, submission=submission).noted("application_received", now, day)
    return Change(case, (_submitted(case, submission),)).and_then(cases.after_receipt, now)


def _submitted(case: Case, submission: Submission) -> ApplicationSubmitted:
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
        attachments=tuple(each.told() for each in case.uploads),
        received_on=submission.received_on,
        dataref=case.submission_path,
    )


def check_draft(draft: Case, account_id: str) -> None:
    """Only a draft changes, and only by its owner.

    Raises:
        NotFound: it isn't theirs.
        Conflict: it was submitted.
    """
    cases.check_owner(draft, account_id)
    if draft.status is not Status.DRAFT:
        raise Conflict("it was submitted and can't be changed any more", id=draft.case_id)


def _check_submittable(draft: Case, command: Submit) -> None:
    check_draft(draft, command.account_id)
    if not command.confirmed:
        raise Invalid("review the application, then confirm it", errors=shown([_UNCONFIRMED]))
    content = content_of(command.offer)
    in_force, reviewed = content.terms.version, command.reviewed_version or draft.service_version
    if reviewed != in_force:
        raise Conflict(
            "another version of the service is in force since: review again, then name it as reviewed_version",
            service_version=in_force,
        )
    _check_trust(content.terms, command.trust_level)
    found = check(draft, content)
    if found:
        raise Invalid("the application can't be submitted yet", errors=shown(found))


def _check_trust(terms: Terms, given: TrustLevel) -> None:
    if not given.reaches(terms.trust_level):
        raise Forbidden("sign in at the trust level that the service needs", trust_level=terms.trust_level.value)


def content_of(offer: Offer | None) -> ServiceVersion:
    """What a version says that was chosen by `offers.choose`."""
    if offer is None or offer.content is None:
        raise ValueError("an application needs a version that was fetched")
    return offer.content


def _missing(draft: Case, needed: Sequence[Document]) -> list[Finding]:
    given = {each.document for each in draft.uploads}
    return [_document_missing(each) for each in needed if each.id not in given]


def _document_missing(document: Document) -> Finding:
    labels = document.labels
    return Finding(
        pointer("attachments", document.id),
        "document_missing",
        Bilingual(de=f"Diese Unterlage fehlt: {labels.de}", en=f"This document is missing: {labels.in_language('en')}"),
    )


def _not_asked_for(draft: Case, terms: Terms) -> list[Finding]:
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
