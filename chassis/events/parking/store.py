"""The store of a consumer's parked subjects: parks events, adds later ones, and takes them off in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta

from aiokafka import ConsumerRecord

from chassis.clock import Clock
from chassis.errors import DuplicateKey
from chassis.events.parking.documents import PARKED, WAITING, ParkedSubject, ProcessingFailure, StoredEvent
from chassis.mongo import Collection, Database, Document, Filter, Index
from chassis.retry import Backoff
from chassis.settings import ServiceSettings

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""Due by every instance's clock."""


class ParkingStore:
    """The parked subjects of one consumer."""

    indexes = (Index((("retry_at", 1),), "what the partition's owner tries next", sparse=True),)

    def __init__(self, database: Database, consumer: str, clock: Clock, settings: ServiceSettings) -> None:
        self.collection: Collection = database.collection("parked")
        self._consumer = consumer
        self._clock = clock
        self._backoff = Backoff(
            settings.parked_first_retry_seconds, settings.parked_longest_retry_seconds, max_doublings=10
        )

    def id_of(self, source: str) -> str:
        """The id of the document for a subject's source."""
        return self._consumer + source

    def id_of_record(self, record: ConsumerRecord) -> str:
        """The id of the document for a record whose source can't be read."""
        return f"{self._consumer}#{record.topic}/{record.partition}/{record.offset}"

    async def parked_among(self, sources: Iterable[str]) -> set[str]:
        """Which of these subjects are parked."""
        ids = [self._consumer + source for source in sources]
        rows = self.collection.find({"_id": {"$in": ids}}, {"_id": 1})
        return {row["_id"].removeprefix(self._consumer) async for row in rows}

    async def park(self, document_id: str, tenant: str, stored: StoredEvent, failure: ProcessingFailure) -> None:
        """Parks an event: makes the subject's document, or appends the event to it."""
        now = self._clock.now()
        document: Document = {
            "_id": document_id,
            "consumer": self._consumer,
            "tenant": tenant,
            "topic": stored.topic,
            "partition": stored.partition,
            "status": failure.status,
            "reason": failure.reason,
            "detail": failure.detail,
            "since": now,
            "attempts": 0,
            "events": [stored.to_document()],
        }
        if failure.status == WAITING:
            document["retry_at"] = now + timedelta(seconds=self._backoff.first)
        while True:
            try:
                return await self.collection.insert(document)
            except DuplicateKey:
                if await self.append(document_id, stored):
                    return None

    async def append(self, document_id: str, stored: StoredEvent) -> bool:
        """Appends an event of a parked subject. Returns False if the subject is no longer parked.

        The event may be the one that was missing, so a waiting subject becomes due at once.
        """
        known = {"_id": document_id, "events.at": stored.position}
        if await self.collection.find_one(known, {"_id": 1}):
            return True
        change = {"$push": {"events": stored.to_document()}}
        if await self.collection.update(
            {"_id": document_id, "status": WAITING}, {**change, "$set": {"retry_at": AT_ONCE}}
        ):
            return True
        return await self.collection.update({"_id": document_id}, change)

    async def due(self) -> AsyncIterator[Document]:
        """The subjects to try now, or that an operator requested; without their events."""
        where = {"retry_at": {"$lte": self._clock.now()}}
        async for row in self.collection.find(where, {"events": 0}):
            if row["consumer"] == self._consumer:
                yield row

    async def load(self, document_id: str) -> ParkedSubject | None:
        """One parked subject; None if it is no longer parked."""
        document = await self.collection.find_one({"_id": document_id})
        return ParkedSubject.from_document(document) if document else None

    async def remove_first(self, subject: ParkedSubject) -> None:
        """Removes the first event, which is done, and the document with the last one.

        The next event was not tried yet, so the subject is waiting again, whatever the first was parked for. The same
        write says so: the process may be killed right after it.
        """
        if subject.events:
            untried = {"status": WAITING, "reason": "not_yet", "detail": "the event before it is done"}
            gone = {
                "$pull": {"events": {"at": subject.events[0].position}},
                "$set": {**untried, "attempts": 0, "retry_at": AT_ONCE},
            }
            as_read = {"_id": subject.id, "asked": subject.request}
            if not await self.collection.update(as_read, {**gone, "$unset": {"asked": ""}}):
                await self.collection.update(
                    {"_id": subject.id}, gone
                )  # an operator requested something else meanwhile
        await self.collection.delete({"_id": subject.id, "events": []})

    async def record_failure(self, subject: ParkedSubject, failure: ProcessingFailure) -> None:
        """Records that the first event failed again.

        Changes nothing if another event is first by now, or if an operator requested something else meanwhile.
        """
        marks: Document = {
            "status": failure.status,
            "reason": failure.reason,
            "detail": failure.detail,
            "attempts": subject.attempts + 1,
        }
        unset = {"asked": ""}
        if failure.status == WAITING:
            marks["retry_at"] = self._clock.now() + timedelta(seconds=self._backoff.pause(subject.attempts))
        else:
            unset["retry_at"] = ""
        await self.collection.update(
            {**while_first(subject.id, subject.events[0].position), "asked": subject.request},
            {"$set": marks, "$unset": unset},
        )

    async def counts(self) -> dict[str, int]:
        """The number of subjects by status."""
        return {
            status: await self.collection.count({"consumer": self._consumer, "status": status})
            for status in (WAITING, PARKED)
        }


def while_first(document_id: str, position: int) -> Filter:
    """Matches the parked subject only while this event is its first, wherever in the array it is."""
    return {
        "_id": document_id,
        "events": {"$elemMatch": {"at": position}, "$not": {"$elemMatch": {"at": {"$lt": position}}}},
    }
