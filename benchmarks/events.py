"""Relay and delivery on the embedded engines, side by side with bare aiokafka doing the same writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client import REGISTRY

from benchmarks.figures import Row, percentile
from chassis.aggregates import Answer, Change, Kind, Received, Request, Snapshot, Store
from chassis.mongo import Update
from chassis.service import Service
from chassis.settings import ServiceSettings
from contracts import topics
from contracts.payments import PaymentFailed

TENANT = "musterstadt"


@dataclass(frozen=True, slots=True)
class Counter:
    """The smallest state there is."""

    count: int = 0


SAYING = Kind("counters", topics.PAYMENTS, Counter)
HEARING = Kind("mirrors", topics.APPLICATIONS, Counter)


def settings(kafka_url: str, mongo_url: str, prefix: str) -> ServiceSettings:
    """Both services' settings, with databases and groups of their own."""
    return ServiceSettings(
        kafka_url=kafka_url,
        mongo_url=mongo_url,
        database_prefix=f"{prefix}_",
        group_prefix=f"{prefix}.",
        log_level="ERROR",
    )


def said(subject: str) -> PaymentFailed:
    """An event of the usual size."""
    return PaymentFailed(demand_id=subject, case_id=subject, attempt_id=subject, reason="declined")


async def say(store: Store[Counter], subject: str, events: int = 1) -> None:
    """One request that says events."""

    def _counted(before: Counter | None, _: datetime) -> Change[Counter]:
        return Change(Counter((before or Counter()).count + 1), (said(subject),) * events)

    def _answer(snapshot: Snapshot[Counter]) -> Answer:
        return Answer(201, {"count": snapshot.state.count})

    await store.upsert_on_request(Request("bench", "POST /", str(uuid4()), ""), TENANT, subject, _counted, _answer)


class Pair:
    """A service that says and one that hears, on the same engines, in this process."""

    def __init__(self, kafka_url: str, mongo_url: str) -> None:
        self.prefix = f"bench{uuid4().hex[:8]}"
        read = settings(kafka_url, mongo_url, self.prefix)
        self.speaker, self.listener = Service("payments", read), Service("applications", read)
        self.saying, self.hearing = self.speaker.store(SAYING), self.listener.store(HEARING)
        self.delays: list[float] = []
        self.heard: dict[str, int] = {}
        self.mine: set[str] = set()
        self.awaited: dict[str, asyncio.Future[None]] = {}
        self.listener.event_handlers.on(PaymentFailed, self.on)

    async def on(self, event: Received[PaymentFailed]) -> None:
        """Notes how long it took, and writes one aggregate."""
        if event.envelope.subject not in self.mine:
            return
        self.delays.append(time.time() - event.envelope.time.timestamp())
        await self.hearing.upsert_on_event(
            event, event.new_id("mirror"), lambda state, _: Change(Counter((state or Counter()).count + 1))
        )
        self.heard[event.envelope.subject] = self.heard.get(event.envelope.subject, 0) + 1
        if waiting := self.awaited.pop(event.envelope.subject, None):
            waiting.set_result(None)

    def subject(self) -> str:
        """A new one, that is listened to."""
        made = str(uuid4())
        self.mine.add(made)
        return made

    async def until(self, events: int) -> None:
        """Waits until so many events were heard."""
        while sum(self.heard.values()) < events:
            await asyncio.sleep(0.005)

    async def start(self) -> None:
        """Starts both."""
        await asyncio.gather(self.speaker.start(), self.listener.start())
        first = self.subject()
        await say(self.saying, first)
        await self.until(1)
        self.delays.clear()
        self.heard.clear()

    async def stop(self) -> None:
        """Ends both."""
        for service in (self.speaker, self.listener):
            await service.stop()


async def latency_idle(pair: Pair, rounds: int = 200) -> Row:
    """From the write to the subscriber's call, one event at a time."""
    for number in range(rounds):
        before = sum(pair.heard.values())
        await say(pair.saying, pair.subject())
        await pair.until(before + 1)
        await asyncio.sleep(0.005 * (number % 7))
    p50, p99 = (percentile(pair.delays, share) * 1000 for share in (0.5, 0.99))
    return Row("commit to subscriber, idle", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", f"{rounds} events; goal p99 50 ms")


async def sustained(pair: Pair, clients: int = 16, seconds: float = 8.0) -> float:
    """Events a second that go all the way while each client waits for its own before it says the next."""
    count, ends = 0, time.monotonic() + seconds

    async def _client() -> None:
        nonlocal count
        while time.monotonic() < ends:
            subject = pair.subject()
            heard = pair.awaited[subject] = asyncio.get_running_loop().create_future()
            await say(pair.saying, subject)
            await heard
            count += 1

    await asyncio.gather(*(_client() for _ in range(clients)))
    return count / seconds


async def latency_loaded(pair: Pair, per_second: float, seconds: float = 8.0) -> Row:
    """The same at a steady rate."""
    pair.delays.clear()
    pair.heard.clear()
    started, count = time.monotonic(), 0
    running: set[asyncio.Task[None]] = set()
    while (now := time.monotonic()) - started < seconds:
        if count < (now - started) * per_second:
            task = asyncio.create_task(say(pair.saying, pair.subject()))
            running.add(task)
            task.add_done_callback(running.discard)
            count += 1
        else:
            await asyncio.sleep(0.002)
    await asyncio.gather(*running)
    await pair.until(count)
    p50, p99 = (percentile(pair.delays, share) * 1000 for share in (0.5, 0.99))
    return Row(f"commit to subscriber at {per_second:.0f}/s", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", f"{count} events")


async def throughput(pair: Pair, kafka_url: str, count: int = 2000) -> list[Row]:
    """A backlog of events relayed, then delivered; beside bare aiokafka with the same number of writes."""
    subjects = [pair.subject() for _ in range(count)]
    prepared = await _bare_documents(pair, count)
    relay_seconds, delivery_seconds = await _ours(pair, subjects)
    produce_seconds, consume_seconds = await _bare(pair, kafka_url, prepared)
    return [
        Row("relay", f"{count / relay_seconds:.0f} events/s", "read, publish, acknowledge, mark"),
        Row("bare: produce + mark each", f"{count / produce_seconds:.0f} events/s", "aiokafka, one update an event"),
        Row("relay against bare", f"{produce_seconds / relay_seconds:.2f}"),
        Row("delivery", f"{count / delivery_seconds:.0f} events/s", "an aggregate and a position an event, commit"),
        Row(
            "bare: consume + write", f"{count / consume_seconds:.0f} events/s", "aiokafka, the same two writes an event"
        ),
        Row("delivery against bare", f"{consume_seconds / delivery_seconds:.2f}"),
    ]


async def _ours(pair: Pair, subjects: list[str]) -> tuple[float, float]:
    pair.heard.clear()
    read = pair.speaker.settings
    quiet = Service("payments", read.model_copy(update={"database_prefix": read.database_prefix}))
    store = quiet.store(SAYING)  # writes without waking the relay of the pair: a backlog
    await pair.speaker.stop()
    await pair.listener.stop()
    slots = asyncio.Semaphore(32)

    async def _one(subject: str) -> None:
        async with slots:
            await say(store, subject)

    await asyncio.gather(*map(_one, subjects))
    before = _published()
    await quiet.start()
    started = time.monotonic()
    while _published() - before < len(subjects):
        await asyncio.sleep(0.02)
    relayed = time.monotonic()
    fresh = Service("applications", read)
    pair.hearing = fresh.store(HEARING)
    fresh.event_handlers.on(PaymentFailed, pair.on)
    await fresh.start()
    begun = time.monotonic()
    await pair.until(len(subjects))
    delivered = time.monotonic()
    pair.speaker, pair.listener, pair.saying = quiet, fresh, store
    return relayed - started, delivered - begun


def _published() -> float:
    """Events acknowledged and marked, by the relay's own count: asking the database would slow it down."""
    labels = {"service": "payments", "type": PaymentFailed.type()}
    return REGISTRY.get_sample_value("rathaus_events_published_total", labels) or 0.0


async def _bare_documents(pair: Pair, count: int) -> list[str]:
    collection = pair.speaker.database.collection("bare")
    ids = [str(uuid4()) for _ in range(count)]
    await _each(ids, lambda each: collection.insert({"_id": each, "published": 0, "value": "x" * 400}))
    return ids


async def _each(ids: list[str], step: Callable[[str], Awaitable[object]]) -> None:
    slots = asyncio.Semaphore(32)

    async def _one(each: str) -> None:
        async with slots:
            await step(each)

    await asyncio.gather(*map(_one, ids))


async def _bare(pair: Pair, kafka_url: str, ids: list[str]) -> tuple[float, float]:
    """What one would write without the chassis: no order within subjects, no holes found, no repetition recognised."""
    names = ("bare", "bare_mirrors", "bare_positions")
    documents, mirrors, positions = (pair.speaker.database.collection(name) for name in names)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_url, acks="all", enable_idempotence=True)
    await producer.start()
    started = time.monotonic()
    futures = [await producer.send(topics.IDENTITY.name, b"x" * 400, key=each.encode()) for each in ids]
    await asyncio.gather(*futures)
    await _each(ids, lambda each: documents.update({"_id": each}, {"$set": {"published": 1}}))
    produced = time.monotonic() - started
    await producer.stop()
    consumer = AIOKafkaConsumer(
        topics.IDENTITY.name, bootstrap_servers=kafka_url, group_id=f"{pair.prefix}.bare", auto_offset_reset="earliest"
    )
    await consumer.start()
    started, left = time.monotonic(), set(ids)
    while left:
        batch = await consumer.getmany(timeout_ms=200, max_records=500)
        keys = [record.key.decode() for records in batch.values() for record in records if record.key.decode() in left]
        await _each(keys, lambda each: mirrors.insert({"_id": each, "value": "x" * 400}))
        await positions.bulk([Update({"_id": each}, {"$max": {"at": 1}}, upsert=True) for each in keys])
        left -= set(keys)
        await consumer.commit()
    consumed = time.monotonic() - started
    await consumer.stop()
    return produced, consumed


async def idle(seconds: float = 10.0) -> Row:
    """CPU of two services that have nothing to do."""
    await asyncio.sleep(2)
    before = time.process_time()
    await asyncio.sleep(seconds)
    share = (time.process_time() - before) / seconds * 100 / 2
    return Row("idle service", f"{share:.1f} % of a core", "goal at most 2 %")


async def measure(kafka_url: str, mongo_url: str) -> list[Row]:
    """All of it."""
    pair = Pair(kafka_url, mongo_url)
    await pair.start()
    rows = [await latency_idle(pair)]
    most = await sustained(pair)
    rows.append(Row("sustained", f"{most:.0f} events/s", "said, published, heard, applied, by 16 in turn"))
    rows += [await latency_loaded(pair, most / 2), await idle()]
    rows += await throughput(pair, kafka_url)
    await pair.stop()
    return rows
