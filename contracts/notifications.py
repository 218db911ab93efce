"""Events of notifications: what is told, and how. Subject of each: the notice (one addressee); key: its case."""

from __future__ import annotations

from contracts import topics
from contracts.applications import DocumentKind
from contracts.envelope import Event
from contracts.values import (
    Code,
    Count,
    DataRef,
    LegalDate,
    MediaType,
    Sha256,
    Timestamp,
    TrustLevel,
    Uuid,
    VersionNumber,
)


class NoticeIssued(Event):
    """The decision exists as a document for one addressee. Not yet announced. Consumed by applications and records."""

    topic = topics.NOTIFICATIONS
    name = "notice_issued"

    notice_id: Uuid
    case_id: Uuid
    decision_id: Uuid
    document_kind: DocumentKind
    addressee_id: Uuid
    """The party."""
    document_hash: Sha256
    document_size: Count
    """Bytes."""
    media_type: MediaType
    issued_on: LegalDate
    dataref: DataRef


class NoticeProvided(Event):
    """The notice can be read in the addressee's mailbox. Consumed by applications."""

    topic = topics.NOTIFICATIONS
    name = "notice_provided"

    notice_id: Uuid
    case_id: Uuid
    decision_id: Uuid
    account_id: Uuid
    trust_level: TrustLevel
    """Needed to read it."""
    provided_at: Timestamp


class NotificationSent(Event):
    """The addressee was told that something is in the mailbox; starts the ten days of VwVfG § 41 (2a).

    Does not say that the message was read. Consumed by clerk systems and records.
    """

    topic = topics.NOTIFICATIONS
    name = "notification_sent"

    notice_id: Uuid
    case_id: Uuid
    channel: Code
    """`email`; `outbox` where no mail server is configured and the message is kept as a file."""
    sent_on: LegalDate
    provision_ends_on: LegalDate
    """Last day on which retrieval announces the notice."""


class NoticeRetrieved(Event):
    """The addressee fetched the document for the first time. Consumed by applications."""

    topic = topics.NOTIFICATIONS
    name = "notice_retrieved"

    notice_id: Uuid
    case_id: Uuid
    decision_id: Uuid
    retrieved_at: Timestamp
    retrieved_on: LegalDate


class NoticeAnnounced(Event):
    """The notice took effect on `announced_on` by the rule named.

    Consumed by applications, which may close the case.
    """

    topic = topics.NOTIFICATIONS
    name = "notice_announced"

    notice_id: Uuid
    case_id: Uuid
    decision_id: Uuid
    announced_on: LegalDate
    rule: Code
    """`vwvfg_41_2a`: retrieval from the mailbox."""
    rule_version: VersionNumber
    evidence_hash: Sha256
    """SHA-256 of the stored evidence: who retrieved what, when."""


class AnnouncementFailed(Event):
    """The notice was not fetched in time: its provision ended without effect (VwVfG § 41 (2a)).

    It may be provided again or announced another way. Consumed by applications and clerk systems.
    """

    topic = topics.NOTIFICATIONS
    name = "announcement_failed"

    notice_id: Uuid
    case_id: Uuid
    decision_id: Uuid
    rule: Code
    """As in `notice_announced`."""
    rule_version: VersionNumber
    provision_ended_on: LegalDate
