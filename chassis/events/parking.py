"""Events that can't be applied now: one document a (consumer, subject), in order, so that the rest goes on.

_id       <consumer><source>, or <consumer>#<topic>/<partition>/<offset> where the event names no source
status    waiting (tried again by itself) or parked (a person decides)
reason    code: not_yet, hole, rejected, failed, undecodable
detail    the error's class and text; no content of the event
events    [{at, topic, partition, offset, key, headers, value, type, sequence, epoch}], `at` orders them
retry_at  when the partition's owner looks at it next; absent while it waits for a person
asked     what an operator asked for, and of what: {action: replay | discard, at: first event, reason, id}
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import ConsumerRecord

from chassis import chance
from chassis.clock import Clock
from chassis.errors import DuplicateKey
from chassis.mongo import Collection, Database, Document, Filter, Index, Update
from chassis.retry import Backoff
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, EnvelopeError

SPAN = 10**12
"""Sequences of one epoch: a position is epoch * SPAN + sequence, so that newer is greater."""

WAITING = "waiting"
PARKED = "parked"
REPLAY = "replay"
DISCARD = "discard"
HOLE = "hole"
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""Due by every instance's clock, whatever that says."""


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
    """A subject's parked events, in order, as one reader found them."""

    id: str
    status: str
    reason: str
    attempts: int
    asked: Document | str | None
    """The wish as it is kept: what is unset later is this one, not another that came in the meantime."""
    events: tuple[Stored, ...]

    @classmethod
    def from_document(cls, kept: Document) -> ParkedSubject:
        """As it was kept."""
        events = sorted(map(Stored.from_document, kept["events"]), key=lambda stored: stored.at)
        return cls(kept["_id"], kept["status"], kept["reason"], kept["attempts"], kept.get("asked"), tuple(events))

    def asks_to_discard(self, *, behind_a_hole: bool) -> bool:
        """Whether the first event is to be given up, or the hole that it stands behind at present.

        A wish is for the event that was first when the operator asked. Once that is done with, or no longer behind the
        hole that the operator saw, the wish is moot.
        """
        if not isinstance(self.asked, dict):
            return self.asked == DISCARD  # as releases before 2026-12 kept it
        seen_behind_a_hole = self.asked["reason"] == HOLE
        if self.asked["at"] != self.events[0].at or seen_behind_a_hole != behind_a_hole:
            return False
        return bool(self.asked["action"] == DISCARD)


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

    def __init__(self, database: Database, consumer: str, clock: Clock, settings: ServiceSettings) -> None:
        self.collection: Collection = database.collection("parked")
        self._consumer = consumer
        self._clock = clock
        self._backoff = Backoff(
            settings.parked_first_retry_seconds, settings.parked_longest_retry_seconds, max_doublings=10
        )

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
        now = self._clock.now()
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
            document["retry_at"] = now + timedelta(seconds=self._backoff.first)
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
            {"_id": document_id, "status": WAITING}, {**change, "$set": {"retry_at": _AT_ONCE}}
        ):
            return True
        return await self.collection.update({"_id": document_id}, change)

    async def to_look_at(self) -> AsyncIterator[Document]:
        """What is to be tried again now, or was asked for; without the events."""
        where = {"retry_at": {"$lte": self._clock.now()}}
        async for row in self.collection.find(where, {"events": 0}):
            if row["consumer"] == self._consumer:
                yield row

    async def load(self, document_id: str) -> ParkedSubject | None:
        """One parked subject."""
        found = await self.collection.find_one({"_id": document_id})
        return ParkedSubject.from_document(found) if found else None

    async def settled(self, subject: ParkedSubject) -> None:
        """The first event is done with; the document goes when it was the last.

        What comes behind it was not tried yet: it waits, whatever the first was parked for, and whoever dies now.
        """
        if subject.events:
            untried = {"status": WAITING, "reason": "not_yet", "detail": "the event before it is done"}
            gone = {
                "$pull": {"events": {"at": subject.events[0].at}},
                "$set": {**untried, "attempts": 0, "retry_at": _AT_ONCE},
            }
            as_read = {"_id": subject.id, "asked": subject.asked}
            if not await self.collection.update(as_read, {**gone, "$unset": {"asked": ""}}):
                await self.collection.update({"_id": subject.id}, gone)  # somebody asked for something else meanwhile
        await self.collection.delete({"_id": subject.id, "events": []})

    async def again(self, subject: ParkedSubject, trouble: Trouble) -> None:
        """The first event failed again. Changes nothing where another event is first by now, or more was asked for."""
        marks: Document = {
            "status": trouble.status,
            "reason": trouble.reason,
            "detail": trouble.detail,
            "attempts": subject.attempts + 1,
        }
        unset = {"asked": ""}
        if trouble.status == WAITING:
            marks["retry_at"] = self._clock.now() + timedelta(seconds=self._backoff.pause(subject.attempts))
        else:
            unset["retry_at"] = ""
        await self.collection.update(
            {**_still_first(subject.id, subject.events[0].at), "asked": subject.asked}, {"$set": marks, "$unset": unset}
        )

    async def counts(self) -> dict[str, int]:
        """How many subjects, by status."""
        return {
            status: await self.collection.count({"consumer": self._consumer, "status": status})
            for status in (WAITING, PARKED)
        }


def _still_first(document_id: str, at: int) -> Filter:
    """The parked subject for as long as this event is the first of its line, wherever in the array it stands."""
    return {"_id": document_id, "events": {"$elemMatch": {"at": at}, "$not": {"$elemMatch": {"at": {"$lt": at}}}}}


async def ask(database: Database, document_ids: Sequence[str], action: str) -> int:
    """Asks the partitions' owners to `replay` or `discard` what is first in each line now; how many were asked."""
    collection = database.collection("parked")
    wishes = []
    async for row in collection.find({"_id": {"$in": list(document_ids)}}):
        if not row["events"]:
            continue
        first = min(event["at"] for event in row["events"])
        wish = {"action": action, "at": first, "reason": row["reason"], "id": chance.new_id()}
        marks = {"asked": wish, "retry_at": _AT_ONCE}
        wishes.append(Update(_still_first(row["_id"], first), {"$set": marks}))
    return await collection.bulk(wishes)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parked subjects are meant; None means any."""

    subject: str | None = None
    """The subject's id, or the parked document's."""
    reason: str | None = None
    older_than: timedelta | None = None

    def takes(self, row: Document, now: datetime) -> bool:
        """Whether a parked document is meant; `now` by the services' clock."""
        if self.subject is not None and not row["_id"].endswith(f"/{self.subject}") and row["_id"] != self.subject:
            return False
        if self.reason is not None and row["reason"] != self.reason:
            return False
        return self.older_than is None or now - row["since"] > self.older_than


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


async def parked_rows(database: Database, selection: Selection, now: datetime) -> AsyncIterator[Row]:
    """The parked subjects of one service that are meant; `now` by the services' clock."""
    async for row in database.collection("parked").find({}):
        if selection.takes(row, now):
            yield Row(
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
