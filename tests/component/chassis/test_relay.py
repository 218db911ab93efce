"""From documents to the broker, on real engines: everything said, in order within its subject, at least once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from prometheus_client import REGISTRY

from chassis.aggregates import Store
from chassis.clock import FixedClock, SystemClock
from chassis.errors import EngineAway
from chassis.events.lease import Lease
from chassis.events.relay import Relay
from chassis.events.transport import Transport
from chassis.mongo import Database
from contracts.envelope import Envelope
from tests.support.diaries import TOWN, Diary, House, a_subject, noting, received
from tests.support.waiting import wait_until


class Outbox:
    """What one emitter has."""

    def __init__(self, house: House, database: Database, store: Store[Diary], transport: Transport) -> None:
        self.house, self.database, self.store, self.transport = house, database, store, transport

    def relay(self, transport: Transport | None = None, **changes: Any) -> Relay:
        return self.house.relay(self.store, transport or self.transport, self.database, **changes)

    async def says(self, subject: str, *lines: str) -> None:
        self.house_sequence = getattr(self, "house_sequence", 0) + 1
        event = received(self.house, f"from-{self.house_sequence}", 1)
        await self.store.upsert_on_event(event, subject, noting(self.house, *lines))

    async def unpublished(self) -> int:
        return len([1 async for _ in self.store.collection.find({"unpublished_since": {"$exists": True}})])

    async def document(self, subject: str) -> dict[str, Any]:
        found = await self.store.collection.find_one({"_id": subject})
        assert found is not None
        return found


@pytest.fixture
async def outbox(house: House) -> Outbox:
    database = house.database()
    store = house.store(database)
    await store.collection.ensure(store.indexes)
    return Outbox(house, database, store, await house.transport())


@contextlib.asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def all_told(outbox: Outbox, timeout: float = 30.0) -> None:
    async def _done() -> bool:
        return await outbox.unpublished() == 0

    await wait_until(_done, timeout, "everything published")


def firsts(sequences: list[int]) -> list[int]:
    return list(dict.fromkeys(sequences))


async def in_order(outbox: Outbox, expected: dict[str, int], *, repeats: bool = False) -> None:
    found = await outbox.house.lines()
    for subject, count in expected.items():
        whole = list(range(1, count + 1))
        assert firsts(found.get(subject, [])) == whole
        if not repeats:
            assert found[subject] == whole


# The way out


@pytest.mark.real_database
async def test_a_backlog_is_told_whole_and_in_order(outbox: Outbox) -> None:
    subjects = {a_subject(): 10 for _ in range(200)}
    slots = asyncio.Semaphore(50)

    async def _says(subject: str) -> None:
        async with slots:
            await outbox.says(subject, *(f"l{n}" for n in range(10)))

    await asyncio.gather(*map(_says, subjects))
    versions = {subject: (await outbox.document(subject))["version"] for subject in subjects}
    async with running(outbox.relay()):
        await all_told(outbox)
    await in_order(outbox, subjects)
    for subject in subjects:
        document = await outbox.document(subject)
        assert document["published"] == document["sequence"] == 10
        assert document["version"] == versions[subject], "the relay's marks are no writes of a handler"


async def test_the_record_is_a_cloudevent_in_binary_mode(outbox: Outbox) -> None:
    subject = a_subject()
    await outbox.says(subject, "hello")
    async with running(outbox.relay()):
        await all_told(outbox)
    [record] = await outbox.house.published()
    [(said, data)] = await outbox.store.events(TOWN, subject)
    assert Envelope.parse(record.headers) == said
    assert record.value == b'{"line":"hello"}'
    assert record.key == subject.encode()
    names = [name for name, _ in record.headers]
    assert names.count("content-type") == 1
    assert dict(record.headers)["content-type"] == b"application/json"
    assert dict(record.headers)["ce_sequence"] == b"000000000001"
    assert data == {"line": "hello"}


@pytest.mark.parametrize("days", [-30, 30])
async def test_a_moved_clock_stops_nothing(house: House, days: int) -> None:
    house.clock = FixedClock(SystemClock().now() + timedelta(days=days))
    database = house.database()
    store = house.store(database)
    outbox = Outbox(house, database, store, await house.transport())
    await outbox.says(a_subject(), "tomorrow")
    async with running(outbox.relay()):
        await all_told(outbox, 5)


async def test_how_late_an_event_is_tells_the_clock_that_said_it(house: House) -> None:
    clock = house.moved_clock()
    database = house.database()
    store = house.store(database)
    await store.collection.ensure(store.indexes)
    outbox = Outbox(house, database, store, await house.transport())
    await outbox.says(a_subject(), "early")
    clock.advance(timedelta(seconds=30))
    before = seconds("publish", "emitter"), seconds("delivery", "reader")
    async with running(outbox.relay()):
        await wait_until(lambda: seconds("publish", "emitter") > before[0])
    assert seconds("publish", "emitter") - before[0] == pytest.approx(30, abs=0.01)
    await house.reader()
    await wait_until(lambda: seconds("delivery", "reader") > before[1])
    assert seconds("delivery", "reader") - before[1] == pytest.approx(30, abs=0.01)


def seconds(what: str, service: str) -> float:
    """All that a service's histogram has seen, added up."""
    return REGISTRY.get_sample_value(f"rathaus_event_{what}_seconds_sum", {"service": service}) or 0.0


async def test_what_is_said_during_a_turn_is_told_too(outbox: Outbox) -> None:
    subjects = [a_subject() for _ in range(10)]
    async with running(outbox.relay()):
        for number in range(15):
            await asyncio.gather(*(outbox.says(subject, f"l{number}") for subject in subjects))
        await all_told(outbox)
    await in_order(outbox, dict.fromkeys(subjects, 15))


async def test_events_past_the_cap_move_to_the_archive(outbox: Outbox) -> None:
    kept_at_most = 20
    subject = a_subject()
    for _ in range(3):
        await outbox.says(subject, *(f"l{n}" for n in range(kept_at_most // 2)))
    async with running(outbox.relay(events_kept=kept_at_most)):
        await all_told(outbox)

        async def _trimmed() -> bool:
            return len((await outbox.document(subject))["events"]) <= kept_at_most

        await wait_until(_trimmed, 30)
        await outbox.says(subject, "after")
        await all_told(outbox)
    kept = [said["sequence"] for said in (await outbox.document(subject))["events"]]
    archived = [row["said"]["sequence"] async for row in outbox.store.archived.find({"subject": subject})]
    total = 3 * (kept_at_most // 2) + 1
    assert sorted({*kept, *archived}) == list(range(1, total + 1))
    await in_order(outbox, {subject: total})


# Two at once, and takeovers


async def test_two_relays_at_once_only_repeat(outbox: Outbox) -> None:
    other = await outbox.house.transport("other")
    subjects = {a_subject(): 8 for _ in range(60)}
    for subject in subjects:
        await outbox.says(subject, *(f"l{n}" for n in range(4)))
    async with running(outbox.relay(), outbox.relay(other)):
        for subject in subjects:
            await outbox.says(subject, *(f"l{n}" for n in range(4)))
        await all_told(outbox)
    await in_order(outbox, subjects, repeats=True)


async def test_a_frozen_holder_that_wakes_up_only_repeats(outbox: Outbox) -> None:
    """It has read the document, told the first event, and stands still while another one goes on."""
    subject = a_subject()
    await outbox.says(subject, "1", "2", "3")
    other = await outbox.house.transport("other")
    inner, frozen, wake = outbox.transport.send, asyncio.Event(), asyncio.Event()

    async def _send(topic: Any, envelope: Envelope, data: dict[str, Any]) -> Any:
        if envelope.sequence == 2:
            frozen.set()
            await wake.wait()
        return await inner(topic, envelope, data)

    outbox.transport.send = _send  # type: ignore[method-assign]
    async with running(outbox.relay()):
        await frozen.wait()
        async with running(outbox.relay(other)):
            await all_told(outbox)
            await outbox.says(subject, "4", "5")
            await all_told(outbox)
        wake.set()

        async def _repeated() -> bool:
            return len((await outbox.house.lines())[subject]) >= 8

        await wait_until(_repeated)
    assert (await outbox.house.lines())[subject] == [1, 1, 2, 3, 4, 5, 2, 3]
    document = await outbox.document(subject)
    assert document["published"] == document["sequence"] == 5


async def test_a_crash_between_acknowledgement_and_mark_only_repeats(outbox: Outbox) -> None:
    subject = a_subject()
    await outbox.says(subject, "1", "2", "3")
    relay = outbox.relay()
    reached = asyncio.Event()

    async def _crash(*_: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    relay._mark = _crash  # type: ignore[method-assign]
    async with running(relay):
        await reached.wait()
    assert (await outbox.document(subject))["published"] == 0
    async with running(outbox.relay()):
        await all_told(outbox)
    assert (await outbox.house.lines())[subject] == [1, 2, 3, 1, 2, 3]


@pytest.mark.real_database
async def test_the_lease_is_taken_over_when_its_holder_vanishes(outbox: Outbox) -> None:
    seconds = 0.6
    first, second = outbox.house.lease(outbox.database, seconds), outbox.house.lease(outbox.database, seconds)
    await first._acquire()
    keeping = asyncio.create_task(first.keep())
    taking = asyncio.create_task(second._acquire())
    loop = asyncio.get_running_loop()
    began = loop.time()
    await wait_until(lambda: loop.time() - began > 3 * seconds)
    assert not taking.done(), "a holder that renews is not taken over"
    keeping.cancel()
    began = loop.time()
    await taking
    assert loop.time() - began < 3 * seconds
    # The one that was frozen notices that it lost it.
    async with asyncio.timeout(2):
        await first.keep()


async def test_a_lease_given_back_is_free_at_once(outbox: Outbox) -> None:
    first, second = outbox.house.lease(outbox.database, 0.6), outbox.house.lease(outbox.database, 30)
    async with first.held():
        pass
    async with asyncio.timeout(8), second.held():
        pass


async def test_a_lease_that_a_tool_asked_for_is_free_again_at_once(outbox: Outbox) -> None:
    """It keeps others away while it has it, and only then."""
    tool, service = Lease(outbox.database, 0.6, first=True), outbox.house.lease(outbox.database, 30)
    async with tool.held():
        pass
    async with asyncio.timeout(8), service.held():
        pass


@pytest.mark.real_database
async def test_a_background_fault_does_not_end_relaying(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw: the service goes on trying, without burning a processor."""
    service = house.service()
    store = service.store(house.kind())
    turns, inner = 0, Relay._publish_all

    async def _publish_all(self: Relay) -> None:
        nonlocal turns
        turns += 1
        if turns <= 2:
            raise RuntimeError("a bug of ours")
        await inner(self)

    monkeypatch.setattr(Relay, "_publish_all", _publish_all)
    house.database()  # dropped at the end
    try:
        await service.start()
        await store.upsert_on_event(received(house, a_subject(), 1), a_subject(), noting(house, "x"))

        async def _told() -> bool:
            rows = [row async for row in store.collection.find({})]
            return all(row["published"] == row["sequence"] for row in rows)

        await wait_until(_told)
        assert turns < 50
    finally:
        await service.stop()


async def test_a_document_that_nobody_can_read_stops_no_other(outbox: Outbox) -> None:
    broken, well = "0-broken", a_subject()
    await outbox.says(broken, "x")
    await outbox.store.collection.update({"_id": broken}, {"$set": {"events.0.traceparent": "nonsense"}})
    await outbox.says(well, "y")
    async with running(outbox.relay()) as [task]:

        async def _told() -> bool:
            return (await outbox.document(well))["published"] == 1

        await wait_until(_told)
        assert not task.done()
    assert (await outbox.document(broken))["published"] == 0


# Errors in sending


class Flaky:
    """Fails the sends that it is told to, once each, in one of the ways of a broker."""

    def __init__(self, transport: Transport, how: str, failing: set[tuple[str, int]]) -> None:
        self.inner, self.how, self.failing = transport.send, how, failing
        self.replaced = 0
        self._replace = transport.replace_producer
        transport.send = self.send  # type: ignore[method-assign]
        transport.replace_producer = self.replace  # type: ignore[method-assign]

    async def replace(self) -> None:
        self.replaced += 1
        await self._replace()

    async def send(self, topic: Any, envelope: Envelope, data: dict[str, Any]) -> Any:
        place = (envelope.subject, envelope.sequence)
        if place not in self.failing:
            return await self.inner(topic, envelope, data)
        self.failing.discard(place)
        if self.how == "raises":
            raise EngineAway("injected")
        if self.how == "unforeseen":
            raise RuntimeError("injected")
        if self.how == "lost answer":
            await (await self.inner(topic, envelope, data))
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        failed.set_exception(KafkaTimeoutError("injected"))
        return failed


@pytest.mark.parametrize("how", ["future", "lost answer", "raises"])
async def test_a_failed_send_never_lets_a_later_event_pass(outbox: Outbox, how: str) -> None:
    subjects = {a_subject(): 5 for _ in range(20)}
    for subject in subjects:
        await outbox.says(subject, *(f"l{n}" for n in range(5)))
    some = list(subjects)[: 3 if how == "raises" else None]  # what can't be enqueued ends the round for all behind it
    failing = {(subject, number % 5 + 1) for number, subject in enumerate(some)}
    flaky = Flaky(outbox.transport, how, failing)
    async with running(outbox.relay()):
        await all_told(outbox)
    assert failing == set()
    assert flaky.replaced
    await in_order(outbox, subjects, repeats=True)


async def test_one_subject_that_fails_for_ever_does_not_hold_up_those_behind_it(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.events.relay.CHUNK", 2)
    failing, others = [f"0-{n}-{a_subject()}"[:36] for n in range(2)], [a_subject() for _ in range(6)]
    for subject in [*failing, *others]:
        await outbox.says(subject, "1", "2")
    inner = outbox.transport.send

    async def _send(topic: Any, envelope: Envelope, data: dict[str, Any]) -> Any:
        if envelope.subject not in failing:
            return await inner(topic, envelope, data)
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        failed.set_exception(KafkaTimeoutError("injected"))
        return failed

    outbox.transport.send = _send  # type: ignore[method-assign]
    async with running(outbox.relay()):

        async def _others() -> bool:
            return await outbox.unpublished() == len(failing)

        await wait_until(_others)
    await in_order(outbox, dict.fromkeys(others, 2), repeats=True)


@pytest.mark.real_database
async def test_a_real_broker_killed_under_load_loses_and_swaps_nothing(outbox: Outbox, kafka_engine: Any) -> None:
    subjects = {a_subject(): 20 for _ in range(20)}
    async with running(outbox.relay()):
        for number in range(20):
            await asyncio.gather(*(outbox.says(subject, f"l{number}") for subject in subjects))
            if number == 5:
                await asyncio.to_thread(kafka_engine.kill)
            if number == 12:
                await asyncio.to_thread(kafka_engine.restart)
        await all_told(outbox, 60)
    await in_order(outbox, subjects, repeats=True)


async def test_a_producer_that_cannot_connect_is_closed(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    transport = Transport(house.settings(kafka_url=f"127.0.0.1:{port}"), "emitter")
    with pytest.raises(EngineAway):
        await transport.send(house.topic, house.envelope(a_subject(), 1), {})
    gc.collect()
    assert "Unclosed" not in caplog.text
