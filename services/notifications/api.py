"""HTTP in: a person's mailbox, and the notices for staff and machines."""

from __future__ import annotations

import base64
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from chassis.errors import EngineAway, NotFound
from chassis.http import Access, Caller, Router
from chassis.http.paging import Paging, page
from chassis.logging import get_logger
from chassis.service import Service
from contracts import datarefs
from contracts.applications import DocumentKind, ProceduralLaw
from contracts.values import TrustLevel
from kernel.texts import Bilingual
from services.notifications import domain
from services.notifications.domain import MEDIA_TYPE, Document, Evidence, Notice, Reader, Status, hash_of
from services.notifications.handlers import Handlers
from services.notifications.store import Notices, place_in_list, place_in_mailbox

log = get_logger(__name__)

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_AN_ID = "8a4b4a53-92d2-5d3c-9b75-0f7d1c0a8e11"
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_HIDDEN = Bilingual(de="Nachricht (höheres Vertrauensniveau nötig)", en="Message (a higher trust level is needed)")
_FILE_NAMES = {
    DocumentKind.NOTICE: "Bescheid",
    DocumentKind.FEE_NOTICE: "Gebuehrenbescheid",
    DocumentKind.CERTIFICATE: "Bescheinigung",
    DocumentKind.INFORMATION_REQUEST: "Nachforderung",
    DocumentKind.ACKNOWLEDGEMENT: "Eingangsbestaetigung",
}

Town = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,38}$", description="the town's slug", examples=["witten"])]
NoticeId = Annotated[str, Path(pattern=_UUID, examples=[_AN_ID])]
Pages = Annotated[Paging, Depends()]
Person = Annotated[Caller, Depends(Access(persons=TrustLevel.BASIC))]
Office = Annotated[Caller, Depends(Access(staff={"clerk", "admin"}, scopes={"internal", "cases:read"}))]

_PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the document, PDF/A-2a",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "ETag": {"description": "SHA-256 of the document", "schema": {"type": "string"}},
            "Repr-Digest": {"description": "the same (RFC 9530)", "schema": {"type": "string"}},
        },
    }
}
_ENDED: dict[int | str, dict[str, Any]] = {
    410: {"description": "Not fetched in time: the provision has ended (problem `provision_ended`)"}
}


class DocumentAnswer(BaseModel):
    """A document, and where it is fetched."""

    sha256: str = Field(examples=["fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"])
    size: int = Field(description="bytes", examples=[48213])
    media_type: str = Field(examples=[MEDIA_TYPE])
    href: str = Field(examples=[f"/notifications/v1/witten/mailbox/{_AN_ID}/document"])


class MailboxEntry(BaseModel):
    """A message in a person's mailbox."""

    notice_id: str = Field(examples=[_AN_ID])
    case_id: str = Field(examples=["0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    case_reference: str = Field(examples=["WI-2026-000042"])
    document_kind: DocumentKind = Field(examples=["certificate"])
    title: Bilingual = Field(description="withheld below the trust level that the message needs")
    authority: str | None = Field(description="sender; withheld likewise", examples=["Stadt Witten"])
    trust_level: TrustLevel = Field(description="needed to read it", examples=["substantial"])
    readable: bool = Field(description="whether this session's trust level suffices", examples=[True])
    unread: bool = Field(description="the document was not fetched yet", examples=[True])
    status: Status = Field(
        description="provided, notified, retrieved, announced (in effect), or failed (not fetched in time)",
        examples=["notified"],
    )
    issued_on: date = Field(examples=["2026-03-09"])
    provided_at: datetime = Field(examples=["2026-03-09T09:30:00.000000Z"])
    provision_ends_on: date | None = Field(
        description="last day on which the document can be fetched for the first time (VwVfG § 41 (2a)); "
        "none until the notification was sent",
        examples=["2026-03-19"],
    )
    retrieved_on: date | None = Field(examples=[None])
    announced_on: date | None = Field(description="when it took effect", examples=[None])
    document: DocumentAnswer | None = Field(description="withheld below the trust level")


class MailboxPage(BaseModel):
    """Messages, newest first."""

    items: list[MailboxEntry]
    next: str | None = Field(description="cursor of the next page", examples=[None])


class EvidenceAnswer(BaseModel):
    """What proves the announcement."""

    content_hash: str = Field(examples=["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"])
    document_hash: str = Field(examples=["fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"])
    retrieved_by: str = Field(description="account", examples=[_AN_ID])
    trust_level: str = Field(description="of the session", examples=["substantial"])
    retrieved_at: datetime = Field(examples=["2026-03-11T08:00:00.000000Z"])
    retrieved_on: date = Field(examples=["2026-03-11"])
    provided_at: datetime = Field(examples=["2026-03-09T09:30:00.000000Z"])
    notification_sent_on: date | None = Field(examples=["2026-03-09"])
    rule: str = Field(examples=["vwvfg_41_2a"])
    rule_version: int = Field(examples=[1])
    evidence_hash: str = Field(
        description="SHA-256, as `notice_announced` names it",
        examples=["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"],
    )


class NoticeAnswer(BaseModel):
    """A notice as staff and machines see it: no names, no content."""

    notice_id: str = Field(examples=[_AN_ID])
    case_id: str = Field(examples=["0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    case_reference: str = Field(examples=["WI-2026-000042"])
    decision_id: str = Field(examples=["1d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    document_kind: DocumentKind = Field(examples=["certificate"])
    procedural_law: ProceduralLaw = Field(examples=["vwvfg"])
    addressee_id: str = Field(description="the party", examples=["2d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    account_id: str | None = Field(examples=["3d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    trust_level: TrustLevel = Field(examples=["substantial"])
    status: Status = Field(
        description="to_be_sent: must go another way, no account or no consent; rule_missing: no rule of announcement "
        "for its procedural law, not provided",
        examples=["notified"],
    )
    document: DocumentAnswer | None
    issued_on: date | None = Field(examples=["2026-03-09"])
    rule: str | None = Field(examples=["vwvfg_41_2a"])
    rule_version: int | None = Field(examples=[1])
    provided_at: datetime | None = Field(examples=["2026-03-09T09:30:00.000000Z"])
    notification_sent_on: date | None = Field(examples=["2026-03-09"])
    notification_channel: str | None = Field(examples=["email"])
    provision_ends_on: date | None = Field(examples=["2026-03-19"])
    retrieved_on: date | None = Field(examples=["2026-03-11"])
    announced_on: date | None = Field(examples=["2026-03-12"])
    evidence: EvidenceAnswer | None


class NoticePage(BaseModel):
    """Notices, newest first."""

    items: list[NoticeAnswer]
    next: str | None = Field(description="cursor of the next page", examples=[None])


def routers(service: Service, notices: Notices, handlers: Handlers) -> tuple[Router, Router]:
    """All routes."""
    documents = _Documents(service)
    return _mailbox(notices, handlers, documents), _office(notices, documents)


def _mailbox(notices: Notices, handlers: Handlers, documents: _Documents) -> Router:
    router = Router("/notifications/v1/{tenant}/mailbox", tags=["mailbox"])

    @router.get("", response_model=MailboxPage, summary="My messages, newest first")
    async def _list(tenant: Town, caller: Person, paging: Pages) -> Response:
        reader = _reader(caller)
        found = await notices.mailbox(tenant, reader.account_id, paging)
        return _shown(page(found, paging, lambda each: _entry(each.state, reader), place_in_mailbox))

    @router.get("/{notice_id}", response_model=MailboxEntry, summary="One message, without its document")
    async def _one(tenant: Town, notice_id: NoticeId, caller: Person) -> Response:
        found, reader = await notices.store.require(tenant, notice_id), _reader(caller)
        domain.check_addressee(found.state, reader)
        return _shown(_entry(found.state, reader))

    @router.get(
        "/{notice_id}/document",
        response_class=StreamingResponse,
        responses=_PDF | _ENDED,
        summary="The document; the first fetch is the retrieval (VwVfG § 41 (2a))",
    )
    async def _document(tenant: Town, notice_id: NoticeId, caller: Person) -> Response:
        found, reader = await notices.store.require(tenant, notice_id), _reader(caller)
        domain.check_addressee(found.state, reader)
        # Made sure of before the retrieval is recorded, and recorded before a byte is sent.
        answer = await documents.answer(found.state)
        await handlers.retrieve(caller.change, tenant, notice_id, reader)
        return answer

    return router


def _office(notices: Notices, documents: _Documents) -> Router:
    router = Router("/notifications/v1/{tenant}/notices", tags=["notices"])

    @router.get("", response_model=NoticePage, summary="The town's notices, newest first")
    async def _list(
        tenant: Town,
        _: Office,
        paging: Pages,
        status: Annotated[
            Status | None, Query(description="such as to_be_sent: what must go another way", examples=["to_be_sent"])
        ] = None,
        case_id: Annotated[str | None, Query(pattern=_UUID, description="the notices of a case")] = None,
    ) -> Response:
        found = await notices.listed(tenant, status, case_id, paging)
        return _shown(page(found, paging, lambda each: _notice(each.state), place_in_list))

    @router.get("/{notice_id}", response_model=NoticeAnswer, summary="One notice, with the evidence of retrieval")
    async def _one(tenant: Town, notice_id: NoticeId, _: Office) -> Response:
        found = await notices.store.require(tenant, notice_id)
        return _shown(_notice(found.state))

    @router.get(
        "/{notice_id}/document",
        response_class=StreamingResponse,
        responses=_PDF,
        summary="The document for the file; this is no retrieval by the addressee",
    )
    async def _document(tenant: Town, notice_id: NoticeId, _: Office) -> Response:
        found = await notices.store.require(tenant, notice_id)
        return await documents.answer(found.state)

    return router


class _Documents:
    """Documents as streamed responses."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(self, notice: Notice) -> Response:
        """The document, found and ready to be streamed."""
        document = notice.document
        if document is None:
            raise NotFound("the document isn't rendered yet", id=notice.notice_id)
        try:
            size = await self._service.files.size(notice.tenant, document.sha256)
        except NotFound:
            log.exception("the document of a notice is missing", notice=notice.notice_id)
            raise EngineAway("the document can't be read at present") from None
        name = f"{_FILE_NAMES[notice.document_kind]}-{notice.case_reference}.pdf"
        digest = base64.b64encode(bytes.fromhex(document.sha256)).decode()
        headers = {
            **_PRIVATE,
            "Content-Length": str(size),
            "Content-Disposition": f'attachment; filename="{name}"',
            "ETag": f'"{document.sha256}"',
            "Repr-Digest": f"sha-256=:{digest}:",
        }
        chunks = self._service.files.open(notice.tenant, document.sha256)
        return StreamingResponse(chunks, media_type=MEDIA_TYPE, headers=headers)


def _reader(caller: Caller) -> Reader:
    return Reader(caller.principal.subject, caller.principal.trust_level)


def _shown(answer: BaseModel | dict[str, Any]) -> Response:
    if isinstance(answer, BaseModel):
        return JSONResponse(answer.model_dump(mode="json"), headers=_PRIVATE)
    items = [entry.model_dump(mode="json") for entry in answer["items"]]
    return JSONResponse({"items": items, "next": answer["next"]}, headers=_PRIVATE)


def _entry(notice: Notice, reader: Reader) -> MailboxEntry:
    readable = domain.may_read(notice, reader)
    document = notice.document
    if document is None or notice.issued_on is None or notice.provided_at is None:
        raise NotFound("no such message in your mailbox", id=notice.notice_id)
    href = f"/notifications/v1/{notice.tenant}/mailbox/{notice.notice_id}/document"
    return MailboxEntry(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        case_reference=notice.case_reference,
        document_kind=notice.document_kind,
        title=document.title if readable else _HIDDEN,
        authority=document.authority if readable else None,
        trust_level=notice.trust_level,
        readable=readable,
        unread=notice.retrieved_at is None,
        status=notice.status,
        issued_on=notice.issued_on,
        provided_at=notice.provided_at,
        provision_ends_on=notice.provision_ends_on,
        retrieved_on=notice.retrieved_on,
        announced_on=notice.announced_on,
        document=_document_answer(document, href) if readable else None,
    )


def _notice(notice: Notice) -> NoticeAnswer:
    href = datarefs.notice_document(notice.tenant, notice.notice_id)
    return NoticeAnswer(
        notice_id=notice.notice_id,
        case_id=notice.case_id,
        case_reference=notice.case_reference,
        decision_id=notice.decision_id,
        document_kind=notice.document_kind,
        procedural_law=notice.procedural_law,
        addressee_id=notice.addressee_id,
        account_id=notice.account_id,
        trust_level=notice.trust_level,
        status=notice.status,
        document=_document_answer(notice.document, href) if notice.document else None,
        issued_on=notice.issued_on,
        rule=notice.rule,
        rule_version=notice.rule_version,
        provided_at=notice.provided_at,
        notification_sent_on=notice.sent_on,
        notification_channel=notice.sent_by,
        provision_ends_on=notice.provision_ends_on,
        retrieved_on=notice.retrieved_on,
        announced_on=notice.announced_on,
        evidence=_evidence(notice.evidence) if notice.evidence else None,
    )


def _document_answer(document: Document, href: str) -> DocumentAnswer:
    return DocumentAnswer(sha256=document.sha256, size=document.size, media_type=MEDIA_TYPE, href=href)


def _evidence(evidence: Evidence) -> EvidenceAnswer:
    return EvidenceAnswer(
        content_hash=evidence.content_hash,
        document_hash=evidence.document_hash,
        retrieved_by=evidence.retrieved_by,
        trust_level=evidence.trust_level,
        retrieved_at=evidence.retrieved_at,
        retrieved_on=evidence.retrieved_on,
        provided_at=evidence.provided_at,
        notification_sent_on=evidence.notification_sent_on,
        rule=evidence.rule,
        rule_version=evidence.rule_version,
        evidence_hash=hash_of(evidence),
    )
