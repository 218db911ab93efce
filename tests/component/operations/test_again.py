"""Saying again, reading again, raising the epoch, and what the tools tell of a case."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Conflict, EngineAway
from chassis.events.lease import Lease
from contracts.envelope import Envelope
from rathaus.operations import replay as replaying
from rathaus.operations import restore
from rathaus.operations import tail as tailing
from rathaus.operations.installation import SERVICES, Installation
from rathaus.operations.republish import republish
from rathaus.operations.tail import Wanted
from rathaus.operations.trace import trace
from tests.component.operations.conftest import Emitter
from tests.support.diaries import TOWN, House, Reader, a_subject
from tests.support.waiting import wait_until


async def copied(reader: Reader, subject: str, count: int) -> list[str]:
    async def _there() -> list[str] | None:
        lines = await reader.lines(subject)
        return lines if len(lines) >= count else None

    found = await wait_until(_there, 20, f"{count} lines")
    assert found is not None
    return found


async def all_committed(house: House, count: int) -> None:
    async def _done() -> bool:
        return await house.committed() == count

    await wait_until(_done, 20, f"{count} committed")


# republish


async def test_what_is_said_again_has_the_same_ids_and_no_effect(
    installation: Installation, house: House, emitter: Emitter
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c")
    await emitter.publishes()
    reader = await house.reader()
    await copied(reader, subject, 3)
    counted: list[int] = []
    assert await republish(installation, house.topic.stream, lease_seconds=0.6, progress=counted.append) == 3
    assert counted == [3]
    await all_committed(house, 6)
    assert await reader.lines(subject) == ["a", "b", "c"]
    ids = [Envelope.parse(record.headers).id for record in await house.published()]
    assert ids[:3] == ids[3:]


async def test_archived_events_are_said_again_too(installation: Installation, house: House, emitter: Emitter) -> None:
    """Those that left the document come first, and once where a crash left them in both."""
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c", "d")
    await emitter.publishes()
    await emitter.store.archive(TOWN, subject, 2)
    [said] = [row["said"] async for row in emitter.store.archived.find({"_id": f"{subject}/2"})]
    await emitter.store.collection.update({"_id": subject}, {"$push": {"events": {"$each": [said], "$position": 0}}})
    assert await republish(installation, house.topic.stream, lease_seconds=0.6) == 4
    assert await house.lines() == {subject: [1, 2, 3, 4, 1, 2, 3, 4]}


async def test_only_what_was_published_is_said_again_and_only_since(
    installation: Installation, house: House, emitter: Emitter
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a")
    await emitter.publishes()
    await emitter.says(subject, "b")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await republish(installation, house.topic.stream, since=later, lease_seconds=0.6) == 0
    assert await republish(installation, house.topic.stream, lease_seconds=0.6) == 1
    assert await house.lines() == {subject: [1, 1]}


async def test_the_holder_of_the_lease_hands_over(installation: Installation, house: House, emitter: Emitter) -> None:
    await emitter.says(a_subject(), "a")
    await emitter.publishes()
    lease = Lease(emitter.database, 0.6)
    held = asyncio.Event()

    async def _holds() -> None:
        async with lease.held():
            held.set()
            await lease.keep()

    holding = asyncio.create_task(_holds())
    await held.wait()
    assert await republish(installation, house.topic.stream, lease_seconds=0.6) == 1
    assert holding.done()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # FastStream keeps no hold of a
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # producer whose start failed, so that nobody can close it
async def test_without_a_broker_it_says_so(installation: Installation, house: House, emitter: Emitter) -> None:
    await emitter.says(a_subject(), "a")
    await emitter.publishes()
    nowhere = Installation("127.0.0.1:1", installation.mongo_url, installation.database_prefix)
    with pytest.raises(EngineAway):
        await republish(nowhere, house.topic.stream, lease_seconds=0.6)


# replay


async def test_a_replay_applies_only_what_was_missed(
    installation: Installation, house: House, emitter: Emitter
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c")
    await emitter.publishes()
    reader = await house.reader()
    await copied(reader, subject, 3)
    await all_committed(house, 3)
    await reader.stop()
    moves = await replaying.planned(installation, "reader")
    assert sum(move.events for move in moves) == 3
    await replaying.replay(installation, "reader", moves)
    assert await house.committed() == 0
    again = await house.reader()
    await all_committed(house, 3)
    assert await again.lines(subject) == ["a", "b", "c"]


async def test_a_replay_is_refused_while_somebody_reads(
    installation: Installation, house: House, emitter: Emitter
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a")
    await emitter.publishes()
    await house.reader()
    await all_committed(house, 1)
    assert await replaying.members(installation, "reader") == 1
    moves = await replaying.planned(installation, "reader", offset=0)
    with pytest.raises(Conflict, match="stop reader first"):
        await replaying.replay(installation, "reader", moves)


async def test_who_never_read_has_nothing_to_replay(installation: Installation, emitter: Emitter) -> None:
    assert await replaying.planned(installation, "nobody") == []


# raise-epoch


async def test_after_a_restore_a_new_line_begins(installation: Installation, house: House, emitter: Emitter) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b")
    await emitter.publishes()
    reader = await house.reader()
    await copied(reader, subject, 2)
    # The backup had one line only.
    await emitter.store.collection.update(
        {"_id": subject},
        {"$pull": {"events": {"sequence": 2}}, "$set": {"sequence": 1, "published": 1, "state.lines": ["a"]}},
    )
    assert await restore.raise_epoch(installation, house.topic.stream) == 1
    emitter.store.epoch = 1
    await emitter.says(subject, "x")
    await emitter.publishes()
    assert await copied(reader, subject, 3) == ["a", "b", "x"]
    assert await restore.raise_epoch(installation, house.topic.stream) == 2


# trace and tail


async def test_a_case_is_told_in_order_with_how_far_it_got(
    installation: Installation, house: House, emitter: Emitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = a_subject()
    await emitter.says(case, "a", "b")
    await emitter.publishes()
    reader = await house.reader()
    await copied(reader, case, 2)
    await all_committed(house, 2)
    await emitter.says(case, "c")
    monkeypatch.setitem(SERVICES, "reader", house.topic)
    steps = await trace(installation, case)
    assert [(step.name, step.sequence, step.published) for step in steps] == [
        ("noted", 1, True),
        ("noted", 2, True),
        ("noted", 3, False),
    ]
    assert [step.done_by for step in steps] == [("reader",), ("reader",), ()]
    assert steps[0].as_json()["data"] == {"line": "a"}


async def test_a_case_is_found_by_its_reference_as_well(installation: Installation, emitter: Emitter) -> None:
    case = a_subject()
    await emitter.says(case, "a")
    await emitter.publishes()
    await emitter.store.collection.update({"_id": case}, {"$set": {"state.case_reference": "STE-2026-KTXNEQ6TXR"}})
    assert [step.subject for step in await trace(installation, "STE-2026-KTXNEQ6TXR")] == [case]
    assert await trace(installation, "STE-2026-NOBODYSONE") == []


async def test_events_pass_readable_by_case_and_name(
    installation: Installation, house: House, emitter: Emitter
) -> None:
    first, second = a_subject(), a_subject()
    for subject in (first, second):
        await emitter.says(subject, "a")
    await emitter.publishes()
    began = datetime.now(UTC) - timedelta(minutes=5)
    shown = [
        tailing.line(each) async for each in tailing.passed(installation, Wanted(case=first), since=began, follow=False)
    ]
    assert len(shown) == 1
    assert first in shown[0]
    nothing = [e async for e in tailing.passed(installation, Wanted(name="other"), since=began, follow=False)]
    assert nothing == []
