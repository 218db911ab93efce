"""A notice: one decision as a document for one addressee, from its rendering to its announcement.

to_render -> provided -> notified -> retrieved -> announced     (mailbox)
                |            |
                |            +-> failed                         (not retrieved in time)
                +-> retrieved                                   (before the addressee was told)
to_render -> to_be_sent                                         (no account or no consent: another way)
to_render -> rule_missing                                       (no rule of the decision's law here)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum

from pydantic import TypeAdapter

from chassis.change import Change
from chassis.errors import Conflict, Forbidden, NotFound, Refusal
from contracts.applications import DocumentKind, ProceduralLaw
from contracts.notifications import (
    AnnouncementFailed,
    NoticeAnnounced,
    NoticeIssued,
    NoticeProvided,
    NoticeRetrieved,
    NotificationSent,
)
from contracts.values import Timestamp, TrustLevel
from kernel.canonical_json import content_hash
from kernel.legal_days import legal_date, start_of
from kernel.texts import Bilingual
from services.notifications.rules import AnnouncementRule, rule_for, rule_named

MEDIA_TYPE = "application/pdf"


class ProvisionEnded(Refusal):
    """The notice was not fetched in time, so that it can't be fetched here any more (VwVfG § 41 (2a) sentence 4)."""

    status = 410
    code = "provision_ended"
    title = "Die Bereitstellung ist beendet / The provision has ended"


class Status(str, Enum):
    """Where a notice is on its way."""

    TO_RENDER = "to_render"
    TO_BE_SENT = "to_be_sent"
    """The document exists; there is no account or no consent, so it must go another way. Never announced from here."""
    RULE_MISSING = "rule_missing"
    """The document exists; for the decision's procedural law there is no rule here, so it isn't provided."""
    PROVIDED = "provided"
    NOTIFIED = "notified"
    RETRIEVED = "retrieved"
    ANNOUNCED = "announced"
    FAILED = "failed"
    """Not retrieved within the time: provision ended, the notice has no effect."""


@dataclass(frozen=True, slots=True)
class Document:
    """The rendered notice."""

    sha256: str
    size: int
    """Bytes."""
    title: Bilingual
    authority: str
    """Name of the deciding authority, as the document shows it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who retrieved what, and when: kept to prove the announcement."""

    tenant: str
    notice_id: str
    decision_id: str
    content_hash: str
    """Of the decision's content."""
    document_hash: str
    retrieved_by: str
    """Account."""
    trust_level: str
    """Of the session in which it was retrieved."""
    retrieved_at: Timestamp
    retrieved_on: date
    provided_at: Timestamp
    notification_sent_on: date | None
    """None where it was retrieved before the addressee was told."""
    rule: str
    rule_version: int


@dataclass(frozen=True, slots=True)
class Notice:
    """The state. Holds no personal data but ids: names and addresses are in the document only."""

    notice_id: str
    tenant: str
    authority: str
    case_id: str
    case_reference: str
    decision_id: str
    document_kind: DocumentKind
    procedural_law: ProceduralLaw
    decided_on: date
    content_hash: str
    dataref: str
    """Where the decision's content is."""
    addressee_id: str
    account_id: str | None
    trust_level: TrustLevel
    consents: bool
    requested_at: Timestamp
    status: Status = Status.TO_RENDER
    document: Document | None = None
    issued_on: date | None = None
    rule: str | None = None
    rule_version: int | None = None
    provided_at: Timestamp | None = None
    sent_on: date | None = None
    sent_by: str | None = None
    """Channel of the notification."""
    provision_ends_on: date | None = None
    retrieved_at: Timestamp | None = None
    retrieved_on: date | None = None
    evidence: Evidence | None = None
    announced_on: date | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody at the mailbox."""

    account_id: str
    trust_level: TrustLevel


_EVIDENCE = TypeAdapter(Evidence)


def due(notice: Notice) -> Mapping[str, datetime]:
    """What must be done later or outside."""
    match notice:
        case Notice(status=Status.TO_RENDER):
            return {"render": notice.requested_at}
        case Notice(status=Status.PROVIDED, provided_at=datetime() as provided_at):
            return {"notify": provided_at}
        case Notice(status=Status.NOTIFIED, provision_ends_on=date() as last):
            return {"end_provision": start_of(last + timedelta(days=1))}
        case Notice(status=Status.RETRIEVED):
            telling = {"notify": notice.provided_at} if notice.sent_on is None and notice.provided_at else {}
            return {"announce": start_of(_announced_on(notice)), **telling}
        case _:
            return {}


def issue(notice: Notice, document: Document, dataref: str, now: datetime) -> Change[Notice]:
    """The document is rendered and durable; where consent and rule allow it, it is provided in the mailbox too."""
    if notice.status is not Status.TO_RENDER:
        return Change(notice)
    today = legal_date(now)
    rule = rule_for(notice.procedural_law, today)
    issued = replace(notice, document=document, issued_on=today)
    said = NoticeIssued(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        decision_id=notice.decision_id,
        document_kind=notice.document_kind,
        addressee_id=notice.addressee_id,
        document_hash=document.sha256,
        document_size=document.size,
        media_type=MEDIA_TYPE,
        issued_on=today,
        dataref=dataref,
    )
    if notice.account_id is None or not notice.consents:
        return Change(replace(issued, status=Status.TO_BE_SENT), (said,))
    if rule is None:
        return Change(replace(issued, status=Status.RULE_MISSING), (said,))
    return Change(issued, (said,)).and_then(_provide, notice.account_id, rule, now)


def _provide(notice: Notice, account_id: str, rule: AnnouncementRule, now: datetime) -> Change[Notice]:
    provided = replace(notice, status=Status.PROVIDED, provided_at=now, rule=rule.code, rule_version=rule.version)
    said = NoticeProvided(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        decision_id=notice.decision_id,
        account_id=account_id,
        trust_level=notice.trust_level,
        provided_at=now,
    )
    return Change(provided, (said,))


def record_notification(notice: Notice, channel: str, now: datetime) -> Change[Notice]:
    """The addressee was told: the ten days begin. `now` is after the sending, so that a day is never lost."""
    if notice.sent_on is not None or notice.status not in {Status.PROVIDED, Status.RETRIEVED}:
        return Change(notice)
    sent_on = legal_date(now)
    ends_on = _rule_of(notice).provision_ends_on(sent_on)
    status = Status.NOTIFIED if notice.status is Status.PROVIDED else notice.status
    told = replace(notice, status=status, sent_on=sent_on, sent_by=channel, provision_ends_on=ends_on)
    said = NotificationSent(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        channel=channel,
        sent_on=sent_on,
        provision_ends_on=ends_on,
    )
    return Change(told, (said,))


def check_addressee(notice: Notice, reader: Reader) -> None:
    """Whether it is in this reader's mailbox at all.

    Raises:
        NotFound: somebody else's, or not provided.
    """
    if notice.account_id != reader.account_id or notice.provided_at is None:
        raise NotFound("no such message in your mailbox", id=notice.notice_id)


def may_read(notice: Notice, reader: Reader) -> bool:
    """A message can be read at or above the trust level that it was sent for."""
    return reader.trust_level.reaches(notice.trust_level)


def retrieve(notice: Notice, reader: Reader, now: datetime) -> Change[Notice]:
    """The addressee fetches the document. The first time counts; later ones change nothing.

    Raises:
        NotFound: it isn't in this reader's mailbox.
        Forbidden: the session's trust level is too low.
        ProvisionEnded: the ten days are over (by the day, whether or not that was recorded yet).
    """
    check_addressee(notice, reader)
    if not may_read(notice, reader):
        raise Forbidden(
            f"this message can be read with trust level {notice.trust_level.value} or above",
            trust_level=notice.trust_level.value,
        )
    if notice.retrieved_at is not None:
        return Change(notice)
    today = legal_date(now)
    if notice.provision_ends_on is not None and today > notice.provision_ends_on:
        raise ProvisionEnded(provision_ended_on=notice.provision_ends_on.isoformat())
    retrieved = replace(notice, status=Status.RETRIEVED, retrieved_at=now, retrieved_on=today)
    said = NoticeRetrieved(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        decision_id=notice.decision_id,
        retrieved_at=now,
        retrieved_on=today,
    )
    return Change(replace(retrieved, evidence=_evidence(retrieved, reader, now)), (said,))


def announce(notice: Notice, now: datetime) -> Change[Notice]:
    """The day after retrieval has come: the notice takes effect (VwVfG § 41 (2a) sentence 3, § 43)."""
    if notice.status is not Status.RETRIEVED or notice.evidence is None:
        return Change(notice)
    day = _announced_on(notice)
    if legal_date(now) < day:
        return Change(notice)
    rule = _rule_of(notice)
    said = NoticeAnnounced(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        decision_id=notice.decision_id,
        announced_on=day,
        rule=rule.code,
        rule_version=rule.version,
        evidence_hash=hash_of(notice.evidence),
    )
    return Change(replace(notice, status=Status.ANNOUNCED, announced_on=day), (said,))


def end_provision(notice: Notice, now: datetime) -> Change[Notice]:
    """The last day is over without retrieval: not announced (VwVfG § 41 (2a) sentences 4 and 5)."""
    last = notice.provision_ends_on
    if notice.status is not Status.NOTIFIED or last is None or legal_date(now) <= last:
        return Change(notice)
    rule = _rule_of(notice)
    said = AnnouncementFailed(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        decision_id=notice.decision_id,
        rule=rule.code,
        rule_version=rule.version,
        provision_ended_on=last,
    )
    return Change(replace(notice, status=Status.FAILED), (said,))


def hash_of(evidence: Evidence) -> str:
    """SHA-256 of the evidence as it is stored, as canonical JSON (RFC 8785)."""
    return content_hash(_EVIDENCE.dump_python(evidence, mode="json"))


def _rule_of(notice: Notice) -> AnnouncementRule:
    if notice.rule is None or notice.rule_version is None:
        raise Conflict("the notice was not provided", id=notice.notice_id)
    return rule_named(notice.rule, notice.rule_version)


def _announced_on(notice: Notice) -> date:
    if notice.retrieved_on is None:
        raise Conflict("the notice was not retrieved", id=notice.notice_id)
    return _rule_of(notice).announced_on(notice.retrieved_on)


def _evidence(notice: Notice, reader: Reader, now: datetime) -> Evidence:
    rule = _rule_of(notice)
    if notice.document is None or notice.provided_at is None:
        raise Conflict("the notice was not provided", id=notice.notice_id)
    return Evidence(
        tenant=notice.tenant,
        notice_id=notice.notice_id,
        decision_id=notice.decision_id,
        content_hash=notice.content_hash,
        document_hash=notice.document.sha256,
        retrieved_by=reader.account_id,
        trust_level=reader.trust_level.value,
        retrieved_at=now,
        retrieved_on=legal_date(now),
        provided_at=notice.provided_at,
        notification_sent_on=notice.sent_on,
        rule=rule.code,
        rule_version=rule.version,
    )
