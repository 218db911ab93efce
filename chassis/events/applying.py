"""A chunk of records of one partition: subjects side by side, each in order, until every event is applied or parked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka import ConsumerRecord

from chassis import metrics
from chassis.events.parking import PARKED, WAITING, ParkingStore, ProcessingFailure, StoredEvent
from chassis.events.positions import PositionStore, position_of
from chassis.events.processing import EventProcessor, consumer_backoff, read_envelope
from chassis.logging import get_logger
from chassis.retry import retry_while_away
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, EnvelopeError

log = get_logger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class _Chunk:
    """What is known of the subjects of a chunk."""

    positions: dict[str, int]
    """The last finished position by source."""
    parked: set[str]
    """The sources of parked subjects."""
    advanced: dict[str, int] = field(default_factory=dict)
    """The positions to save once the chunk is applied."""


class ChunkApplier:
    """Applies chunks of records. When `apply` returns, their offsets may be committed."""

    def __init__(
        self,
        service: str,
        processor: EventProcessor,
        positions: PositionStore,
        parking: ParkingStore,
        settings: ServiceSettings,
    ) -> None:
        self._service = service
        self._processor = processor
        self._positions = positions
        self._parking = parking
        self._concurrency = settings.delivery_concurrency
        self._backoff = consumer_backoff(settings)

    async def apply(self, records: list[ConsumerRecord]) -> None:
        """Applies, ignores or parks each event durably. Waits while an engine is away."""
        events = [(record, read_envelope(record)) for record in records]
        sources = {envelope.source for _, envelope in events if isinstance(envelope, Envelope)}
        # Whoever had the partition before may still be writing, a position first and the parked subject after it. Read
        # the other way round, what is seen of the parked subject is never newer than what is seen of the position.
        parked = await self._retry(lambda: self._parking.parked_among(sources), "parked")
        positions = await self._retry(lambda: self._positions.load(sources), "positions")
        chunk = _Chunk(positions, parked)
        by_key: dict[bytes, list[tuple[ConsumerRecord, Envelope | EnvelopeError]]] = {}
        for record, envelope in events:
            by_key.setdefault(record.key or b"", []).append((record, envelope))
        slots = asyncio.Semaphore(self._concurrency)

        async def _in_order(events_of_key: list[tuple[ConsumerRecord, Envelope | EnvelopeError]]) -> None:
            async with slots:
                for record, envelope in events_of_key:
                    await self._apply_one(record, envelope, chunk)

        async with asyncio.TaskGroup() as group:
            for events_of_key in by_key.values():
                group.create_task(_in_order(events_of_key))
        await self._retry(lambda: self._positions.save(chunk.advanced), "positions")

    async def _apply_one(self, record: ConsumerRecord, envelope: Envelope | EnvelopeError, chunk: _Chunk) -> None:
        if isinstance(envelope, EnvelopeError):
            await self._park_undecodable(record)
            return
        stored = StoredEvent.from_record(record, position_of(envelope))
        if await self._append_to_parked(envelope, stored, chunk):
            return
        source = envelope.source
        failure = await self._processor.process(envelope, stored, chunk.positions.get(source))
        if failure is not None:
            await self._park(envelope, stored, failure, chunk)
            return
        chunk.positions[source] = chunk.advanced[source] = max(stored.position, chunk.positions.get(source, 0))

    async def _append_to_parked(self, envelope: Envelope, stored: StoredEvent, chunk: _Chunk) -> bool:
        """Appends an event of a parked subject to those parked. Returns False if the subject isn't parked."""
        source = envelope.source
        if source not in chunk.parked:
            return False
        if stored.position <= chunk.positions.get(source, 0):
            # A repetition of what was finished before: it must not become the first of those parked.
            self._processor.count(envelope, "ignored")
            return True
        if await self._retry(lambda: self._parking.append(self._parking.id_of(source), stored), "parking"):
            self._processor.count(envelope, "parked")
            return True
        chunk.parked.discard(source)
        chunk.positions.update(await self._retry(lambda: self._positions.load([source]), "positions"))
        return False

    async def _park(self, envelope: Envelope, stored: StoredEvent, failure: ProcessingFailure, chunk: _Chunk) -> None:
        source = envelope.source
        if source in chunk.advanced:
            # First what was finished of the subject: its parked events must not begin before that.
            advanced = {source: chunk.advanced[source]}
            await self._retry(lambda: self._positions.save(advanced), "positions")
        document_id = self._parking.id_of(source)
        await self._retry(lambda: self._parking.park(document_id, envelope.tenant, stored, failure), "parking")
        chunk.parked.add(source)
        self._processor.count(envelope, "parked")
        log.log(
            logging.WARNING if failure.status == WAITING else logging.ERROR,
            "event parked",
            event_type=envelope.type,
            event_id=envelope.id,
            tenant=envelope.tenant,
            reason=failure.reason,
            detail=failure.detail,
        )

    async def _park_undecodable(self, record: ConsumerRecord) -> None:
        document_id = self._parking.id_of_record(record)
        stored = StoredEvent.from_record(record, record.offset)
        failure = ProcessingFailure(PARKED, "undecodable", "EnvelopeError")
        await self._retry(lambda: self._parking.park(document_id, "", stored, failure), "parking")
        log.error(
            "event parked", reason="undecodable", topic=record.topic, partition=record.partition, offset=record.offset
        )
        metrics.EVENTS_HANDLED.labels(self._service, "undecodable", "parked").inc()

    async def _retry(self, step: Callable[[], Awaitable[T]], what: str) -> T:
        """Repeats a step for as long as an engine is away."""
        return await retry_while_away(
            step, self._backoff, lambda away: log.warning("waiting for an engine", step=what, reason=away.detail)
        )
