"""The chassis broken on purpose, to prove that the simulation would notice. Each patches its own process for good.

The chaos suite's sabotages (but for the files, which are not simulated), subtler ones, and the mends of faults that the
simulation found, undone again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import TopicPartition

from chassis import mongo
from chassis.aggregates import due
from chassis.aggregates.document import DocumentCodec
from chassis.background import Background
from chassis.events import partitions
from chassis.events.applying import ChunkApplier
from chassis.events.consumer import Consumer
from chassis.events.parked_drain import ParkedDrain
from chassis.events.parking import ParkedSubject, ParkingStore, ProcessingFailure, StoredEvent
from chassis.events.partitions import Assignment
from chassis.events.processing import read_envelope
from chassis.events.relay import Relay
from contracts.envelope import Envelope, Event
from tests.chaos import sabotage as chaos
from tests.simulation import broker, services

# Subtler than the chaos suite's


def work_list_unguarded() -> None:
    """The relay takes documents off its work list, whatever was said in the meantime."""

    async def _mark(self: Relay, store: Any, sequence: int, group: list[Any]) -> list[Any]:
        told = {"$max": {"published": sequence}, "$unset": {"unpublished_since": ""}}
        await store.collection.update_all({"_id": {"$in": [subject.id for subject in group]}}, told)
        return []

    Relay._mark_complete = _mark  # type: ignore[method-assign]


def settled_before_saved() -> None:
    """A parked event is taken off before its position is saved."""

    async def _drain_first(self: ParkedDrain, subject: ParkedSubject) -> bool:
        stored = subject.events[0]
        envelope = read_envelope(stored)
        assert isinstance(envelope, Envelope)
        last = (await self._positions.load([envelope.source])).get(envelope.source)
        failure = await self._processor.process(envelope, stored, last)
        if failure is not None:
            await self._parking.record_failure(subject, failure)
            return False
        await self._parking.remove_first(subject)
        await self._positions.save({envelope.source: stored.position})
        return True

    ParkedDrain._drain_first = _drain_first  # type: ignore[method-assign]


def parked_before_saved() -> None:
    """What was done of a subject isn't saved before its next event is parked."""

    async def _park(
        self: ChunkApplier, envelope: Envelope, stored: StoredEvent, failure: ProcessingFailure, chunk: Any
    ) -> None:
        document_id = self._parking.id_of(envelope.source)
        await self._retry(lambda: self._parking.park(document_id, envelope.tenant, stored, failure), "parking")
        chunk.parked.add(envelope.source)

    ChunkApplier._park = _park  # type: ignore[method-assign]


def settled_unguarded() -> None:
    """The parked document goes with the last event that was read, though another was added since."""

    remove_first = ParkingStore.remove_first

    async def _settled(self: ParkingStore, subject: ParkedSubject) -> None:
        await remove_first(self, subject)
        if len(subject.events) <= 1:
            await self.collection.delete({"_id": subject.id})

    ParkingStore.remove_first = _settled  # type: ignore[method-assign]


def turn_ignored() -> None:
    """Records fetched before a rebalance are handled after it."""
    on_records = Consumer._on_records

    async def _on_records(self: Consumer, records: Any, _: int) -> None:
        await on_records(self, records, self.assignment.rebalances)

    Consumer._on_records = _on_records  # type: ignore[method-assign]


class _NoLock:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


def lock_absent() -> None:
    """Parked events of a partition are tried beside its next chunk."""
    state = partitions.PartitionState

    def _made() -> Any:
        made = state()
        made.lock = _NoLock()  # type: ignore[assignment]
        return made

    partitions.PartitionState = _made  # type: ignore[assignment, misc]


def postpone_unguarded() -> None:
    """Due work is put off, whatever became due in the meantime."""
    put_off = due._put_off

    async def _put_off(collection: Any, where: Any, found: Any, work: Any, until: Any) -> bool:
        unguarded = {name: value for name, value in where.items() if name != "version"}
        return bool(await put_off(collection, unguarded, found, work, until))

    due._put_off = _put_off


# Mends undone


def the_client_asked() -> None:
    """What is ours is asked of the client, which names the old partitions while there are none."""

    init = Consumer.__init__

    def _init(self: Consumer, *given: Any, **named: Any) -> None:
        init(self, *given, **named)
        self.assignment.asked = self  # type: ignore[attr-defined]

    async def _revoked(self: Consumer, revoked: Iterable[TopicPartition]) -> None:
        self.assignment.rebalances += 1
        states = self.assignment.partitions
        gone = [states.pop(each) for each in revoked if each in states]
        await partitions.cancel_and_wait(task for state in gone for task in (state.worker, state.drain))

    def _owned(self: Any) -> Any:
        return self.asked.client.assignment() if self.asked._broker is not None else frozenset()

    Consumer.__init__ = _init  # type: ignore[method-assign]
    Consumer.on_partitions_revoked = _revoked  # type: ignore[method-assign]
    Assignment.owned = property(_owned, lambda self, value: None)  # type: ignore[assignment]


def drain_goes_on() -> None:
    """A revocation leaves the drain of parked subjects running."""

    async def _revoke_all(self: Assignment) -> None:
        self.rebalances += 1
        self.owned = None
        gone, self.partitions = self.partitions, {}
        await partitions.cancel_and_wait(state.worker for state in gone.values())

    Assignment.revoke_all = _revoke_all  # type: ignore[method-assign]


def verdict_by_id() -> None:
    """A verdict falls on whatever is first by now, and unsets whatever was asked for."""
    update = mongo.Collection.update

    async def _update(self: mongo.Collection, where: Any, change: Any, *, upsert: bool = False) -> bool:
        if self.name == "parked" and "asked" in where:
            where = {"_id": where["_id"]}
        return await update(self, where, change, upsert=upsert)

    mongo.Collection.update = _update  # type: ignore[method-assign]


def leading_ends() -> None:
    """An error of the database that nobody translates ends a background task for good."""
    mongo._RETRYABLE_CODES -= {134, 10058}
    mongo._REFUSED_CODES = frozenset()
    Background._ended = lambda *_: None  # type: ignore[method-assign]


def settled_keeps_status() -> None:
    """What comes behind a settled event stays parked for the first one's reason, until somebody asks."""

    async def _settled(self: ParkingStore, subject: ParkedSubject) -> None:
        if subject.events:
            gone = {"$pull": {"events": {"at": subject.events[0].position}}}
            as_read = {"_id": subject.id, "asked": subject.request}
            if not await self.collection.update(as_read, {**gone, "$unset": {"asked": ""}}):
                await self.collection.update({"_id": subject.id}, gone)
        await self.collection.delete({"_id": subject.id, "events": []})

    ParkingStore.remove_first = _settled  # type: ignore[method-assign]


def newer_fields_dropped() -> None:
    """An older release removes the fields that only a newer one knows."""
    DocumentCodec.is_dropped = lambda self, name, state: name not in state  # type: ignore[method-assign]


def newer_hears_v2_alone() -> None:
    """The newer release ignores v1, which the older one said before v2: between the two, a partition changes hands."""

    def _heard_by(*, newer: bool) -> tuple[type[Event], ...]:
        return (services.NotedV2,) if newer else (services.Noted,)

    services.heard_by = _heard_by  # type: ignore[assignment]


SABOTAGES: dict[str, Callable[[], None]] = {
    "commit_first": chaos.commit_first,
    "mark_first": chaos.mark_first,
    "seen_ignored": chaos.seen_ignored,
    "sends_reordered": chaos.sends_reordered,
    "stale_parked": chaos.stale_parked,
    "key_changed": lambda: chaos.key_changed(broker.Transport),
    "work_list_unguarded": work_list_unguarded,
    "settled_before_saved": settled_before_saved,
    "parked_before_saved": parked_before_saved,
    "settled_unguarded": settled_unguarded,
    "turn_ignored": turn_ignored,
    "lock_absent": lock_absent,
    "postpone_unguarded": postpone_unguarded,
    "the_client_asked": the_client_asked,
    "drain_goes_on": drain_goes_on,
    "verdict_by_id": verdict_by_id,
    "leading_ends": leading_ends,
    "settled_keeps_status": settled_keeps_status,
    "newer_fields_dropped": newer_fields_dropped,
    "newer_hears_v2_alone": newer_hears_v2_alone,
}
