"""From the broker to handlers, on real engines: each effect once, one subject in order, nothing skipped."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from chassis import metrics
from chassis.aggregates import Received
from chassis.errors import EngineAway, NotYet, OutcomeUnknown, Rejected
from chassis.events.parking import PARKED, WAITING, request_action
from chassis.events.positions import SEQUENCES_PER_EPOCH
from contracts.envelope import source_of
from tests.support.diaries import TOWN, House, Reader, a_subject, copy_of, written
from tests.support.waiting import wait_until


@pytest.fixture
async def producer(house: House) -> AIOKafkaProducer:
    await house.transport()  # makes the topic
    return await house.producer()


async def copied(reader: Reader, subject: str, expected: int, timeout: float = 15.0) -> list[str]:
    async def _there() -> list[str] | None:
        lines = await reader.lines(subject)
        return lines if len(lines) >= expected else None

    found = await wait_until(_there, timeout, f"{expected} lines of {subject}")
    assert found is not None
    return found


def lines(count: int, first: int = 1) -> list[str]:
    return [f"l{number}" for number in range(first, first + count)]


async def all_committed(house: House, count: int, timeout: float = 15.0) -> None:
    async def _done() -> bool:
        return await house.committed() == count

    await wait_until(_done, timeout, f"{count} events committed")


async def parked_with(reader: Reader, status: str, count: int = 1) -> list[dict[str, Any]]:
    async def _there() -> list[dict[str, Any]] | None:
        rows = [row for row in await reader.parked() if row["status"] == status]
        return rows if len(rows) >= count else None

    found = await wait_until(_there, 15, f"{count} {status}")
    assert found is not None
    return found


async def nothing_parked(reader: Reader, timeout: float = 15.0) -> None:
    async def _none() -> bool:
        return not await reader.parked()

    await wait_until(_none, timeout, "nothing parked")


def source(house: House, subject: str) -> str:
    return source_of(TOWN, house.topic.stream, subject)


# Once, in order


async def test_repeats_have_one_effect(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 2, 1, 2, 3, 2, 3, 1])
    reader = await house.reader()
    await all_committed(house, 8)
    assert await reader.lines(subject) == lines(3)
    assert await reader.parked() == []


async def test_each_subject_is_in_order_while_many_run_side_by_side(house: House, producer: AIOKafkaProducer) -> None:
    subjects = [a_subject() for _ in range(30)]
    running, most = 0, 0
    for sequence in range(1, 11):
        for subject in subjects:
            await house.said(producer, subject, [sequence])
    reader = await house.reader(start=False)
    inner = reader.consumer._handlers.find(house.noted.type())
    assert inner is not None

    async def _slowly(event: Received[Any]) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        try:
            return await inner[1](event)
        finally:
            running -= 1

    reader.consumer._handlers._handlers[house.noted.type()] = (inner[0], _slowly)
    await reader.start()
    await all_committed(house, 300, 30)
    for subject in subjects:
        assert await reader.lines(subject) == lines(10)
    assert most > 4, "keys should run beside each other"


async def test_types_that_nobody_listens_to_count_as_read(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1])
    await house.said(producer, subject, [2], type=house.whispered.type())
    await house.said(producer, subject, [3])
    reader = await house.reader()
    assert await copied(reader, subject, 2) == ["l1", "l3"]


# Holes


async def test_a_hole_stops_one_subject_and_heals(house: House, producer: AIOKafkaProducer) -> None:
    holed, whole = a_subject(), a_subject()
    await house.said(producer, holed, [1, 3, 4], partition=0)
    await house.said(producer, whole, [1, 2, 3], partition=0)
    reader = await house.reader()
    assert await copied(reader, whole, 3) == lines(3)
    await all_committed(house, 6)
    assert await reader.lines(holed) == ["l1"]
    [row] = await reader.parked()
    assert (row["status"], row["reason"], len(row["events"])) == (WAITING, "hole", 2)
    await house.said(producer, holed, [2, 5], partition=0)
    assert await copied(reader, holed, 5) == lines(5)
    await nothing_parked(reader)


async def test_a_hole_can_be_accepted(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 4, 5])
    reader = await house.reader()
    [row] = await parked_with(reader, WAITING)
    await all_committed(house, 3)
    assert await request_action(reader.database, [row["_id"]], "discard") == 1
    assert await copied(reader, subject, 3) == ["l1", "l4", "l5"]


# What can't be applied


async def test_poison_is_parked_and_the_rest_goes_on(house: House, producer: AIOKafkaProducer) -> None:
    poisoned, well = a_subject(), a_subject()
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        if event.envelope.subject == poisoned and event.data.line == "l2":
            raise RuntimeError("Erika Beispiel")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    await house.said(producer, poisoned, [1, 2, 3], partition=0)
    await house.said(producer, well, [1, 2], partition=0)
    reader = await house.reader(_handler, start=False)
    await reader.start()
    await all_committed(house, 5)
    assert await reader.lines(well) == lines(2)
    assert await reader.lines(poisoned) == ["l1"]
    [row] = await reader.parked()
    assert (row["status"], row["reason"]) == (PARKED, "failed")
    assert "Erika" not in str(row), "no content of errors is kept"
    await house.said(producer, poisoned, [4], partition=0)
    await all_committed(house, 6)
    assert [each["at"] for each in (await reader.parked())[0]["events"]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([("ce_specversion", b"1.0")], b"{}"),
        ([("ce_specversion", b"\xff\xfe"), ("ce_id", b"\xff")], b"{}"),
        ([], b""),
        ([("ce_sequence", b"9" * 5000)], b"{"),
        (None, b'{"line": '),
        (None, b"\xff\xfe"),
        (None, b"{}"),
        (None, None),
        (None, b"[" * 100_000),
    ],
    ids=["missing", "not UTF-8", "none", "endless number", "bad JSON", "bytes", "field missing", "empty", "deep"],
)
async def test_what_cannot_be_read_is_parked_and_the_rest_goes_on(
    house: House, producer: AIOKafkaProducer, headers: list[tuple[str, bytes]] | None, value: bytes | None
) -> None:
    bad, well = a_subject(), a_subject()
    if headers is None:
        headers = house.envelope(bad, 1).headers()
    await producer.send_and_wait(house.topic.name, value, key=b"k", headers=headers, partition=0)
    await house.said(producer, well, [1, 2], partition=0)
    reader = await house.reader()
    assert await copied(reader, well, 2) == lines(2)
    await all_committed(house, 3)
    [row] = await reader.parked()
    assert (row["status"], row["reason"]) == (PARKED, "undecodable")
    await request_action(reader.database, [row["_id"]], "replay")
    await wait_until(lambda: _attempted(reader), what="tried again")
    await request_action(reader.database, [row["_id"]], "discard")
    await nothing_parked(reader)


async def _attempted(reader: Reader) -> bool:
    return (await reader.parked())[0]["attempts"] == 1


@pytest.mark.parametrize("name", ["sequence", "epoch"])
async def test_numbers_beyond_all_measure_harm_nobody(house: House, producer: AIOKafkaProducer, name: str) -> None:
    well = a_subject()
    headers = [
        (key, b"99999999999999999999" if key == f"ce_{name}" else value)
        for key, value in house.envelope(a_subject(), 1, epoch=1).headers()
    ]
    await producer.send_and_wait(house.topic.name, b'{"line": "x"}', key=b"k", headers=headers, partition=0)
    await house.said(producer, well, [1], partition=0)
    reader = await house.reader()
    assert await copied(reader, well, 1) == lines(1)


async def test_nothing_is_committed_before_it_is_parked_durably(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [2])
    reader = await house.reader(start=False)
    parking = reader.consumer.parking
    inner, tries, let = parking.park, 0, asyncio.Event()

    async def _park(*given: Any) -> None:
        nonlocal tries
        tries += 1
        if not let.is_set():
            raise EngineAway("injected")
        await inner(*given)
        if tries < 5:
            tries = 5
            raise OutcomeUnknown("injected: the answer was lost")

    parking.park = _park  # type: ignore[method-assign]
    await reader.start()
    await wait_until(lambda: tries >= 3, what="several tries")
    assert await house.committed() == 0
    tries = 0
    let.set()
    await all_committed(house, 1)
    [row] = await reader.parked()
    assert len(row["events"]) == 1


async def test_rejected_and_not_yet_are_told_apart(house: House, producer: AIOKafkaProducer) -> None:
    rejected, early = a_subject(), a_subject()
    ready = False
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        if event.envelope.subject == rejected:
            raise Rejected("never")
        if not ready:
            raise NotYet("the other one")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    await house.said(producer, rejected, [1], partition=0)
    await house.said(producer, early, [1, 2, 3], partition=0)
    reader = await house.reader(_handler, start=False)
    await reader.start()
    await all_committed(house, 4)
    by_status = {row["status"]: row for row in await reader.parked()}
    assert by_status[PARKED]["reason"] == "rejected"
    assert by_status[WAITING]["reason"] == "not_yet"
    ready = True
    assert await copied(reader, early, 3) == lines(3)

    async def _only_the_rejected() -> bool:
        return [row["status"] for row in await reader.parked()] == [PARKED]

    await wait_until(_only_the_rejected)


# What an operator asks for


async def test_replay_and_discard_are_done_by_the_owner_in_order(house: House, producer: AIOKafkaProducer) -> None:
    fixed, given_up = a_subject(), a_subject()
    broken = True
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        if broken and event.data.line == "l2":
            raise Rejected("a bug of ours")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    await house.said(producer, fixed, [1, 2, 3, 4])
    await house.said(producer, given_up, [1, 2, 3, 4])
    reader = await house.reader(_handler, start=False)
    await reader.start()
    await all_committed(house, 8)
    ids = {subject: reader.consumer.parking.id_of(source(house, subject)) for subject in (fixed, given_up)}
    await request_action(reader.database, [ids[fixed]], "replay")  # the bug is still there

    async def _tried() -> bool:
        return any(row["attempts"] == 1 for row in await reader.parked())

    await wait_until(_tried)
    assert await reader.lines(fixed) == ["l1"]
    await request_action(reader.database, [ids[given_up]], "discard")
    assert await copied(reader, given_up, 3) == ["l1", "l3", "l4"]
    broken = False
    await request_action(reader.database, [ids[fixed]], "replay")
    assert await copied(reader, fixed, 4) == lines(4)
    await nothing_parked(reader)


async def test_a_repeat_of_something_done_is_not_discarded_in_place_of_the_culprit(
    house: House, producer: AIOKafkaProducer
) -> None:
    subject = a_subject()
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        if event.data.line == "l3":
            raise Rejected("never")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    await house.said(producer, subject, [1, 2, 3, 4, 1, 2, 5])
    reader = await house.reader(_handler, start=False)
    await reader.start()
    await all_committed(house, 7)
    await request_action(reader.database, [reader.consumer.parking.id_of(source(house, subject))], "discard")
    assert await copied(reader, subject, 4) == ["l1", "l2", "l4", "l5"]
    await nothing_parked(reader)


# Engines that are away


async def test_a_handler_whose_engine_is_away_keeps_its_place(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    away, tries = True, 0
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        nonlocal tries
        tries += 1
        if away:
            raise EngineAway("injected")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    await house.said(producer, subject, [1, 2, 3])
    reader = await house.reader(_handler, start=False)
    await reader.start()
    await wait_until(lambda: tries > 5, what="several tries")
    assert await reader.parked() == []
    assert await house.committed() == 0
    away = False
    assert await copied(reader, subject, 3) == lines(3)
    await all_committed(house, 3)


async def test_many_unknown_failures_stop_the_consumer_instead_of_parking_everything(
    house: House, producer: AIOKafkaProducer
) -> None:
    subjects, well = [a_subject() for _ in range(12)], a_subject()
    broken = True
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        if broken and event.envelope.subject != well:
            raise RuntimeError("a bug of ours")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    for subject in subjects:
        await house.said(producer, subject, [1], partition=0)
    reader = await house.reader(
        _handler,
        start=False,
        delivery_halt_after=4,
        delivery_attempts=1,
        delivery_halt_pause_seconds=0.05,
        delivery_halt_window_seconds=1.0,
    )
    await reader.start()
    gauge = metrics.CONSUMER_HALTED.labels("reader")
    await wait_until(lambda: gauge._value.get() == 1, what="halted")
    await house.said(producer, well, list(range(1, 6)), partition=1)
    assert await copied(reader, well, 5) == lines(5), "whatever can be applied goes on"
    # Longer than the window in which failures are counted, and after successes of others: still no more are parked.
    began = time.monotonic()
    await wait_until(lambda: time.monotonic() - began > 3.0)
    assert gauge._value.get() == 1
    assert len(await reader.parked()) <= 4
    broken = False
    await all_committed(house, 17)
    await wait_until(lambda: gauge._value.get() == 0, what="going on")
    parked = await reader.parked()
    assert len(parked) <= 4
    await request_action(reader.database, [row["_id"] for row in parked], "replay")
    for subject in subjects:
        assert await copied(reader, subject, 1) == lines(1)


async def test_a_fault_of_the_consumer_itself_leaves_no_partition_behind(
    house: House, producer: AIOKafkaProducer
) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 2, 3])
    reader = await house.reader(start=False, delivery_longest_pause_seconds=0.05)
    inner, faults = reader.consumer.positions.save, 3

    async def _save(places: dict[str, int]) -> None:
        nonlocal faults
        if faults:
            faults -= 1
            raise RuntimeError("a bug of ours")
        await inner(places)

    reader.consumer.positions.save = _save  # type: ignore[method-assign]
    await reader.start()
    await all_committed(house, 3)
    assert await reader.lines(subject) == lines(3)


# Consumers that come and go


async def test_killed_in_the_middle_of_a_batch_the_next_one_does_the_rest(
    house: House, producer: AIOKafkaProducer
) -> None:
    subjects = [a_subject() for _ in range(5)]
    for subject in subjects:
        await house.said(producer, subject, range(1, 21), partition=0)
    handled = 0
    first: Reader

    async def _handler(event: Received[Any]) -> object:
        nonlocal handled
        done = await first.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))
        handled += 1
        if handled >= 30:
            await asyncio.Event().wait()
        return done

    first = await house.reader(_handler, start=False)
    await first.start()
    await wait_until(lambda: handled >= 30, what="half of it")
    await first.killed()
    assert await house.committed() == 0
    second = await house.reader()
    await all_committed(house, 100)
    for subject in subjects:
        assert await second.lines(subject) == lines(20)


async def test_consumers_that_join_and_leave_under_load_double_and_lose_nothing(
    house: House, producer: AIOKafkaProducer
) -> None:
    subjects = [a_subject() for _ in range(20)]
    calls: Counter[str] = Counter()
    readers: list[Reader] = []

    def _of(place: int) -> Any:
        async def _handler(event: Received[Any]) -> object:
            calls[event.envelope.subject] += 1
            await asyncio.sleep(0.002)
            copies = readers[place].copies
            return await copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

        return _handler

    async def _load() -> None:
        for sequence in range(1, 31):
            for subject in subjects:
                await house.said(producer, subject, [sequence])

    async def _some(count: int) -> None:
        await wait_until(lambda: sum(calls.values()) > count, 30)

    readers = [await house.reader(_of(place), start=False) for place in range(3)]
    await readers[0].start()
    loading = asyncio.create_task(_load())
    await _some(50)
    await readers[1].start()
    await _some(150)
    await readers[2].start()
    await _some(250)
    await readers[0].stop()
    await _some(350)
    await readers[1].killed()
    await loading
    await all_committed(house, 600, 60)
    for subject in subjects:
        assert await readers[2].lines(subject) == lines(30)
    assert await readers[2].parked() == []


async def test_records_fetched_before_a_rebalance_are_dropped_after_it(
    house: House, producer: AIOKafkaProducer
) -> None:
    """To commit behind them would skip what lay before them and was given up."""
    reader = await house.reader()
    consumer = reader.consumer
    subject = a_subject()
    await house.said(producer, subject, [1])
    await copied(reader, subject, 1)
    records = tuple(await house.published())
    stale = consumer.assignment.rebalances
    await consumer.on_partitions_revoked([TopicPartition(records[0].topic, records[0].partition)])
    await consumer._on_records(records, stale)
    assert consumer.assignment.partitions == {}
    await consumer._on_records(records, consumer.assignment.rebalances)
    assert len(consumer.assignment.partitions) == 1


async def test_a_graceful_stop_ends_what_was_begun_and_commits_it(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 2, 3], partition=0)
    begun, let = asyncio.Event(), asyncio.Event()
    reader: Reader

    async def _handler(event: Received[Any]) -> object:
        begun.set()
        await let.wait()
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    reader = await house.reader(_handler, start=False)
    await reader.start()
    await begun.wait()
    stopping = asyncio.create_task(reader.stop())
    await asyncio.sleep(0)
    let.set()
    await stopping
    assert await house.committed() >= 1
    assert (await reader.lines(subject))[0] == "l1"


async def test_a_stuck_consumer_is_restarted(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    reader = await house.reader(stuck_seconds=0.5, watch_seconds=0.1)
    await house.said(producer, subject, [1], partition=0)
    await copied(reader, subject, 1)
    hanging = asyncio.Event()

    async def _hangs(*_: Any, **__: Any) -> dict[Any, Any]:
        hanging.set()
        await asyncio.Event().wait()
        return {}

    def _hung() -> bool:
        with contextlib.suppress(EngineAway):  # on a busy machine it may be restarted before it hangs
            reader.consumer.client.getmany = _hangs  # as if the client had lost its coordinator in silence
        return hanging.is_set()

    await wait_until(_hung, 20)  # the look under way would still have found what comes
    consumer = reader.consumer.client
    restarts = metrics.CONSUMER_RESTARTS.labels("reader")._value.get()
    await house.said(producer, subject, [2, 3], partition=0)
    assert await copied(reader, subject, 3, 30) == lines(3)
    assert metrics.CONSUMER_RESTARTS.labels("reader")._value.get() > restarts
    assert reader.consumer.client is not consumer


# After a restore


async def test_a_restored_line_is_accepted_and_the_old_one_repeated_does_nothing(
    house: House, producer: AIOKafkaProducer
) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 2, 3, 4], partition=0)
    await house.said(producer, subject, [3, 4], partition=0, epoch=1)
    await house.said(producer, subject, [2, 4], partition=0)
    await house.said(producer, subject, [5], partition=0, epoch=1)
    reader = await house.reader()
    await all_committed(house, 9)
    assert await reader.lines(subject) == ["l1", "l2", "l3", "l4", "l3", "l4", "l5"]
    assert await reader.parked() == []
    positions = await reader.consumer.positions.load([source(house, subject)])
    assert positions == {source(house, subject): SEQUENCES_PER_EPOCH + 5}


async def test_a_restored_line_with_a_hole_waits(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 2], partition=0)
    await house.said(producer, subject, [5], partition=0, epoch=1)
    reader = await house.reader()
    [row] = await parked_with(reader, WAITING)
    assert row["reason"] == "hole"
    assert await reader.lines(subject) == lines(2)
    assert copy_of(source(house, subject))
