"""`verify` proves what is whole, and finds each thing that isn't."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from rathaus.operations.installation import Installation
from rathaus.operations.verify import verify
from tests.component.operations.conftest import Emitter
from tests.support.diaries import House, a_subject


@pytest.fixture
async def producer(house: House, emitter: Emitter) -> AIOKafkaProducer:
    return await house.producer()


async def test_what_is_whole_is_proven(installation: Installation, emitter: Emitter) -> None:
    for subject in (a_subject() for _ in range(5)):
        await emitter.says(subject, "a", "b", "c")
    await emitter.publishes()
    report = await verify(installation)
    assert report.proven
    assert (report.events, report.subjects, report.documents) == (15, 5, 5)
    assert report.as_json()["proven"] is True


async def test_repetitions_and_what_waits_are_no_faults(
    installation: Installation, house: House, emitter: Emitter, producer: AIOKafkaProducer
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b")
    await emitter.publishes()
    await house.said(producer, subject, [1, 2])
    await emitter.says(subject, "c")
    report = await verify(installation)
    assert report.proven
    assert (report.repeats, report.unpublished) == (2, 1)


async def test_a_document_that_never_said_anything_is_no_fault(installation: Installation, emitter: Emitter) -> None:
    await emitter.says(a_subject())
    assert (await verify(installation)).proven


async def test_what_was_marked_and_never_sent_is_missing(installation: Installation, emitter: Emitter) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b")
    await emitter.store.collection.update({"_id": subject}, {"$set": {"published": 2}})
    report = await verify(installation)
    assert report.counts == {"missing_in_topic": 1}
    assert "published 2, the topic has 0" in report.findings[0].detail


async def test_a_hole_is_found(
    installation: Installation, house: House, emitter: Emitter, producer: AIOKafkaProducer
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c")
    await house.said(producer, subject, [1, 3])
    await emitter.store.collection.update({"_id": subject}, {"$set": {"published": 3}})
    assert (await verify(installation)).counts == {"hole": 1}


async def test_what_no_document_said_is_found(
    installation: Installation, house: House, emitter: Emitter, producer: AIOKafkaProducer
) -> None:
    await house.said(producer, a_subject(), [1])
    assert (await verify(installation)).counts == {"missing_in_database": 1}


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0)])
async def test_another_key_or_partition_is_found(
    installation: Installation, house: House, emitter: Emitter, producer: AIOKafkaProducer, first: int, second: int
) -> None:
    """Whichever partition is read first: that is chance."""
    subject = a_subject()
    await emitter.says(subject, "a", "b")
    await house.said(producer, subject, [1], partition=first)
    await house.said(producer, subject, [2], partition=second)
    wrong = house.envelope(subject, 2)
    await producer.send_and_wait(
        house.topic.name, b'{"line": "b"}', key=b"another", headers=wrong.headers(), partition=first
    )
    assert (await verify(installation)).counts == {"moved_partition": 1, "wrong_key": 1}


async def test_bytes_that_are_no_event_are_found(
    installation: Installation, house: House, emitter: Emitter, producer: AIOKafkaProducer
) -> None:
    await producer.send_and_wait(house.topic.name, b"\xff", key=b"x", headers=[("ce_id", b"\xff\xfe")])
    assert (await verify(installation)).counts == {"invalid_envelope": 1}


async def test_a_document_whose_own_events_have_a_hole_is_found(installation: Installation, emitter: Emitter) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c")
    await emitter.publishes()
    await emitter.store.collection.update({"_id": subject}, {"$pull": {"events": {"sequence": 2}}})
    assert (await verify(installation)).counts == {"document": 1}
