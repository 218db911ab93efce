"""From the broker to handlers: each event decoded by itself, subjects side by side, one subject in order, none skipped.

A partition with much unfinished work is paused while polling goes on, so an outage of any length keeps the group
together and the memory bounded.
Offsets are committed once the work of a chunk is done: applied, ignored, or parked durably.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream.kafka import KafkaBroker
from pydantic import ValidationError

from chassis import chance, context, metrics
from chassis.aggregates import Received
from chassis.background import Background
from chassis.clock import Clock, SystemClock
from chassis.errors import Away, EngineAway, Failure, NotFound, NotYet
from chassis.events.parking import (
    HOLE,
    PARKED,
    WAITING,
    ParkedSubject,
    Parking,
    Positions,
    Stored,
    Trouble,
    describe,
    follows,
    place_of,
)
from chassis.events.subscriptions import Subscriptions
from chassis.events.transport import Transport
from chassis.logging import get_logger
from chassis.mongo import Database
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, EnvelopeError

log = get_logger(__name__)

T = TypeVar("T")

CHUNK = 500
_FIRST_PAUSE = 0.05
_LAG_SECONDS = 5.0
"""The longest that the client may take to tell its lag."""


@dataclass(slots=True)
class _Partition:
    """What one assigned partition has to do."""

    queue: deque[ConsumerRecord] = field(default_factory=deque)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while events of it are applied, so that a replay of parked ones does not run beside."""
    task: asyncio.Task[None] | None = None
    """Applies what is in the queue."""
    drain: asyncio.Task[None] | None = None
    """Tries parked subjects again."""
    done: int = 0
    """Offset behind the last event done."""


@dataclass(slots=True)
class _Chunk:
    """What is known of the subjects in a run of records."""

    positions: dict[str, int]
    parked: set[str]
    moved: dict[str, int] = field(default_factory=dict)


class Delivery(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One consumer of one service."""

    def __init__(
        self,
        service: str,
        database: Database,
        subscriptions: Subscriptions,
        transport: Transport,
        settings: ServiceSettings,
        *,
        consumer: str = "",
        clock: Clock | None = None,
        background: Background | None = None,
    ) -> None:
        """`consumer` is its name where a service has several; the service's own name else.

        `clock` is the service's: by it parked events are tried again, and told how late their effect is. `background`
        watches the consumer's tasks; one of its own else.
        """
        self._name = consumer or service
        self._service = service
        self._subscriptions = subscriptions
        self._transport = transport
        self._settings = settings
        self._clock = clock or SystemClock()
        self._background = background or Background(settings.background_limit_seconds)
        self._positions = Positions(database, self._name)
        self.parking = Parking(database, self._name, self._clock, settings)
        self.group = settings.group_prefix + self._name
        self._broker: KafkaBroker | None = None
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._owned: frozenset[TopicPartition] | None = None
        """What the group gave us; None between a revocation and the next assignment, when nothing is ours. Not asked
        of the client, which names the old partitions until it has new ones."""
        self._unknown: dict[str, float] = {}
        """Subjects whose handler failed in an unknown way, and when last."""
        self._halted = False
        self._stopping = False
        self._turn = 0
        """Counts rebalances: records fetched before one are not ours to handle after it."""
        self._progress = chance.monotonic()

    # Living

    async def start(self) -> None:
        """Joins the group.

        Raises:
            EngineAway: broker or database can't be reached.
        """
        await self.parking.collection.ensure(self.parking.indexes)
        await self._connect()
        for name, step, seconds in (
            (self._parked_task, self._look_at_parked, self._settings.parked_retry_seconds),
            (self._watch_task, self._watch, self._settings.watch_seconds),
        ):
            forever = functools.partial(self._forever, name, step, seconds)
            self._background.start(name, forever, every_seconds=seconds)

    @property
    def _parked_task(self) -> str:
        return f"{self._name}: parked events"

    @property
    def _watch_task(self) -> str:
        return f"{self._name}: watch over the consumer"

    async def _connect(self) -> None:
        names = [topic.name for topic in self._subscriptions.topics]
        self._broker = await self._transport.subscribe(names, self.group, self, self._on_records, lambda: self._turn)

    async def stop(self) -> None:
        """Ends the chunks that were begun, commits them, leaves the group."""
        self._stopping = True
        await self._background.stop(self._parked_task, self._watch_task)
        await _ended(partition.drain for partition in self._partitions.values())
        working = [partition.task for partition in self._partitions.values() if partition.task]
        if working:
            _, late = await asyncio.wait(working, timeout=self._settings.stop_timeout_seconds / 2)
            await _ended(late)
        await self._disconnect()

    async def _disconnect(self) -> None:
        broker, self._broker = self._broker, None
        if broker is None:
            return
        try:
            async with asyncio.timeout(self._settings.stop_timeout_seconds / 2):
                await broker.stop()
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("the consumer was dropped rather than closed", reason=describe(error))

    async def _forever(self, name: str, step: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await step()
                self._background.succeeded(name)
            except EngineAway as away:
                log.warning("waiting for an engine", reason=away.detail)
            except Exception:
                log.exception("a consumer's background step failed")

    @property
    def _consumer(self) -> Any:
        """aiokafka's consumer of the one subscriber."""
        if self._broker is None:
            raise EngineAway("not connected to the broker")
        subscriber: Any = next(iter(self._broker.subscribers))
        if subscriber.consumer is None:
            raise EngineAway("not connected to the broker")
        return subscriber.consumer

    # Records in

    async def on_partitions_revoked(self, _: Iterable[TopicPartition]) -> None:
        """Gives up all that is unfinished: whoever gets a partition reads from its last commit.

        All, not only what is named: a rebalance takes everything (aiokafka's assignors are eager), and what was made
        here before an assignment came may be unknown to the client.
        """
        self._turn += 1
        self._owned = None
        gone, self._partitions = self._partitions, {}
        await _ended(task for partition in gone.values() for task in (partition.task, partition.drain))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Records may arrive before this: their partition's state is made with the first of them."""
        self._owned = frozenset(assigned)
        self._progress = chance.monotonic()

    async def _on_records(self, records: tuple[ConsumerRecord, ...], turn: int) -> None:
        if turn != self._turn:
            # Fetched before a rebalance. To commit behind them would skip what was given up unfinished before them.
            return
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            partition = self._partitions.setdefault(place, _Partition())
            partition.queue.append(record)
            if len(partition.queue) == CHUNK:
                # Not sooner: resumed, a partition waits for the fetch under way, up to half a second, to end first.
                with contextlib.suppress(IllegalStateError, EngineAway):
                    self._consumer.pause(place)
            if partition.task is None or partition.task.done():
                partition.task = asyncio.create_task(self._work(place, partition))

    async def _work(self, place: TopicPartition, partition: _Partition) -> None:
        while partition.queue and not self._stopping:
            records = [partition.queue.popleft() for _ in range(min(CHUNK, len(partition.queue)))]
            async with partition.lock:
                await self._until_applied(records)
            await self._commit(place, records[-1].offset + 1)
            partition.done = records[-1].offset + 1
            self._progress = chance.monotonic()
        if not self._stopping:
            with contextlib.suppress(IllegalStateError, EngineAway):
                self._consumer.resume(place)

    async def _until_applied(self, records: list[ConsumerRecord]) -> None:
        """A fault of ours must not leave a partition paused for good: the chunk is tried again; effects happen once."""
        while True:
            try:
                return await self._apply_all(records)
            except Exception:
                log.exception("a chunk of events failed", topic=records[0].topic, partition=records[0].partition)
                await asyncio.sleep(self._longest_pause)

    async def _commit(self, place: TopicPartition, offset: int) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._consumer.commit({place: (offset, "")})
            except (CommitFailedError, IllegalStateError):
                log.info("offset not committed: the partition went elsewhere", topic=place.topic)
                return
            except (KafkaError, EngineAway) as error:
                log.warning("offset can't be committed at present", reason=describe(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._longest_pause)
            else:
                return

    @property
    def _longest_pause(self) -> float:
        return self._settings.delivery_longest_pause_seconds

    async def _patiently(self, step: Callable[[], Awaitable[T]], what: str) -> T:
        """Repeats a step for as long as an engine is away, with growing pauses."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await step()
            except EngineAway as away:
                log.warning("waiting for an engine", step=what, reason=away.detail)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._longest_pause)

    # Applying

    async def _apply_all(self, records: list[ConsumerRecord]) -> None:
        read = [(record, _envelope_of(record)) for record in records]
        sources = {envelope.source for _, envelope in read if isinstance(envelope, Envelope)}
        positions, parked = await asyncio.gather(
            self._patiently(lambda: self._positions.load(sources), "positions"),
            self._patiently(lambda: self.parking.parked_among(sources), "parked"),
        )
        chunk = _Chunk(positions, parked)
        lines: dict[bytes, list[tuple[ConsumerRecord, Envelope | EnvelopeError]]] = {}
        for record, envelope in read:
            lines.setdefault(record.key or b"", []).append((record, envelope))
        slots = asyncio.Semaphore(self._settings.delivery_concurrency)

        async def _line(events: list[tuple[ConsumerRecord, Envelope | EnvelopeError]]) -> None:
            async with slots:
                for record, envelope in events:
                    await self._one(record, envelope, chunk)

        async with asyncio.TaskGroup() as group:
            for events in lines.values():
                group.create_task(_line(events))
        await self._patiently(lambda: self._positions.save(chunk.moved), "positions")

    async def _one(self, record: ConsumerRecord, envelope: Envelope | EnvelopeError, chunk: _Chunk) -> None:
        if isinstance(envelope, EnvelopeError):
            await self._park_undecodable(record)
            return
        stored = Stored.of(record, place_of(envelope))
        if await self._joined(envelope, stored, chunk):
            return
        source = envelope.source
        trouble = await self._applied(envelope, stored, chunk.positions.get(source))
        if trouble is not None:
            await self._park(envelope, stored, trouble, chunk)
            return
        chunk.positions[source] = chunk.moved[source] = max(stored.at, chunk.positions.get(source, 0))

    async def _joined(self, envelope: Envelope, stored: Stored, chunk: _Chunk) -> bool:
        """Adds an event of a parked subject to those parked, if it is still parked."""
        source = envelope.source
        if source not in chunk.parked:
            return False
        if stored.at <= chunk.positions.get(source, 0):
            self._count(envelope, "ignored")  # a repetition of what was done before: not the first of those parked
            return True
        if await self._patiently(lambda: self.parking.join(self.parking.id_of(source), stored), "parking"):
            self._count(envelope, "parked")
            return True
        chunk.parked.discard(source)
        chunk.positions.update(await self._patiently(lambda: self._positions.load([source]), "positions"))
        return False

    async def _park(self, envelope: Envelope, stored: Stored, trouble: Trouble, chunk: _Chunk) -> None:
        source = envelope.source
        if source in chunk.moved:
            # First what was done of the subject: its parked line must not begin before that.
            moved = {source: chunk.moved[source]}
            await self._patiently(lambda: self._positions.save(moved), "positions")
        document_id = self.parking.id_of(source)
        await self._patiently(lambda: self.parking.park(document_id, envelope.tenant, stored, trouble), "parking")
        chunk.parked.add(source)
        self._count(envelope, "parked")
        log.log(
            logging.WARNING if trouble.status == WAITING else logging.ERROR,
            "event parked",
            event_type=envelope.type,
            event_id=envelope.id,
            tenant=envelope.tenant,
            reason=trouble.reason,
            detail=trouble.detail,
        )

    async def _park_undecodable(self, record: ConsumerRecord) -> None:
        document_id = f"{self._name}#{record.topic}/{record.partition}/{record.offset}"
        trouble = Trouble(PARKED, "undecodable", "EnvelopeError")
        await self._patiently(
            lambda: self.parking.park(document_id, "", Stored.of(record, record.offset), trouble), "parking"
        )
        log.error(
            "event parked", reason="undecodable", topic=record.topic, partition=record.partition, offset=record.offset
        )
        metrics.EVENTS_HANDLED.labels(self._service, "undecodable", "parked").inc()

    async def _applied(self, envelope: Envelope, stored: Stored, last: int | None) -> Trouble | None:
        """Applies one event; why it can't be, if it can't."""
        if not follows(stored.at, last):
            return Trouble(WAITING, HOLE, f"sequence {envelope.sequence} came, something before it is missing")
        found = self._subscriptions.find(envelope.type)
        if found is None:
            self._count(envelope, "ignored")
            return None
        model, handler = found
        try:
            event = Received(envelope, model.model_validate_json(stored.value))
        except ValidationError as error:
            return Trouble(PARKED, "undecodable", f"{error.error_count()} fields are not as the contract says")
        here = context.fresh(envelope.correlationid, envelope.id, envelope.traceparent)
        with context.entered(here, event_id=envelope.id, tenant=envelope.tenant, case=envelope.case):
            return await self._handled(event, handler)

    async def _handled(self, event: Received[Any], handler: Callable[[Any], Awaitable[object]]) -> Trouble | None:
        attempt, pause = 0, _FIRST_PAUSE
        while True:
            try:
                await handler(event)
            except Away as away:
                log.warning("waiting for an engine", reason=away.detail)
            except (NotYet, NotFound) as error:
                return Trouble(WAITING, "not_yet", f"{error.code}: {error.detail}")
            except Failure as error:
                return Trouble(PARKED, "rejected", f"{error.code}: {error.detail}")
            except Exception as error:
                attempt += 1
                log.exception("a subscriber failed", event_type=event.envelope.type, attempt=attempt)
                if attempt >= self._settings.delivery_attempts and not self._halts(event.envelope.source):
                    return Trouble(PARKED, "failed", describe(error))
                if self._halted:
                    await asyncio.sleep(self._settings.delivery_halt_pause_seconds)
            else:
                self._recovered(event.envelope.source)
                self._count(event.envelope, "applied")
                late = (self._clock.now() - event.envelope.time).total_seconds()
                metrics.DELIVERY_SECONDS.labels(self._service).observe(max(late, 0.0))
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._longest_pause)

    def _halts(self, source: str) -> bool:
        """Whether so much fails at once that the fault must be ours: then the consumer stands and alerts."""
        self._unknown[source] = chance.monotonic()
        self._judge()
        return self._halted

    def _recovered(self, source: str) -> None:
        """One that failed went through; that others never failed says nothing."""
        if self._unknown.pop(source, None) is not None:
            self._judge()

    def _judge(self) -> None:
        now = chance.monotonic()
        window = self._settings.delivery_halt_window_seconds
        self._unknown = {each: at for each, at in self._unknown.items() if now - at <= window}
        halted = len(self._unknown) > self._settings.delivery_halt_after
        if halted == self._halted:
            return
        self._halted = halted
        metrics.CONSUMER_HALTED.labels(self._service).set(int(halted))
        if halted:
            log.error("the consumer stopped: too many subjects fail at once", subjects=len(self._unknown))
        else:
            log.info("the consumer goes on")

    def _count(self, envelope: Envelope, outcome: str) -> None:
        metrics.EVENTS_HANDLED.labels(self._service, envelope.type, outcome).inc()

    # Parked subjects: the partition's owner tries them again, or does what was asked

    async def _look_at_parked(self) -> None:
        """Starts a task for each of our partitions with parked subjects that are due. A revocation ends it."""
        turn = self._turn
        due: dict[TopicPartition, list[str]] = {}
        async for row in self.parking.to_look_at():
            due.setdefault(TopicPartition(row["topic"], row["partition"]), []).append(row["_id"])
        counts = await self.parking.counts()
        if turn == self._turn and not self._stopping:
            for place, document_ids in due.items():
                if place in (self._owned or ()):
                    self._begin_drain(self._partitions.setdefault(place, _Partition()), document_ids)
        for status, count in counts.items():
            metrics.EVENTS_PARKED.labels(self._service, status).set(count)

    def _begin_drain(self, partition: _Partition, document_ids: list[str]) -> None:
        if partition.drain is None or partition.drain.done():
            partition.drain = asyncio.create_task(self._drain_all(partition, document_ids))

    async def _drain_all(self, partition: _Partition, document_ids: list[str]) -> None:
        for document_id in document_ids:
            try:
                async with partition.lock:
                    await self._drain(document_id)
            except EngineAway as away:
                log.warning("waiting for an engine", step="parked", reason=away.detail)
                return
            except Exception:
                log.exception("a parked subject could not be tried again", parked=document_id)

    async def _drain(self, document_id: str) -> None:
        while subject := await self.parking.load(document_id):
            if not subject.events:
                await self.parking.settled(subject)
                return
            if not await self._drained_one(subject):
                return

    async def _drained_one(self, subject: ParkedSubject) -> bool:
        """Tries the first parked event; whether the next may be tried."""
        stored = subject.events[0]
        envelope = _envelope_of(stored)
        if isinstance(envelope, EnvelopeError):
            return await self._drained_undecodable(subject, stored)
        source = envelope.source
        last = (await self._positions.load([source])).get(source)
        behind_a_hole = not follows(stored.at, last)
        if subject.asks_to_discard(behind_a_hole=behind_a_hole):
            await self._discarded(subject, stored, envelope, behind_a_hole=behind_a_hole)
            return True
        trouble = await self._applied(envelope, stored, last)
        if trouble is not None:
            await self.parking.again(subject, trouble)
            return False
        await self._positions.save({source: stored.at})
        await self.parking.settled(subject)
        return True

    async def _drained_undecodable(self, subject: ParkedSubject, stored: Stored) -> bool:
        if subject.asks_to_discard(behind_a_hole=False):
            log.warning("parked bytes discarded", topic=stored.topic, partition=stored.partition, offset=stored.offset)
            await self.parking.settled(subject)
            return True
        await self.parking.again(subject, Trouble(PARKED, "undecodable", "EnvelopeError"))
        return False

    async def _discarded(
        self, subject: ParkedSubject, stored: Stored, envelope: Envelope, *, behind_a_hole: bool
    ) -> None:
        """Gives up the first event; behind a hole, gives up what is missing instead and keeps the event."""
        if behind_a_hole:
            await self._positions.save({envelope.source: stored.at - 1})
            await self.parking.again(subject, Trouble(WAITING, "not_yet", "the hole was accepted"))
            log.warning("a hole was accepted", event_id=envelope.id, sequence=envelope.sequence)
            return
        await self._positions.save({envelope.source: stored.at})
        await self.parking.settled(subject)
        self._count(envelope, "discarded")
        log.warning("parked event discarded", event_type=envelope.type, event_id=envelope.id)

    # Watching over ourselves

    async def _watch(self) -> None:
        """Lag with no progress means that the client hangs: it is restarted."""
        lag = await self._lag()
        now = chance.monotonic()
        working = any(partition.task and not partition.task.done() for partition in self._partitions.values())
        if lag == 0 or working:
            self._progress = now
        if now - self._progress <= self._settings.stuck_seconds:
            return
        log.error("the consumer makes no progress: it is restarted", lag=lag)
        metrics.CONSUMER_RESTARTS.labels(self._service).inc()
        await self._disconnect()
        await self.on_partitions_revoked(())
        await self._patiently(self._connect, "broker")
        self._progress = chance.monotonic()

    async def _lag(self) -> int | None:
        """Events not yet done in our partitions; None where the client doesn't answer, or a rebalance is under way."""
        if self._owned is None:
            return None
        assigned = list(self._owned)
        try:
            async with asyncio.timeout(_LAG_SECONDS):
                consumer = self._consumer
                ends = await consumer.end_offsets(assigned) if assigned else {}
                done = {place: await self._done(consumer, place) for place in assigned}
        except (TimeoutError, KafkaError, IllegalStateError, EngineAway):
            return None
        by_topic: dict[str, int] = {topic.name: 0 for topic in self._subscriptions.topics}
        for place, end in ends.items():
            by_topic[place.topic] += max(end - done[place], 0)
        for topic, count in by_topic.items():
            metrics.CONSUMER_LAG.labels(self._service, topic).set(count)
        return sum(by_topic.values())

    async def _done(self, consumer: Any, place: TopicPartition) -> int:
        partition = self._partitions.get(place)
        if partition and partition.done:
            return partition.done
        return int(await consumer.committed(place) or 0)


async def _ended(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancels tasks and waits for their end."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _envelope_of(record: ConsumerRecord | Stored) -> Envelope | EnvelopeError:
    try:
        return Envelope.parse((name, value or b"") for name, value in record.headers)
    except EnvelopeError as error:
        return error
