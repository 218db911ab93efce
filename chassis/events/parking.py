"""Events that can't be applied now: one document a (consumer, subject), in order, so that the rest goes on.

_id       <consumer><source>, or <consumer>#<topic>/<partition>/<offset> where the event names no source
status    waiting (tried again by itself) or parked (a person decides)
reason    code: not_yet, hole, rejected, failed, undecodable
detail    the error's class and text; no content of the event
events    [{at, topic, partition, offset, key, headers, value, type, sequence, epoch}], `at` orders them
retry_at  when the partition's owner looks at it next; absent while it waits for a person
asked     what the command line asked for: {action: replay | discard}
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import ConsumerRecord

from chassis.errors import DuplicateKey
from chassis.mongo import Collection, Database, Document, Index, Update
from contracts.envelope import Envelope, EnvelopeError

SPAN = 10**12
"""Sequences of one epoch: a position is epoch * SPAN + sequence, so that newer is greater."""

WAITING = "waiting"
PARKED = "parked"
_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0


def place_of(envelope: Envelope) -> int:
    """Where an event stands in its subject's line."""
    return envelope.epoch * SPAN + envelope.sequence


def follows(place: int, last: int | None) -> bool:
    """Whether an event may come after the last one read: a repetition, the next, or the first of a later epoch.

    A restored line begins at or before the sequence that follows the last one read; further ahead is a hole too.
    """
    epoch, sequence = divmod(place, SPAN)
    last_epoch, last_sequence = divmod(last or 0, SPAN)
    return epoch < last_epoch or sequence <= last_sequence + 1


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an event is parked."""

    status: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it came: enough to handle it later."""

    at: int
    topic: str
    partition: int
    offset: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @classmethod
    def of(cls, record: ConsumerRecord, at: int) -> Stored:
        """A record off the topic."""
        headers = tuple((str(name), bytes(value or b"")) for name, value in record.headers)
        return cls(at, record.topic, record.partition, record.offset, record.key or b"", headers, record.value or b"")

    def document(self) -> Document:
        """As it is kept."""
        return {
            "at": self.at,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": self.key,
            "headers": [[name, value] for name, value in self.headers],
            "value": self.value,
        }

    @classmethod
    def from_document(cls, kept: Document) -> Stored:
        """As it was kept."""
        headers = tuple((name, bytes(value)) for name, value in kept["headers"])
        return cls(
            kept["at"],
            kept["topic"],
            kept["partition"],
            kept["offset"],
            bytes(kept["key"]),
            headers,
            bytes(kept["value"]),
        )


@dataclass(frozen=True, slots=True)
class ParkedSubject:
    """A subject's parked events, in order."""

    id: str
    status: str
    reason: str
    attempts: int
    asked: str | None
    events: tuple[Stored, ...]

    @classmethod
    def from_document(cls, kept: Document) -> ParkedSubject:
        """As it was kept."""
        events = sorted(map(Stored.from_document, kept["events"]), key=lambda stored: stored.at)
        return cls(kept["_id"], kept["status"], kept["reason"], kept["attempts"], kept.get("asked"), tuple(events))


class Positions:
    """The last event of each subject that a consumer is done with."""

    def __init__(self, database: Database, consumer: str) -> None:
        self.collection: Collection = database.collection("positions")
        self._consumer = consumer

    async def load(self, sources: Iterable[str]) -> dict[str, int]:
        """By source; those never read are absent."""
        ids = [self._consumer + source for source in sources]
        rows = self.collection.find({"_id": {"$in": ids}})
        return {row["_id"].removeprefix(self._consumer): int(row["at"]) async for row in rows}

    async def save(self, places: dict[str, int]) -> None:
        """Moves on; never back."""
        await self.collection.bulk(
            [
                Update({"_id": self._consumer + source}, {"$max": {"at": at}}, upsert=True)
                for source, at in places.items()
            ]
        )


class Parking:
    """The parked subjects of one consumer."""

    indexes = (Index((("retry_at", 1),), "what the partition's owner looks at next", sparse=True),)

    def __init__(self, database: Database, consumer: str) -> None:
        self.collection: Collection = database.collection("parked")
        self._consumer = consumer

    def id_of(self, source: str) -> str:
        """The document's id for a subject's source."""
        return self._consumer + source

    async def parked_among(self, sources: Iterable[str]) -> set[str]:
        """Which of these subjects are parked."""
        ids = [self._consumer + source for source in sources]
        rows = self.collection.find({"_id": {"$in": ids}}, {"_id": 1})
        return {row["_id"].removeprefix(self._consumer) async for row in rows}

    async def park(self, document_id: str, tenant: str, stored: Stored, trouble: Trouble) -> None:
        """Parks an event, or joins it to those of its subject."""
        now = datetime.now(UTC)
        document: Document = {
            "_id": document_id,
            "consumer": self._consumer,
            "tenant": tenant,
            "topic": stored.topic,
            "partition": stored.partition,
            "status": trouble.status,
            "reason": trouble.reason,
            "detail": trouble.detail,
            "since": now,
            "attempts": 0,
            "events": [stored.document()],
        }
        if trouble.status == WAITING:
            document["retry_at"] = now + timedelta(seconds=_FIRST_RETRY_SECONDS)
        while True:
            try:
                return await self.collection.insert(document)
            except DuplicateKey:
                if await self.join(document_id, stored):
                    return None

    async def join(self, document_id: str, stored: Stored) -> bool:
        """Adds a later event of a parked subject; False where it isn't parked any more.

        What arrives behind a hole may be what was missing: a waiting subject is looked at again at once.
        """
        known = {"_id": document_id, "events.at": stored.at}
        if await self.collection.find_one(known, {"_id": 1}):
            return True
        change = {"$push": {"events": stored.document()}}
        if await self.collection.update(
            {"_id": document_id, "status": WAITING}, {**change, "$set": {"retry_at": datetime.now(UTC)}}
        ):
            return True
        return await self.collection.update({"_id": document_id}, change)

    async def to_look_at(self) -> AsyncIterator[Document]:
        """What is to be tried again now, or was asked for; without the events."""
        where = {"retry_at": {"$lte": datetime.now(UTC)}}
        async for row in self.collection.find(where, {"events": 0}):
            if row["consumer"] == self._consumer:
                yield row

    async def load(self, document_id: str) -> ParkedSubject | None:
        """One parked subject."""
        found = await self.collection.find_one({"_id": document_id})
        return ParkedSubject.from_document(found) if found else None

    async def settled(self, document_id: str, at: int) -> None:
        """The first event is done with; the document goes when it was the last."""
        await self.collection.update({"_id": document_id}, {"$pull": {"events": {"at": at}}, "$unset": {"asked": ""}})
        await self.collection.delete({"_id": document_id, "events": []})

    async def again(self, subject: ParkedSubject, trouble: Trouble) -> None:
        """It failed again."""
        pause = min(_FIRST_RETRY_SECONDS * 2 ** min(subject.attempts, 10), _LONGEST_RETRY_SECONDS)
        marks: Document = {
            "status": trouble.status,
            "reason": trouble.reason,
            "detail": trouble.detail,
            "attempts": subject.attempts + 1,
        }
        unset = {"asked": ""}
        if trouble.status == WAITING:
            marks["retry_at"] = datetime.now(UTC) + timedelta(seconds=pause)
        else:
            unset["retry_at"] = ""
        await self.collection.update({"_id": subject.id}, {"$set": marks, "$unset": unset})

    async def ask(self, document_ids: Sequence[str], action: str) -> int:
        """Asks the partition's owner to `replay` or `discard`; how many were asked."""
        marks = {"asked": action, "retry_at": datetime.now(UTC)}
        return await self.collection.bulk([Update({"_id": each}, {"$set": marks}) for each in document_ids])

    async def counts(self) -> dict[str, int]:
        """How many subjects, by status."""
        return {
            status: await self.collection.count({"consumer": self._consumer, "status": status})
            for status in (WAITING, PARKED)
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parked subjects are meant; None means any."""

    subject: str | None = None
    """The subject's id, or the parked document's."""
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
    """One parked subject for an operator, without its events' content."""

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
        """For programs."""
        return {**asdict(self), "since": self.since.isoformat()}


async def parked_rows(database: Database, selection: Selection) -> AsyncIterator[Row]:
    """The parked subjects of one service that are meant."""
    async for row in database.collection("parked").find({}):
        if selection.takes(row):
            yield Row(
                row["_id"],
                row["consumer"],
                row["tenant"],
                row["status"],
                row["reason"],
                row["detail"],
                row["since"],
                row["attempts"],
                row.get("asked"),
                len(row["events"]),
            )


async def parked_events(database: Database, parked_id: str) -> dict[str, Any] | None:
    """One parked subject with its events: envelopes and values."""
    row = await database.collection("parked").find_one({"_id": parked_id})
    if row is None:
        return None
    events = [_readable(stored) for stored in ParkedSubject.from_document(row).events]
    return {name: str(row[name]) for name in ("_id", "status", "reason", "detail", "since")} | {"events": events}


def _readable(stored: Stored) -> dict[str, Any]:
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


def describe(error: BaseException) -> str:
    """An error for a person, without content: its class, and the text only of our own errors."""
    return type(error).__name__
