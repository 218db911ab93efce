"""Parked subjects that are due: their events are tried again, or discarded if an operator requested it."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition

from chassis import metrics
from chassis.errors import EngineAway
from chassis.events.parking import PARKED, WAITING, ParkedSubject, ParkingStore, ProcessingFailure, StoredEvent
from chassis.events.partitions import Assignment, PartitionState
from chassis.events.positions import PositionStore, follows
from chassis.events.processing import EventProcessor, read_envelope
from chassis.logging import get_logger
from contracts.envelope import Envelope, EnvelopeError

log = get_logger(__name__)


class ParkedDrain:
    """Works off the parked subjects of the partitions that a consumer owns."""

    def __init__(
        self,
        service: str,
        assignment: Assignment,
        processor: EventProcessor,
        positions: PositionStore,
        parking: ParkingStore,
    ) -> None:
        self._service = service
        self._assignment = assignment
        self._processor = processor
        self._positions = positions
        self._parking = parking

    async def start_due(self) -> None:
        """Starts a task for each owned partition with parked subjects that are due. A revocation cancels it."""
        rebalances = self._assignment.rebalances
        due: dict[TopicPartition, list[str]] = {}
        async for row in self._parking.due():
            due.setdefault(TopicPartition(row["topic"], row["partition"]), []).append(row["_id"])
        if rebalances == self._assignment.rebalances and not self._assignment.stopping:
            for partition, document_ids in due.items():
                if partition in (self._assignment.owned or ()):
                    self._start(self._assignment.state_of(partition), document_ids)

    async def count_parked(self) -> None:
        """Tells the metrics how many subjects are parked."""
        for status, count in (await self._parking.counts()).items():
            metrics.EVENTS_PARKED.labels(self._service, status).set(count)

    def _start(self, state: PartitionState, document_ids: list[str]) -> None:
        if state.drain is None or state.drain.done():
            state.drain = asyncio.create_task(self._drain_partition(state, document_ids))

    async def _drain_partition(self, state: PartitionState, document_ids: list[str]) -> None:
        for document_id in document_ids:
            try:
                async with state.lock:
                    await self._drain_subject(document_id)
            except EngineAway as away:
                log.warning("waiting for an engine", step="parked", reason=away.detail)
                return
            except Exception:
                log.exception("a parked subject could not be tried again", parked=document_id)

    async def _drain_subject(self, document_id: str) -> None:
        while subject := await self._parking.load(document_id):
            if not subject.events:
                await self._parking.remove_first(subject)
                return
            if not await self._drain_first(subject):
                return

    async def _drain_first(self, subject: ParkedSubject) -> bool:
        """Tries or discards the first parked event. Returns whether the next one may be tried."""
        stored = subject.events[0]
        envelope = read_envelope(stored)
        if isinstance(envelope, EnvelopeError):
            return await self._drain_undecodable(subject, stored)
        source = envelope.source
        last = (await self._positions.load([source])).get(source)
        behind_hole = not follows(stored.position, last)
        if subject.discard_requested(behind_hole=behind_hole):
            await self._discard(subject, stored, envelope, behind_hole=behind_hole)
            return True
        failure = await self._processor.process(envelope, stored, last)
        if failure is not None:
            await self._parking.record_failure(subject, failure)
            return False
        await self._positions.save({source: stored.position})
        await self._parking.remove_first(subject)
        return True

    async def _drain_undecodable(self, subject: ParkedSubject, stored: StoredEvent) -> bool:
        if subject.discard_requested(behind_hole=False):
            log.warning("parked bytes discarded", topic=stored.topic, partition=stored.partition, offset=stored.offset)
            await self._parking.remove_first(subject)
            return True
        await self._parking.record_failure(subject, ProcessingFailure(PARKED, "undecodable", "EnvelopeError"))
        return False

    async def _discard(
        self, subject: ParkedSubject, stored: StoredEvent, envelope: Envelope, *, behind_hole: bool
    ) -> None:
        """Discards the first event. Behind a hole, gives up the missing events instead and keeps this one."""
        if behind_hole:
            await self._positions.save({envelope.source: stored.position - 1})
            await self._parking.record_failure(subject, ProcessingFailure(WAITING, "not_yet", "the hole was accepted"))
            log.warning("a hole was accepted", event_id=envelope.id, sequence=envelope.sequence)
            return
        await self._positions.save({envelope.source: stored.position})
        await self._parking.remove_first(subject)
        self._processor.count(envelope, "discarded")
        log.warning("parked event discarded", event_type=envelope.type, event_id=envelope.id)
