"""A member of a consumer group: takes records in, has them applied partition by partition, and commits their offsets.

An offset is committed only when the work of its chunk is finished: applied, ignored, or parked durably. A partition
with much unfinished work is paused while polling goes on, so an outage of any length neither ends the membership in the
group nor fills the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream.kafka import KafkaBroker

from chassis.background import Background
from chassis.clock import Clock, SystemClock
from chassis.errors import EngineAway
from chassis.events.applying import ChunkApplier
from chassis.events.handlers import EventHandlers
from chassis.events.parked_drain import ParkedDrain
from chassis.events.parking import ParkingStore
from chassis.events.partitions import Assignment, PartitionState, cancel_and_wait
from chassis.events.positions import PositionStore
from chassis.events.processing import EventProcessor, consumer_backoff
from chassis.events.transport import Transport
from chassis.events.watchdog import Watchdog
from chassis.logging import get_logger
from chassis.mongo import Database
from chassis.retry import retry_while_away
from chassis.settings import ServiceSettings

log = get_logger(__name__)

CHUNK = 500
"""The most records applied between two commits of a partition."""


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One consumer of one service."""

    def __init__(
        self,
        service: str,
        database: Database,
        handlers: EventHandlers,
        transport: Transport,
        settings: ServiceSettings,
        *,
        name: str = "",
        clock: Clock | None = None,
        background: Background | None = None,
    ) -> None:
        """`name`: needed if a service has several consumers; the default is the service's name.

        `clock`: the service's; decides when parked events are due, and measures how late events are applied.
        `background`: watches the consumer's tasks; the default is one of its own.
        """
        self._name = name or service
        self.group = settings.group_prefix + self._name
        self._transport = transport
        self._settings = settings
        self._background = background or Background(settings.background_limit_seconds)
        self._backoff = consumer_backoff(settings)
        self._broker: KafkaBroker | None = None
        self._handlers = handlers
        clock = clock or SystemClock()
        self.assignment = Assignment()
        self.positions = PositionStore(database, self._name)
        self.parking = ParkingStore(database, self._name, clock, settings)
        self._processor = EventProcessor(service, handlers, clock, settings)
        self._applier = ChunkApplier(service, self._processor, self.positions, self.parking, settings)
        self.drain = ParkedDrain(service, self.assignment, self._processor, self.positions, self.parking)
        self._watchdog = Watchdog(
            service,
            handlers,
            self.assignment,
            lambda: self.client,
            self._restart,
            stuck_seconds=settings.stuck_seconds,
        )

    # Life cycle

    async def start(self) -> None:
        """Joins the group.

        Raises:
            EngineAway: broker or database can't be reached.
        """
        await self.parking.collection.ensure(self.parking.indexes)
        await self._connect()
        for name, step, seconds in (
            (self._parked_task, self.drain.start_due, self._settings.parked_retry_seconds),
            (self._watch_task, self._watch, self._settings.watch_seconds),
        ):
            repeat = functools.partial(self._repeat, name, step, seconds)
            self._background.start(name, repeat, every_seconds=seconds)

    @property
    def _parked_task(self) -> str:
        return f"{self._name}: parked events"

    @property
    def _watch_task(self) -> str:
        return f"{self._name}: watch over the consumer"

    async def _watch(self) -> None:
        await self._watchdog.check()
        await self.drain.count_parked()

    async def _repeat(self, name: str, step: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await step()
                self._background.succeeded(name)
            except EngineAway as away:
                log.warning("waiting for an engine", reason=away.detail)
            except Exception:
                log.exception("a consumer's background step failed")

    async def stop(self) -> None:
        """Finishes the chunks that were begun, commits them, and leaves the group."""
        self.assignment.stopping = True
        await self._background.stop(self._parked_task, self._watch_task)
        await self.assignment.cancel_drains()
        workers = self.assignment.workers()
        if workers:
            _, late = await asyncio.wait(workers, timeout=self._settings.stop_timeout_seconds / 2)
            await cancel_and_wait(late)
        await self._disconnect()

    async def _connect(self) -> None:
        names = [topic.name for topic in self._handlers.topics]
        self._broker = await self._transport.subscribe(
            names, self.group, self, self._on_records, lambda: self.assignment.rebalances
        )

    async def _disconnect(self) -> None:
        broker, self._broker = self._broker, None
        if broker is None:
            return
        try:
            async with asyncio.timeout(self._settings.stop_timeout_seconds / 2):
                await broker.stop()
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("the consumer was dropped rather than closed", reason=type(error).__name__)

    async def _restart(self) -> None:
        await self._disconnect()
        await self.on_partitions_revoked(())
        await retry_while_away(
            self._connect,
            self._backoff,
            lambda away: log.warning("waiting for an engine", step="broker", reason=away.detail),
        )

    @property
    def client(self) -> Any:
        """aiokafka's consumer.

        Raises:
            EngineAway: there is none at present.
        """
        if self._broker is None:
            raise EngineAway("not connected to the broker")
        subscriber: Any = next(iter(self._broker.subscribers))
        if subscriber.consumer is None:
            raise EngineAway("not connected to the broker")
        return subscriber.consumer

    # Partitions

    async def on_partitions_revoked(self, _: Iterable[TopicPartition]) -> None:
        """Gives up all partitions, also those that are not named.

        A rebalance takes everything (aiokafka's assignors are eager), and the client may not know of partitions whose
        state was made before their assignment was announced.
        """
        await self.assignment.revoke_all()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Takes the new partitions. Records may arrive before this, so their state is made with the first record."""
        self.assignment.assign(assigned)
        self._watchdog.progressed()

    # Records in, offsets out

    async def _on_records(self, records: tuple[ConsumerRecord, ...], rebalances: int) -> None:
        if rebalances != self.assignment.rebalances:
            # Fetched before a rebalance. To commit behind them would skip what was given up unfinished before them.
            return
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            state = self.assignment.state_of(partition)
            state.records.append(record)
            if len(state.records) == CHUNK:
                # Not sooner: resumed, a partition waits for the fetch under way, up to half a second, to end first.
                with contextlib.suppress(IllegalStateError, EngineAway):
                    self.client.pause(partition)
            if state.worker is None or state.worker.done():
                state.worker = asyncio.create_task(self._work(partition, state))

    async def _work(self, partition: TopicPartition, state: PartitionState) -> None:
        while state.records and not self.assignment.stopping:
            records = [state.records.popleft() for _ in range(min(CHUNK, len(state.records)))]
            async with state.lock:
                await self._apply_until_done(records)
            await self._commit(partition, records[-1].offset + 1)
            state.finished_offset = records[-1].offset + 1
            self._watchdog.progressed()
        if not self.assignment.stopping:
            with contextlib.suppress(IllegalStateError, EngineAway):
                self.client.resume(partition)

    async def _apply_until_done(self, records: list[ConsumerRecord]) -> None:
        """Tries a chunk again after an unforeseen error, which would otherwise leave the partition paused for good.

        Events of the chunk that were applied before have no second effect.
        """
        while True:
            try:
                return await self._applier.apply(records)
            except Exception:
                log.exception("a chunk of events failed", topic=records[0].topic, partition=records[0].partition)
                await asyncio.sleep(self._backoff.longest)

    async def _commit(self, partition: TopicPartition, offset: int) -> None:
        pauses = self._backoff.pauses()
        while True:
            try:
                await self.client.commit({partition: (offset, "")})
            except (CommitFailedError, IllegalStateError):
                log.info("offset not committed: the partition went elsewhere", topic=partition.topic)
                return
            except (KafkaError, EngineAway) as error:
                log.warning("offset can't be committed at present", reason=type(error).__name__)
                await asyncio.sleep(next(pauses))
            else:
                return
