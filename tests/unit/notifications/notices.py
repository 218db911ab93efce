"""Notices for tests: made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from contracts.applications import DocumentKind, ProceduralLaw
from contracts.values import TrustLevel
from kernel.ids import id_of
from kernel.texts import Bilingual
from services.notifications.domain import Document, Notice, Reader, issue, record_notification

ACCOUNT = id_of("test", "account")
READER = Reader(ACCOUNT, TrustLevel.SUBSTANTIAL)
NOW = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)
DOCUMENT = Document(
    "ab" * 32, 4711, Bilingual(de="Meldebescheinigung", en="Registration certificate"), "Stadt Musterstadt"
)


def to_render(**changed: Any) -> Notice:
    notice = Notice(
        notice_id=id_of("test", "notice"),
        tenant="musterstadt",
        authority="musterstadt",
        case_id=id_of("test", "case"),
        case_reference="MU-2026-000042",
        decision_id=id_of("test", "decision"),
        document_kind=DocumentKind.CERTIFICATE,
        procedural_law=ProceduralLaw.VWVFG,
        decided_on=date(2026, 3, 9),
        content_hash="cd" * 32,
        dataref="/applications/v1/musterstadt/cases/1/decisions/2",
        addressee_id=id_of("test", "party"),
        account_id=ACCOUNT,
        trust_level=TrustLevel.SUBSTANTIAL,
        consents=True,
        requested_at=NOW,
    )
    return replace(notice, **changed)


def provided(now: datetime = NOW, **changed: Any) -> Notice:
    return issue(to_render(**changed), DOCUMENT, "/notifications/1", now)[0]


def notified(now: datetime = NOW, **changed: Any) -> Notice:
    return record_notification(provided(now, **changed), "email", now)[0]
