"""A small aggregate on a topic of its own, and both ends of its way: for tests of what the chassis promises.

An emitter keeps diaries, each line an event. A reader keeps a copy of each diary: whatever is lost, doubled or out of
order shows in the copy.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.aggregates import Change, Kind, Received, Signals, Store, Transition
from chassis.clock import Clock, FixedClock, SystemClock
from chassis.events.consumer import Consumer
from chassis.events.handlers import EventHandlers
from chassis.events.lease import Lease
from chassis.events.relay import Relay
from chassis.events.transport import Transport
from chassis.mongo import Database, Index
from chassis.service import Service
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, Event, event_id, id_of, source_of
from contracts.topics import Topic

TOWN = "witten"
OTHER_TOWN = "steinhagen"
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Diary:
    """What the test aggregate knows."""

    lines: tuple[str, ...] = ()
    remind: datetime | None = None
    call: datetime | None = None
    case: str | None = None


class Noted(Event):
    """A line was written."""

    name: ClassVar[str] = "noted"
    line: str


class Whispered(Event):
    """Nobody listens to this."""

    name: ClassVar[str] = "whispered"
    line: str


def a_subject() -> str:
    """An id that no other test knows."""
    return str(uuid4())


def a_topic(partitions: int = 4) -> Topic:
    """A topic of this test alone."""
    stream = "x" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))
    return Topic(stream, version=1, partitions=partitions)


def duties(state: Diary) -> dict[str, datetime]:
    """What must be done later: to remind, to call."""
    found = {"remind": state.remind, "call": state.call}
    return {name: at for name, at in found.items() if at is not None}


ClientOf = Callable[[str], Any]


class House:
    """Settings, topic and databases of one test, and what was made of them."""

    def __init__(
        self, mongo_url: str, kafka_url: str, root: Path, partitions: int = 4, client: ClientOf | None = None
    ) -> None:
        """`client`: gives a database's client by its name, instead of a server at `mongo_url`."""
        self._client = client or (lambda _: None)
        self.mongo_url = mongo_url
        self.kafka_url = kafka_url
        self.root = root
        self.topic = a_topic(partitions)
        self.prefix = f"t_{secrets.token_hex(5)}_"
        self.clock: Clock = SystemClock()
        self.noted: type[Noted] = type("Noted", (Noted,), {"topic": self.topic, "__module__": __name__})
        self.whispered: type[Whispered] = type("Whispered", (Whispered,), {"topic": self.topic, "__module__": __name__})
        self._closing: list[Callable[[], Awaitable[object]]] = []

    # Parts

    def settings(self, **changes: Any) -> ServiceSettings:
        """Settings of a service in this house; quick where a test would wait."""
        given: dict[str, Any] = {
            "mongo_url": self.mongo_url,
            "kafka_url": self.kafka_url,
            "database_prefix": self.prefix,
            "group_prefix": self.prefix,
            "files_dir": self.root / "files",
            "parked_retry_seconds": 0.05,
            "relay_poll_seconds": 0.2,
            "work_poll_seconds": 0.05,
            "lease_seconds": 0.6,
            "stop_timeout_seconds": 5.0,
        }
        return ServiceSettings(**{**given, **changes})

    def moved_clock(self) -> FixedClock:
        """A clock that only the test moves, for whatever is made from now on."""
        clock = FixedClock(START)
        self.clock = clock
        return clock

    def kind(self, name: str = "diary", indexes: tuple[Index, ...] = ()) -> Kind[Diary]:
        """The test's aggregate."""
        return Kind(name, self.topic, Diary, due=duties, case=lambda state: state.case, indexes=indexes)

    def database(self, service: str = "emitter", url: str | None = None, timeout_seconds: float = 5.0) -> Database:
        """One service's database, dropped at the end of the test."""
        name = self.prefix + service
        made = Database(url or self.mongo_url, name, timeout_seconds=timeout_seconds, client=self._client(name))
        dropping = Database(self.mongo_url, name, timeout_seconds=5.0, client=self._client(name))

        async def _gone() -> None:
            made.close()
            await dropping.drop()
            dropping.close()

        self._closing.append(_gone)
        return made

    def store(
        self, database: Database | None = None, kind: Kind[Diary] | None = None, signals: Signals | None = None
    ) -> Store[Diary]:
        """Diaries."""
        return Store(database or self.database(), kind or self.kind(), self.clock, signals or Signals(), "emitter")

    async def transport(self, service: str = "emitter", **changes: Any) -> Transport:
        """A started connection to the broker; the topic exists afterwards."""
        made = Transport(self.settings(**changes), service)
        made.declared = (self.topic,)
        await made.start()
        self._closing.append(made.stop)
        return made

    def relay(self, store: Store[Diary], transport: Transport, database: Database, **changes: Any) -> Relay:
        """A relay of one store."""
        return Relay("emitter", [store], transport, database, Signals(), self.settings(**changes), self.clock)

    def lease(self, database: Database, seconds: float) -> Lease:
        """One challenger for the emitter's lease."""
        return Lease(database, seconds)

    async def reader(
        self,
        handler: Callable[[Received[Any]], Awaitable[object]] | None = None,
        *,
        start: bool = True,
        **changes: Any,
    ) -> Reader:
        """A consumer that copies diaries, or does what `handler` says."""
        database = self.database("reader")
        copies = Store(database, self.kind("copy"), self.clock, Signals(), "reader")
        event_handlers = EventHandlers()

        async def _copy(event: Received[Any]) -> object:
            return await copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

        event_handlers.on(self.noted, handler or _copy)
        transport = await self.transport("reader")
        consumer = Consumer("reader", database, event_handlers, transport, self.settings(**changes), clock=self.clock)
        made = Reader(self, database, copies, consumer)
        self._closing.append(made.stop)
        if start:
            await made.start()
        return made

    def service(self, name: str = "emitter", **changes: Any) -> Service:
        """A whole service, not started."""
        made = Service(name, self.settings(**changes), clock=self.clock)
        made._transport.declared = (self.topic,)
        return made

    # The topic itself

    async def producer(self) -> AIOKafkaProducer:
        """A foreign producer: whatever it sends was never ours to check."""
        made = AIOKafkaProducer(bootstrap_servers=self.kafka_url, acks="all")
        await made.start()
        self._closing.append(made.stop)
        return made

    def envelope(self, subject: str, sequence: int, **changes: Any) -> Envelope:
        """The attributes of a line."""
        tenant = changes.get("tenant", TOWN)
        source = source_of(tenant, self.topic.stream, subject)
        given: dict[str, Any] = {
            "id": event_id(source, changes.get("epoch", 0), sequence),
            "source": source,
            "type": self.noted.type(),
            "subject": subject,
            "time": datetime.now(UTC),
            "sequence": sequence,
            "tenant": tenant,
            "authority": tenant,
        }
        return Envelope(**{**given, **changes})

    async def said(
        self,
        producer: AIOKafkaProducer,
        subject: str,
        sequences: Sequence[int],
        partition: int | None = None,
        **more: Any,
    ) -> None:
        """Sends lines `l<sequence>` of a subject as the relay would."""
        for sequence in sequences:
            envelope = self.envelope(subject, sequence, **more)
            await producer.send_and_wait(
                self.topic.name,
                orjson.dumps({"line": f"l{sequence}"}),
                key=envelope.key.encode(),
                headers=envelope.headers(),
                partition=partition,
            )

    async def published(self) -> list[ConsumerRecord]:
        """Everything on the topic by now, partition by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka_url, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(self.topic.name, number) for number in range(self.topic.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: list[ConsumerRecord] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend(records)
            return found
        finally:
            await consumer.stop()

    async def lines(self) -> dict[str, list[int]]:
        """The sequences on the topic by subject, in their order."""
        found: dict[str, list[int]] = {}
        for record in await self.published():
            envelope = Envelope.parse(record.headers)
            found.setdefault(envelope.subject, []).append(envelope.sequence)
        return found

    async def committed(self, service: str = "reader") -> int:
        """How many events of the topic the group has committed."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka_url)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.prefix + service)
            return sum(max(each.offset, 0) for each in offsets.values())
        finally:
            await admin.close()

    async def close(self) -> None:
        """Ends what was started, latest first."""
        for step in reversed(self._closing):
            await step()


@dataclass(slots=True)
class Reader:
    """A consumer, and what it made of the events."""

    house: House
    database: Database
    copies: Store[Diary]
    consumer: Consumer
    running: bool = False

    async def start(self) -> None:
        """Joins the group."""
        await self.copies.collection.ensure(self.copies.indexes)
        await self.consumer.start()
        self.running = True

    async def stop(self) -> None:
        """Leaves in good order."""
        if self.running:
            self.running = False
            await self.consumer.stop()

    async def killed(self) -> None:
        """Vanishes without a commit, as a killed process does (though the broker is told, to save the wait)."""
        self.running = False
        await self.consumer._background.stop()
        await self.consumer.on_partitions_revoked(())
        await self.consumer._disconnect()

    async def lines(self, subject: str, tenant: str = TOWN) -> list[str]:
        """What was copied of a diary, in the order of its effects."""
        source = source_of(tenant, self.house.topic.stream, subject)
        found = await self.copies.get(tenant, copy_of(source))
        return list(found.state.lines) if found else []

    async def parked(self) -> list[dict[str, Any]]:
        """All parked documents."""
        return [row async for row in self.consumer.parking.collection.find({})]


def copy_of(source: str) -> str:
    """The id of the copy of a diary."""
    return id_of(source, "copy")


def written(*lines: str) -> Transition[Diary | None]:
    """Adds lines, and says nothing."""

    def _written(state: Diary | None, now: datetime) -> Change[Diary]:
        state = state or Diary()
        return Change(replace(state, lines=(*state.lines, *lines)))

    return _written


def noting(house: House, *lines: str) -> Transition[Diary | None]:
    """Adds lines, each an event."""

    def _noted(state: Diary | None, now: datetime) -> Change[Diary]:
        state = state or Diary()
        return Change(replace(state, lines=(*state.lines, *lines)), tuple(house.noted(line=line) for line in lines))

    return _noted


def received(house: House, subject: str, sequence: int, line: str = "x", **changes: Any) -> Received[Noted]:
    """An event as a subscriber gets it."""
    return Received(house.envelope(subject, sequence, **changes), house.noted(line=line))


def in_a_while(seconds: float) -> datetime:
    """An instant after the tests' start."""
    return START + timedelta(seconds=seconds)
