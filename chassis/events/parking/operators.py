"""What operators ask of parked events: to list them, to see one, and to request a replay or a discard.

A request is only stored here. The consumer that owns the partition carries it out (`chassis/events/parked_drain.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis import chance
from chassis.events.parking.documents import ParkedSubject, StoredEvent
from chassis.events.parking.store import AT_ONCE, while_first
from chassis.mongo import Database, Document, Update
from contracts.envelope import Envelope, EnvelopeError


async def request_action(database: Database, document_ids: Sequence[str], action: str) -> int:
    """Requests that the partitions' owners `replay` or `discard` the event that is first in each subject now.

    Returns the number of subjects for which it could be requested.
    """
    collection = database.collection("parked")
    updates = []
    async for row in collection.find({"_id": {"$in": list(document_ids)}}):
        if not row["events"]:
            continue
        first = min(event["at"] for event in row["events"])
        requested = {"action": action, "at": first, "reason": row["reason"], "id": chance.new_id()}
        marks = {"asked": requested, "retry_at": AT_ONCE}
        updates.append(Update(while_first(row["_id"], first), {"$set": marks}))
    return await collection.bulk(updates)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parked subjects to take; None takes any."""

    subject: str | None = None
    """The subject's id, or the id of its parked document."""
    reason: str | None = None
    older_than: timedelta | None = None

    def takes(self, row: Document, now: datetime) -> bool:
        """Whether a parked document is selected; `now` by the services' clock."""
        if self.subject is not None and not row["_id"].endswith(f"/{self.subject}") and row["_id"] != self.subject:
            return False
        if self.reason is not None and row["reason"] != self.reason:
            return False
        return self.older_than is None or now - row["since"] > self.older_than


@dataclass(frozen=True, slots=True)
class ParkedSummary:
    """One parked subject for an operator, without the content of its events."""

    id: str
    consumer: str
    tenant: str
    status: str
    reason: str
    detail: str
    since: datetime
    attempts: int
    asked: str | None
    events: int

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON, for programs."""
        return {**asdict(self), "since": self.since.isoformat()}


async def parked_rows(database: Database, selection: Selection, now: datetime) -> AsyncIterator[ParkedSummary]:
    """The selected parked subjects of one service; `now` by the services' clock."""
    async for row in database.collection("parked").find({}):
        if selection.takes(row, now):
            yield ParkedSummary(
                row["_id"],
                row["consumer"],
                row["tenant"],
                row["status"],
                row["reason"],
                row["detail"],
                row["since"],
                row["attempts"],
                _action_of(row.get("asked")),
                len(row["events"]),
            )


def _action_of(asked: Document | str | None) -> str | None:
    return asked["action"] if isinstance(asked, dict) else asked


async def parked_events(database: Database, parked_id: str) -> dict[str, Any] | None:
    """One parked subject with the envelopes and values of its events; None if nothing is parked under the id."""
    row = await database.collection("parked").find_one({"_id": parked_id})
    if row is None:
        return None
    events = [_readable(stored) for stored in ParkedSubject.from_document(row).events]
    return {name: str(row[name]) for name in ("_id", "status", "reason", "detail", "since")} | {"events": events}


def _readable(stored: StoredEvent) -> dict[str, Any]:
    try:
        envelope = Envelope.parse(stored.headers).model_dump(mode="json", exclude_none=True)
    except EnvelopeError as error:
        envelope = {"undecodable": str(error)[:200]}
    return {
        "topic": stored.topic,
        "partition": stored.partition,
        "offset": stored.offset,
        "envelope": envelope,
        "value": stored.value.decode(errors="replace"),
    }
