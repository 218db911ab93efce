"""The files of a draft: which documents a service asks for, what is attached. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from chassis.change import Change
from chassis.errors import NotFound, UnsupportedMediaType
from kernel.ids import id_of
from service_format.conditions import holds
from services.applications.domain.access import require_draft
from services.applications.domain.commands import AttachFile, DetachFile
from services.applications.domain.services import Document, Terms
from services.applications.domain.state import Case, Upload

_SIGNATURES = {"application/pdf": (b"%PDF-",), "image/jpeg": (b"\xff\xd8\xff",), "image/png": (b"\x89PNG\r\n\x1a\n",)}


def required_documents(terms: Terms, data: Any) -> tuple[Document, ...]:
    """The documents without which the application can't be submitted."""
    return tuple(each for each in terms.documents if _is_required(each, data))


def _is_required(document: Document, data: Any) -> bool:
    if not document.required or document.may_follow or document.signed_paper:
        return False
    return document.condition is None or holds(document.condition, data)


def require_document(draft: Case, account_id: str, terms: Terms, document_id: str, media_type: str) -> Document:
    """The document that a file is for; called before the file is read.

    Raises:
        NotFound: the service asks for no such document. Also as `require_draft`.
        UnsupportedMediaType: the document may not have this type.
    """
    require_draft(draft, account_id)
    document = terms.document(document_id)
    if document is None:
        raise NotFound("the service asks for no such document", document=document_id)
    if media_type not in document.media_types or media_type not in _SIGNATURES:
        raise UnsupportedMediaType(f"send one of: {', '.join(document.media_types)}")
    return document


def require_signature(head: bytes, media_type: str) -> None:
    """Compares a file's first bytes with the signature of its type.

    Raises:
        UnsupportedMediaType: they differ.
    """
    if not head.startswith(_SIGNATURES[media_type]):
        raise UnsupportedMediaType("the file is not of the type that it was sent as")


def attach(draft: Case, command: AttachFile, now: datetime) -> Change[Case]:
    """Adds a file, in place of an earlier one for the same document. Raises as `require_draft`."""
    require_draft(draft, command.account_id)
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


def detach(draft: Case, command: DetachFile, now: datetime) -> Change[Case]:
    """Removes a file from the draft; the sweep deletes it from the file store.

    Raises:
        NotFound: no file is attached for that document. Also as `require_draft`.
    """
    require_draft(draft, command.account_id)
    others = tuple(each for each in draft.uploads if each.document != command.document_id)
    if len(others) == len(draft.uploads):
        raise NotFound("nothing was uploaded for this document", document=command.document_id)
    return Change(replace(draft, uploads=others, changed_at=now))
