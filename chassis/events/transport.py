"""FastStream and aiokafka, arranged so that they keep our promises (docs/decisions/0003-faststream-as-transport.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl

from chassis.errors import ConfigurationError, EngineAway
from chassis.events import reading
from chassis.events.broker_errors import translated
from chassis.logging import get_logger
from chassis.settings import ServiceSettings
from contracts import topics
from contracts.envelope import CONTENT_TYPE, Envelope
from contracts.topics import Topic

log = get_logger(__name__)

SEND_TIMEOUT_MS = 10_000
POLL_MS = 1000
"""How long one look for records waits; it ends with the first record."""
BATCH = 500
SESSION_TIMEOUT_MS = 6_000
"""A member that was killed keeps its partitions so long; Kafka allows no less by default."""
_CLOSE_SECONDS = 5.0
_FLUSH_SECONDS = 3.0
"""How long a producer that is closed may take to send what it was given."""

OnRecords = Callable[[tuple[ConsumerRecord, ...], int], Awaitable[None]]


class _Closing(AioKafkaFastProducerImpl):
    """Leaves no producer behind: FastStream forgets one that can't connect, aiokafka one that can't flush."""

    _connected: AIOKafkaProducer | None = None

    async def connect(self, producer: AIOKafkaProducer, *given: Any, **named: Any) -> None:
        """Connects it, or closes it."""
        self._connected = producer
        try:
            await super().connect(producer, *given, **named)
        except BaseException:
            await producer.stop()
            raise

    async def disconnect(self) -> None:
        """Flushes and closes it. What can't be flushed in time is given up; the next producer sends it again.

        aiokafka waits for the flush for ever. Broken off, it takes itself for closed, while its tasks and connections
        live on and what it was given is still sent beside the next producer.
        """
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await super().disconnect()
        except TimeoutError:
            log.warning("a producer was closed before all of its events were sent")
            if self._connected is not None:
                await self._connected._sender.close()  # noqa: SLF001 - aiokafka closes it only after the flush
                await self._connected.client.close()


class Transport:
    """One service's connection to the broker: topics, the idempotent producer, subscribers."""

    def __init__(self, settings: ServiceSettings, service: str) -> None:
        self._settings = settings
        self._service = service
        self.declared: tuple[Topic, ...] = topics.ALL
        """The topics that must exist."""
        self._producer: KafkaBroker | None = None
        self._admin: AIOKafkaAdminClient | None = None

    @property
    def servers(self) -> list[str]:
        """Bootstrap servers."""
        return [server.strip() for server in self._settings.kafka_url.split(",")]

    async def start(self) -> None:
        """Connects, and makes the topics that are missing.

        Raises:
            EngineAway: the broker can't be reached.
            ConfigurationError: a topic has another number of partitions than declared.
        """
        if self._admin is None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=SEND_TIMEOUT_MS)
            with translated():
                try:
                    await admin.start()
                except BaseException:
                    await admin.close()
                    raise
            self._admin = admin
        await self._ensure_topics(self._admin, self.declared)
        if self._producer is None:
            self._producer = await self._started_producer()

    async def _ensure_topics(self, admin: AIOKafkaAdminClient, declared: tuple[Topic, ...]) -> None:
        with translated():
            known = {found["topic"]: len(found["partitions"]) for found in await admin.describe_topics()}
        missing = [
            NewTopic(
                topic.name,
                topic.partitions,
                self._settings.kafka_replication,
                topic_configs={"retention.ms": str(topic.retention_ms), "cleanup.policy": "delete"},
            )
            for topic in declared
            if topic.name not in known
        ]
        if missing:
            await self._create(admin, missing)
        for topic in declared:
            if known.get(topic.name, topic.partitions) != topic.partitions:
                raise ConfigurationError(
                    f"topic {topic.name} has {known[topic.name]} partitions, {topic.partitions} are declared: "
                    "their number never changes (docs/decisions/0005-identifiers-and-keys.md)"
                )

    async def _create(self, admin: AIOKafkaAdminClient, missing: list[NewTopic]) -> None:
        with translated():
            answer = await admin.create_topics(missing)
        for name, code, *_ in answer.topic_errors:
            if code not in {0, TopicAlreadyExistsError.errno}:
                raise EngineAway(f"topic {name} can't be created yet (error {code})")

    async def ping(self) -> None:
        """Asks the broker.

        Raises:
            EngineAway: no answer.
        """
        if self._admin is None:
            raise EngineAway("not connected to the broker yet")
        with translated():
            await self._admin.describe_cluster()

    # Out

    def _broker(self, **options: Any) -> KafkaBroker:
        return KafkaBroker(
            self.servers,
            client_id=f"rathaus-{self._service}",
            logger=logging.getLogger("faststream"),
            log_level=logging.DEBUG,
            allow_auto_create_topics=False,
            request_timeout_ms=SEND_TIMEOUT_MS,
            graceful_timeout=self._settings.stop_timeout_seconds,
            **options,
        )

    async def _started_producer(self) -> KafkaBroker:
        broker = self._broker(acks="all", enable_idempotence=True, linger_ms=0)
        broker.config.broker_config.producer = _Closing(parser=None, decoder=None)
        with translated():
            try:
                await broker.start()
            except BaseException:
                await _closed(broker)
                raise
        return broker

    async def send(self, topic: Topic, envelope: Envelope, data: dict[str, Any]) -> asyncio.Future[Any]:
        """Enqueues one event, in order; the future ends with the broker's acknowledgement.

        The record's own timestamp is the machine's: Kafka refuses times over an hour ahead, which a moved clock's are.

        Raises:
            EngineAway: it can't even be enqueued.
        """
        if self._producer is None:
            self._producer = await self._started_producer()
        headers = {name: value.decode() for name, value in envelope.headers()}
        with translated():
            sent: Any = await self._producer.publish(
                orjson.dumps(data),
                topic.name,
                key=envelope.key.encode(),
                headers={**headers, "content-type": CONTENT_TYPE},
                correlation_id=envelope.correlationid,
                no_confirm=True,
            )
        future: asyncio.Future[Any] = sent
        return future

    async def replace_producer(self) -> None:
        """Drops a producer after an error: what follows on a failed idempotent send can't be trusted."""
        broken, self._producer = self._producer, None
        if broken is not None:
            await _closed(broken)

    # In

    async def subscribe(
        self,
        names: list[str],
        group: str,
        listener: ConsumerRebalanceListener,
        on_records: OnRecords,
        rebalances: Callable[[], int],
    ) -> KafkaBroker:
        """A started broker with one batch subscriber; `on_records` must return at once and never raise.

        `rebalances` counts them: each batch comes with the count at the time when it was fetched.

        Raises:
            EngineAway: the broker can't be reached.
        """
        broker = self._broker(consumer_only=True)
        subscriber = broker.subscriber(
            *names,
            batch=True,
            group_id=group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_records=BATCH,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=SESSION_TIMEOUT_MS // 4,
            batch_timeout_ms=POLL_MS,
            listener=listener,
            parser=_keep_raw,
            decoder=_keep_nothing,
        )

        fetched_in = _poll_without_pause(subscriber, rebalances)

        async def _receive(message: KafkaMessage) -> None:
            raw: Any = message.raw_message
            await on_records(tuple(raw), fetched_in())

        subscriber(_receive)
        with translated():
            try:
                await broker.start()
            except BaseException:
                await _closed(broker)
                raise
        return broker

    async def events_left(self, group: str, names: Sequence[str]) -> int:
        """How many events lie before a group in all partitions of some topics.

        Raises:
            EngineAway: the broker can't be reached.
        """
        return await reading.events_left(self.servers, group, names)

    async def stop(self) -> None:
        """Closes all connections."""
        await self.replace_producer()
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError):
                await admin.close()


def _poll_without_pause(subscriber: Any, rebalances: Callable[[], int]) -> Callable[[], int]:
    """Makes FastStream's batch subscriber poll at once after a poll without records: it would sleep, and an event wait.

    Returns a function that gives the count of rebalances when the latest batch was fetched. (A batch is handed on
    before the next one is fetched.)
    """
    latest = rebalances()

    async def _get_msg(consumer: Any) -> tuple[ConsumerRecord, ...]:
        nonlocal latest
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
        latest = rebalances()
        return tuple(record for records in found.values() for record in records)

    subscriber.get_msg = _get_msg
    return lambda: latest


async def _keep_raw(records: Any) -> KafkaMessage:
    """FastStream's own parser skips a whole batch for one bad message: nothing is parsed here."""
    return KafkaMessage(body=b"", headers={}, raw_message=records, consumer=FAKE_CONSUMER)


async def _keep_nothing(_: Any) -> None:
    return None


async def _closed(broker: KafkaBroker) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await broker.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        log.warning("a connection to the broker was dropped rather than closed", reason=type(error).__name__)
