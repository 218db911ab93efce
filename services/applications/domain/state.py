"""The case: a draft and the case that it opens are one document (docs/decisions/0008)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

from contracts import datarefs
from contracts.applications import (
    Addressee,
    Attachment,
    Channel,
    FeeTiming,
    IdentityEvidence,
    Origin,
    Outcome,
    Party,
    Role,
)
from contracts.values import LegalDate, Money, Timestamp
from kernel.ids import id_of
from kernel.legal_days import start_of
from kernel.texts import Bilingual
from services.applications.domain.services import Terms
from services.applications.domain.timeline import TimelineCode, TimelineEntry

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class CaseWork(StrEnum):
    """Due work of a case. The values are stored."""

    INFORMATION_OVERDUE = "information"
    """The day on which information was due has passed."""


class Status(str, Enum):
    """Where a case stands."""

    DRAFT = "draft"
    AWAITING_PAYMENT = "awaiting_payment"
    """Submitted; a fee before processing is open."""
    IN_PROCESSING = "in_processing"
    """Complete, or reopened: to be decided."""
    DECIDED = "decided"
    """Decided; the decision's notices aren't all announced."""
    CLOSED = "closed"
    """Decided and announced, or withdrawn."""


class RequestStatus(str, Enum):
    """Where a request for information stands."""

    OPEN = "open"
    ANSWERED = "answered"
    OVERDUE = "overdue"
    """Not answered by its day; it still can be."""
    LAPSED = "lapsed"
    """No longer needed: decided or withdrawn."""


class NoticeStatus(str, Enum):
    """How far a notice got."""

    ISSUED = "issued"
    PROVIDED = "provided"
    RETRIEVED = "retrieved"
    ANNOUNCED = "announced"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Upload:
    """An attached file; its content is in the file store."""

    attachment_id: str
    document: str
    """Which of the service's documents it is."""
    sha256: str
    size: int
    """Bytes."""
    media_type: str
    uploaded_at: Timestamp

    def as_attachment(self) -> Attachment:
        """As events name it."""
        return Attachment(
            attachment_id=self.attachment_id, sha256=self.sha256, size=self.size, media_type=self.media_type
        )


@dataclass(frozen=True, slots=True)
class Submission:
    """What was submitted, and under which terms. Never changes."""

    content_hash: str
    submitted_at: Timestamp
    received_on: LegalDate
    consents_to_mailbox: bool
    evidence: IdentityEvidence
    terms: Terms


@dataclass(frozen=True, slots=True)
class Assessment:
    """A fee that was assessed, and the state of its payment."""

    assessment_id: str
    timing: FeeTiming
    amount: Money
    due_on: LegalDate
    settled: bool = False
    cancelled: bool = False
    demand_id: str | None = None
    payment_reference: str | None = None
    dataref: str | None = None
    """Path of the demand."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision. Its content never changes."""

    decision_id: str
    replaces: str | None
    origin: Origin
    outcome: Outcome
    decided_on: LegalDate
    decided_by: str | None
    addressees: tuple[Addressee, ...]
    content: str
    """What the notice says, as canonical JSON."""
    content_hash: str


@dataclass(frozen=True, slots=True)
class InformationRequest:
    """A question of the authority and its answer."""

    request_id: str
    question: str
    asked_by: str
    asked_on: LegalDate
    due_on: LegalDate
    status: RequestStatus = RequestStatus.OPEN
    answer: str | None = None
    answered_on: LegalDate | None = None

    @property
    def answerable(self) -> bool:
        """Whether it still can be answered."""
        return self.status in {RequestStatus.OPEN, RequestStatus.OVERDUE}


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice of a decision for one addressee, by the events of notifications."""

    notice_id: str
    decision_id: str
    addressee_id: str
    status: NoticeStatus
    announced_on: LegalDate | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A draft, and from its submission on a case."""

    tenant: str
    case_id: str
    application_id: str
    account_id: str
    """The applicant's account."""
    service_id: str
    service_version: int
    """Of a draft: the version that it was begun with; from submission on: the one that it is pinned to."""
    names: Bilingual
    channel: Channel
    status: Status
    created_at: Timestamp
    changed_at: Timestamp
    data: str = "{}"
    """Form data as canonical JSON."""
    uploads: tuple[Upload, ...] = ()
    reference: str | None = None
    """Case reference, from submission on."""
    submitted_at: Timestamp | None = None
    submission: Submission | None = None
    complete_as_of: LegalDate | None = None
    assessments: tuple[Assessment, ...] = ()
    decisions: tuple[Decision, ...] = ()
    requests: tuple[InformationRequest, ...] = ()
    notices: tuple[Notice, ...] = ()
    entries: tuple[TimelineEntry, ...] = ()
    closed_on: LegalDate | None = None
    closed_reason: str | None = None

    @property
    def party_id(self) -> str:
        """The applicant."""
        return party_id(self.case_id)

    @property
    def submission_dataref(self) -> str:
        """The path of what was submitted."""
        return datarefs.submission(self.tenant, self.case_id, self.application_id)

    def require_submission(self) -> Submission:
        """The submission.

        Raises:
            ValueError: the case is a draft.
        """
        if self.submission is None:
            raise ValueError(f"case {self.case_id} is a draft")
        return self.submission

    @property
    def case_reference(self) -> str:
        """The reference of a submitted case; computed for a case that was stored without one."""
        return self.reference or reference(self.tenant, self.require_submission().received_on, self.case_id)

    @property
    def current_decision(self) -> Decision | None:
        """The decision that no other replaces: the last one."""
        return self.decisions[-1] if self.decisions else None

    @property
    def form_data(self) -> Any:
        """The form data, parsed."""
        return json.loads(self.data)

    def party(self, role: Role) -> Party:
        """The applicant in that role."""
        return Party(party_id=self.party_id, role=role, account_id=self.account_id)

    def with_requests_lapsed(self) -> Case:
        """Without requests for information that can be answered: for a decision or withdrawal."""
        lapsed = (replace(each, status=RequestStatus.LAPSED) if each.answerable else each for each in self.requests)
        return replace(self, requests=tuple(lapsed))

    def with_timeline_entry(
        self, code: TimelineCode, now: datetime, day: date | None = None, amount: Money | None = None
    ) -> Case:
        """With another entry at the end of the timeline."""
        return replace(self, entries=(*self.entries, TimelineEntry(code.value, now, day, amount)), changed_at=now)


def party_id(case_id: str) -> str:
    """The applicant's id in the case: opaque, and another in each case."""
    return id_of(case_id, "party", Role.APPLICANT.value)


def reference(tenant: str, day: date, case_id: str) -> str:
    """A case reference such as `WIT-2026-7K3M9QX2RT`: town, year, 50 bits of the case's id in Crockford's base 32."""
    town = "".join(each for each in tenant.upper() if each.isalnum())[:3]
    number = UUID(case_id).int & (1 << 50) - 1
    digits = "".join(_CROCKFORD[number >> shift & 31] for shift in range(45, -1, -5))
    return f"{town}-{day.year}-{digits}"


def due(case: Case) -> Mapping[str, datetime]:
    """The first moment after the earliest day on which information was due."""
    days = [each.due_on for each in case.requests if each.status is RequestStatus.OPEN]
    return {CaseWork.INFORMATION_OVERDUE: start_of(min(days) + timedelta(days=1))} if days else {}
