"""The commands of applications: what persons, clerks and clerk systems ask for. Each names the rule that follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from contracts.applications import Origin, Outcome
from contracts.values import TrustLevel
from services.applications.domain.offers import Offer
from services.applications.domain.services import Document

# Drafts


@dataclass(frozen=True, slots=True)
class CreateDraft:
    """Begin a draft: `drafts.create`."""

    tenant: str
    case_id: str
    account_id: str
    trust_level: TrustLevel
    """Of the token with which it is begun."""
    offer: Offer | None
    """The version in force on the legal day; None where a repeated request needs none."""


@dataclass(frozen=True, slots=True)
class SaveFormData:
    """Replace the form data: `drafts.save_form_data`."""

    account_id: str
    data: str
    """Canonical JSON of an object."""


@dataclass(frozen=True, slots=True)
class DiscardDraft:
    """Delete a draft: `drafts.discard`."""

    account_id: str


@dataclass(frozen=True, slots=True)
class AttachFile:
    """Add a file that is stored already: `attachments.attach`."""

    account_id: str
    document: Document
    sha256: str
    size: int
    """Bytes."""
    media_type: str


@dataclass(frozen=True, slots=True)
class DetachFile:
    """Remove a file: `attachments.detach`."""

    account_id: str
    document_id: str


# Submission and withdrawal


@dataclass(frozen=True, slots=True)
class SubmitApplication:
    """Submit the application: `submission.submit`."""

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


@dataclass(frozen=True, slots=True)
class WithdrawApplication:
    """Withdraw the application before a decision: `closing.withdraw`."""

    account_id: str


# The authority


@dataclass(frozen=True, slots=True)
class DecideApplication:
    """Decide the application: `decisions.decide`."""

    origin: Origin
    outcome: Outcome
    decided_by: str | None = None
    grounds: str = ""
    result: Mapping[str, str] | None = None
    """The values of the notice's placeholders `result.<key>`."""
    replaces: str | None = None
    """The current decision, where there is one."""


@dataclass(frozen=True, slots=True)
class RequestInformation:
    """Ask the applicant a question: `information.request_information`."""

    asked_by: str
    question: str
    due_on: date


@dataclass(frozen=True, slots=True)
class SupplyInformation:
    """Answer a request for information: `information.supply_information`."""

    account_id: str
    request_id: str
    answer: str


@dataclass(frozen=True, slots=True)
class ReopenCase:
    """Reopen a closed case (VwVfG § 51 and others): `closing.reopen`."""

    reopened_by: str
    reason: str
