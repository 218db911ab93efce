"""HTTP requests that change something: carried out once, and answered the same when repeated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

from chassis.errors import IdempotencyKeyReused
from chassis.mongo import Document
from contracts.envelope import id_of

MAX_REQUESTS_KEPT = 20
"""Requests that a document remembers: the last ones."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP request was answered, kept so that a repetition gets the same."""

    status: int
    body: Any
    """JSON."""
    etag: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request that changes something: who, by which key, and which version it was decided on."""

    client: str
    """The token's subject."""
    route: str
    """Method and path."""
    key: str
    """Idempotency-Key, or for PUT, PATCH and DELETE a fresh one: those are idempotent by themselves."""
    body_hash: str
    expected: int | None = None
    """Version named by If-Match."""

    def new_id(self, role: str) -> str:
        """The id of the aggregate that this request brings into being: the same for a repetition."""
        return id_of(self.client, self.route, self.key, role)

    @property
    def mark(self) -> str:
        """What is remembered in the document."""
        return id_of(self.client, self.route, self.key)


def to_entry(request: Request, answer: Answer) -> Document:
    """What the document remembers of a request that was carried out."""
    return {
        "mark": request.mark,
        "hash": request.body_hash,
        "status": answer.status,
        "body": orjson.dumps(answer.body).decode(),
        "etag": answer.etag,
        "location": answer.location,
    }


def as_repeated(answer: Answer) -> Answer:
    """An answer as a repetition of the request gets it: times and tuples of the body are what JSON makes of them."""
    return replace(answer, body=orjson.loads(orjson.dumps(answer.body)))


def earlier_answer(document: Document | None, request: Request) -> Answer | None:
    """What this very request was answered before; None where it comes for the first time.

    Raises:
        IdempotencyKeyReused: its key came with another body.
    """
    for entry in (document or {}).get("requests", []):
        if entry["mark"] != request.mark:
            continue
        if entry["hash"] != request.body_hash:
            raise IdempotencyKeyReused("this Idempotency-Key was used with another body")
        return Answer(entry["status"], orjson.loads(entry["body"]), entry["etag"], entry["location"])
    return None
