"""Parked subjects when instances come and go, and when an operator asks while one is being tried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from chassis.aggregates import Received
from chassis.errors import NotYet, Rejected
from chassis.events.parking import DISCARD, PARKED, REPLAY, WAITING, ProcessingFailure, request_action
from tests.support.diaries import House, Reader, a_subject, written
from tests.support.waiting import wait_until

Handler = Callable[[Received[Any]], Awaitable[object]]


@pytest.fixture
async def producer(house: House) -> AIOKafkaProducer:
    await house.transport()  # makes the topic
    return await house.producer()


async def parked_with(reader: Reader, status: str, events: int = 1) -> dict[str, Any]:
    async def _there() -> dict[str, Any] | None:
        for row in await reader.parked():
            if row["status"] == status and len(row["events"]) == events:
                return row
        return None

    found = await wait_until(_there, 15, f"a subject {status}")
    assert found is not None
    return found


def places(reader: Reader) -> set[TopicPartition]:
    return set(reader.consumer.client.assignment())


async def balanced(*readers: Reader) -> None:
    """Each reader has its share, and no partition has two."""

    def _shared() -> bool:
        mine = [places(reader) for reader in readers]
        return all(mine) and sum(map(len, mine)) == len(set().union(*mine)) == readers[0].house.topic.partitions

    await wait_until(_shared, 20, "the group is balanced")


async def not_yet(_: Received[Any]) -> object:
    raise NotYet("later")


# Rebalances


@pytest.mark.real_database
async def test_between_revocation_and_assignment_nothing_is_ours(house: House, producer: AIOKafkaProducer) -> None:
    """The client names the old partitions until it has new ones: looked at in between, they'd be handled for good."""
    for number in range(house.topic.partitions):
        await house.said(producer, a_subject(), [1], partition=number)
    first = await house.reader(not_yet)

    async def _all_parked() -> bool:
        return len(await first.parked()) == house.topic.partitions

    await wait_until(_all_parked)
    revoked, looked = first.consumer.on_partitions_revoked, 0

    async def _revoked_and_looked_at(given: Any) -> None:
        nonlocal looked
        await revoked(given)
        assert places(first), "the client still names them"
        await first.consumer.drain.start_due()
        looked += 1
        assert first.consumer.assignment.partitions == {}

    first.consumer.on_partitions_revoked = _revoked_and_looked_at  # type: ignore[method-assign]
    second = await house.reader(not_yet)
    await balanced(first, second)
    assert looked
    for reader in (first, second):
        assert set(reader.consumer.assignment.partitions) <= places(reader)


@pytest.mark.real_database
async def test_a_parked_subject_being_tried_is_given_up_with_its_partition(
    house: House, producer: AIOKafkaProducer
) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1, 2])
    trying, cancelled = asyncio.Event(), asyncio.Event()

    async def _stuck_when_tried_again(event: Received[Any]) -> object:
        if await first.parked():
            trying.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
        raise NotYet("later")

    async def _applied(event: Received[Any]) -> object:
        return await second.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    first = await house.reader(_stuck_when_tried_again)
    await asyncio.wait_for(trying.wait(), 15)
    second = await house.reader(_applied)
    await asyncio.wait_for(cancelled.wait(), 20)
    await balanced(first, second)
    await first.stop()

    async def _done() -> bool:
        return await second.lines(subject) == ["l1", "l2"] and await second.parked() == []

    await wait_until(_done, 20)


async def test_the_look_at_parked_subjects_survives_a_revocation(house: House, producer: AIOKafkaProducer) -> None:
    subject = a_subject()
    await house.said(producer, subject, [1])
    calls = 0

    async def _count(event: Received[Any]) -> object:
        nonlocal calls
        calls += 1
        raise NotYet("later")

    reader = await house.reader(_count, parked_first_retry_seconds=0.02, parked_longest_retry_seconds=0.02)
    await parked_with(reader, WAITING)
    task = reader.consumer._background.running[reader.consumer._parked_task]
    owned = reader.consumer.assignment.owned
    assert owned is not None
    await reader.consumer.on_partitions_revoked(owned)
    before = calls
    await reader.consumer.drain.start_due()
    assert reader.consumer.assignment.partitions == {}
    assert calls == before
    await reader.consumer.on_partitions_assigned(owned)
    await wait_until(lambda: calls > before + 1, what="tried again")
    assert not task.done()


# An operator asks while a subject is being tried


async def _held(house: House, failing: Handler) -> tuple[Reader, asyncio.Event, asyncio.Event]:
    """A reader whose handler says when it was entered, and waits until it may go on."""
    entered, go = asyncio.Event(), asyncio.Event()
    go.set()

    async def _handler(event: Received[Any]) -> object:
        entered.set()
        await go.wait()
        return await failing(event)

    return await house.reader(_handler), entered, go


async def test_a_discard_asked_for_during_a_replay_is_done(house: House, producer: AIOKafkaProducer) -> None:
    async def _refused(_: Received[Any]) -> object:
        raise Rejected("no")

    await house.said(producer, a_subject(), [1])
    reader, entered, go = await _held(house, _refused)
    row = await parked_with(reader, PARKED)
    entered.clear()
    go.clear()
    assert await request_action(reader.database, [row["_id"]], REPLAY) == 1
    await asyncio.wait_for(entered.wait(), 10)
    assert await request_action(reader.database, [row["_id"]], DISCARD) == 1
    go.set()

    async def _gone() -> bool:
        return await reader.parked() == []

    await wait_until(_gone, 10, "the discard was done")


async def test_a_discard_is_for_the_event_that_was_seen_and_no_other(house: House, producer: AIOKafkaProducer) -> None:
    """While event 1 is tried, and goes through, somebody asks to discard it: event 2 is not given up in its place."""
    broken = True
    subject = a_subject()

    async def _mended_meanwhile(event: Received[Any]) -> object:
        if broken and event.envelope.sequence == 1:
            raise Rejected("a bug of ours")
        return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))

    await house.said(producer, subject, [1, 2])
    reader, entered, go = await _held(house, _mended_meanwhile)
    row = await parked_with(reader, PARKED, events=2)
    entered.clear()
    go.clear()
    broken = False
    await request_action(reader.database, [row["_id"]], REPLAY)
    await asyncio.wait_for(entered.wait(), 10)
    assert await request_action(reader.database, [row["_id"]], DISCARD) == 1
    go.set()

    async def _both() -> bool:
        return await reader.lines(subject) == ["l1", "l2"] and await reader.parked() == []

    await wait_until(_both, 10)


async def test_a_verdict_falls_on_the_event_that_was_tried_only(house: House, producer: AIOKafkaProducer) -> None:
    """Two instances tried one subject, as in a rolling deployment: the slower one's verdict on event 1 comes late."""
    first_passes = False

    async def _second_waits(event: Received[Any]) -> object:
        if first_passes and event.envelope.sequence == 1:
            return await reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))
        raise NotYet("later")

    await house.said(producer, a_subject(), [1, 2])
    reader = await house.reader(_second_waits)
    row = await parked_with(reader, WAITING, events=2)
    slow = await reader.consumer.parking.load(row["_id"])
    assert slow is not None
    first_passes = True
    await parked_with(reader, WAITING, events=1)
    await reader.consumer.parking.record_failure(slow, ProcessingFailure(PARKED, "rejected", "rejected: event 1"))
    [now] = await reader.parked()
    assert (now["status"], now["reason"]) == (WAITING, "not_yet")
    assert now["retry_at"]


async def test_what_came_before_it_meanwhile_is_first(house: House, producer: AIOKafkaProducer) -> None:
    """A verdict on the event behind a hole does not put off the look at what filled the hole."""
    subject = a_subject()
    await house.said(producer, subject, [1, 3])
    reader = await house.reader()
    row = await parked_with(reader, WAITING)
    slow = await reader.consumer.parking.load(row["_id"])
    assert slow is not None
    await reader.consumer._background.stop(reader.consumer._parked_task)
    await house.said(producer, subject, [2])
    await parked_with(reader, WAITING, events=2)
    await reader.consumer.parking.record_failure(
        slow, ProcessingFailure(WAITING, "hole", "something before it is missing")
    )
    [now] = await reader.parked()
    assert now["attempts"] == row["attempts"]
    await reader.consumer.drain.start_due()

    async def _filled() -> bool:
        return await reader.lines(subject) == ["l1", "l2", "l3"] and await reader.parked() == []

    await wait_until(_filled)


async def test_what_comes_behind_a_settled_event_waits_and_is_not_parked(
    house: House, producer: AIOKafkaProducer
) -> None:
    """Whoever replayed the first may be killed before the next: that one was never refused."""

    async def _refused(_: Received[Any]) -> object:
        raise Rejected("no")

    await house.said(producer, a_subject(), [1, 2])
    reader = await house.reader(_refused)
    row = await parked_with(reader, PARKED, events=2)
    await reader.consumer._background.stop(reader.consumer._parked_task)
    found = await reader.consumer.parking.load(row["_id"])
    assert found is not None
    await reader.consumer.parking.remove_first(found)  # ... and it is killed here
    [now] = await reader.parked()
    assert ([event["at"] for event in now["events"]], now["status"]) == ([2], WAITING)
    assert [each["_id"] async for each in reader.consumer.parking.due()] == [row["_id"]]


async def test_a_wish_of_an_older_release_is_carried_out(house: House, producer: AIOKafkaProducer) -> None:
    async def _refused(_: Received[Any]) -> object:
        raise Rejected("no")

    await house.said(producer, a_subject(), [1])
    reader = await house.reader(_refused)
    row = await parked_with(reader, PARKED)
    await reader.database.collection("parked").update(
        {"_id": row["_id"]}, {"$set": {"asked": "discard", "retry_at": row["since"]}}
    )

    async def _gone() -> bool:
        return await reader.parked() == []

    await wait_until(_gone)
