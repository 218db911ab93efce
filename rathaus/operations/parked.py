"""Parked events: what they are, and asking the partition's owner to replay or discard them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.events.parking import SPAN, ParkedSubject, Parking
from chassis.mongo import Document
from contracts.envelope import Envelope, EnvelopeError
from rathaus.operations.installation import SERVICES, Installation


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parked subjects are meant; None means any."""

    service: str | None = None
    subject: str | None = None
    reason: str | None = None
    older_than: timedelta | None = None

    def takes(self, row: Document) -> bool:
        """Whether a parked document is meant."""
        if self.subject is not None and not row["_id"].endswith(f"/{self.subject}") and row["_id"] != self.subject:
            return False
        if self.reason is not None and row["reason"] != self.reason:
            return False
        return self.older_than is None or datetime.now(UTC) - row["since"] > self.older_than


@dataclass(frozen=True, slots=True)
class Row:
    """One parked subject, without its events' content."""

    id: str
    service: str
    tenant: str
    status: str
    reason: str
    detail: str
    since: datetime
    attempts: int
    asked: str | None
    events: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.id,
            "service": self.service,
            "tenant": self.tenant,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "since": self.since.isoformat(),
            "attempts": self.attempts,
            "asked": self.asked,
            "events": self.events,
        }


async def listed(installation: Installation, selection: Selection) -> AsyncIterator[Row]:
    """The parked subjects that are meant."""
    for service in [selection.service] if selection.service else SERVICES:
        async with installation.database(service) as database:
            async for row in database.collection("parked").find({}):
                if selection.takes(row):
                    yield Row(
                        row["_id"],
                        service,
                        row["tenant"],
                        row["status"],
                        row["reason"],
                        row["detail"],
                        row["since"],
                        row["attempts"],
                        row.get("asked"),
                        len(row["events"]),
                    )


async def shown(installation: Installation, service: str, parked_id: str) -> dict[str, Any] | None:
    """One parked subject with its events: envelopes and values."""
    async with installation.database(service) as database:
        row = await database.collection("parked").find_one({"_id": parked_id})
    if row is None:
        return None
    events = [_event(stored) for stored in ParkedSubject.from_document(row).events]
    return {name: str(row[name]) for name in ("_id", "status", "reason", "detail", "since")} | {"events": events}


def _event(stored: Any) -> dict[str, Any]:
    where = {"topic": stored.topic, "partition": stored.partition, "offset": stored.offset}
    try:
        envelope = Envelope.parse(stored.headers).model_dump(mode="json", exclude_none=True)
    except EnvelopeError as error:
        envelope = {"undecodable": str(error)[:200]}
    return {
        **where,
        "place": divmod(stored.at, SPAN),
        "envelope": envelope,
        "value": stored.value.decode(errors="replace"),
    }


async def ask(installation: Installation, selection: Selection, action: str) -> int:
    """Asks for `replay` or `discard` of those meant; how many were asked. The partitions' owners do it within a second.

    A discard gives up the first event of each subject and goes on with the next; of a subject behind a hole it gives up
    what is missing.
    """
    asked = 0
    by_service: dict[str, list[str]] = {}
    async for row in listed(installation, selection):
        by_service.setdefault(row.service, []).append(row.id)
    for service, ids in by_service.items():
        async with installation.database(service) as database:
            asked += await Parking(database, service).ask(ids, action)
    return asked
