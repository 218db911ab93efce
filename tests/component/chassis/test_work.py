"""Due work: done once, repeated after a crash, put off when it fails, never forgotten; on both databases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis.aggregates import Change, Signals, Store, Work
from chassis.clock import FixedClock
from chassis.errors import EngineAway, NotYet, PeerAway
from chassis.work import Duty, Worker, Workers
from tests.support.diaries import TOWN, Diary, House, a_subject, in_a_while, received
from tests.support.waiting import wait_until


class Desk:
    """A store with work, its clock, and whoever looks at it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock: FixedClock = house.moved_clock()
        self.signals = Signals()
        self.store: Store[Diary] = house.store(signals=self.signals)
        self.calls: list[tuple[str, datetime]] = []

    async def due(self, at: datetime) -> str:
        subject = a_subject()
        event = received(self.house, a_subject(), 1)
        await self.store.upsert_on_event(event, subject, lambda *_: Change(Diary(remind=at)))
        return subject

    def call(self, work: Work[Diary]) -> None:
        """What happens outside; the key is what the outside tells repetitions by."""
        self.calls.append((work.snapshot.id, work.at))

    async def write(self, work: Work[Diary]) -> object:
        def _done(state: Diary, now: datetime) -> Change[Diary]:
            return Change(replace(state, lines=(*state.lines, "done"), remind=None), (self.house.noted(line="done"),))

        return await self.store.on_due(work, _done)

    async def work(self, work: Work[Diary]) -> None:
        self.call(work)
        await self.write(work)

    def workers(self, worker: Worker | None = None, **changes: Any) -> Workers:
        duty = Duty(self.store, "remind", worker or self.work)
        return Workers("emitter", [duty], self.clock, self.signals, self.house.settings(**changes))

    async def document(self, subject: str) -> dict[str, Any]:
        found = await self.store.collection.find_one({"_id": subject})
        assert found is not None
        return found

    async def done(self, subject: str) -> bool:
        return (await self.store.require(TOWN, subject)).state.lines == ("done",)


@pytest.fixture
async def desk(house: House) -> Desk:
    made = Desk(house)
    await made.store.collection.ensure(made.store.indexes)
    return made


@contextlib.asynccontextmanager
async def running(*workers: Workers) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in workers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_due_is_done_and_what_is_not_waits_for_the_clock(desk: Desk) -> None:
    now, later = await desk.due(in_a_while(0)), await desk.due(in_a_while(3600))
    async with running(desk.workers()):
        await wait_until(lambda: desk.done(now))
        assert not await desk.done(later)
        desk.clock.advance(timedelta(hours=1))
        await wait_until(lambda: desk.done(later))
    assert len(desk.calls) == 2


async def test_two_that_look_at_the_same_work_have_one_effect(desk: Desk) -> None:
    subjects = [await desk.due(in_a_while(0)) for _ in range(30)]
    async with running(desk.workers(), desk.workers()):
        for subject in subjects:
            await wait_until(lambda subject=subject: desk.done(subject))  # type: ignore[misc]
    for subject in subjects:
        assert [data["line"] for _, data in await desk.store.events(TOWN, subject)] == ["done"]


async def test_one_piece_is_not_begun_twice_by_one_process(desk: Desk) -> None:
    subject, let, begun = await desk.due(in_a_while(0)), asyncio.Event(), 0

    async def _slow(work: Work[Diary]) -> None:
        nonlocal begun
        begun += 1
        await let.wait()
        await desk.write(work)

    async with running(desk.workers(_slow)):
        await wait_until(lambda: begun)
        other = await desk.due(in_a_while(0))  # wakes the loop while the first is still running
        await wait_until(lambda: begun == 2)
        let.set()
        await wait_until(lambda: desk.done(subject))
        await wait_until(lambda: desk.done(other))
    assert begun == 2


async def test_a_crash_between_the_call_outside_and_the_write_repeats_the_same_call(desk: Desk) -> None:
    subject, called = await desk.due(in_a_while(0)), asyncio.Event()

    async def _crashes(work: Work[Diary]) -> None:
        desk.call(work)
        called.set()
        await asyncio.Event().wait()

    async with running(desk.workers(_crashes)):
        await called.wait()
    async with running(desk.workers()):
        await wait_until(lambda: desk.done(subject))
    assert len(desk.calls) == 2
    assert len(set(desk.calls)) == 1, "the outside can tell it is the same"
    assert len(await desk.store.events(TOWN, subject)) == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), NotYet("later"), EngineAway("away"), PeerAway("away"), None], ids=str
)
async def test_what_fails_or_makes_no_progress_is_put_off_further_each_time(
    desk: Desk, error: Exception | None
) -> None:
    subject, tries = await desk.due(in_a_while(0)), 0

    async def _fails(_: Work[Diary]) -> None:
        nonlocal tries
        tries += 1
        if error is not None:
            raise error

    pauses = []
    async with running(desk.workers(_fails)):
        for attempt in range(1, 7):

            async def _put_off(attempt: int = attempt) -> bool:
                return bool((await desk.document(subject))["due"]["remind"]["attempts"] == attempt)

            await wait_until(_put_off)
            document = await desk.document(subject)
            until = document["due"]["remind"]["next"]
            assert document["due_at"] == until
            assert document["version"] == 1
            pauses.append((until - desk.clock.now()).total_seconds())
            desk.clock.advance(until - desk.clock.now())
            desk.signals.due.set()
    assert tries >= 6
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert 10 < pauses[5] <= desk.house.settings().work_longest_retry_seconds * 1.2


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [(EngineAway("away"), 24, 36), (PeerAway("away"), 24, 36), (NotYet("later"), 200, 400)],
    ids=str,
)
async def test_what_was_away_for_long_is_looked_for_more_often(
    desk: Desk, error: Exception, least: float, most: float
) -> None:
    subject = await desk.due(in_a_while(0))
    await desk.store.collection.update({"_id": subject}, {"$set": {"due.remind.attempts": 12}})

    async def _fails(_: Work[Diary]) -> None:
        raise error

    async def _put_off() -> bool:
        return bool((await desk.document(subject))["due"]["remind"]["attempts"] == 13)

    async with running(desk.workers(_fails)):
        await wait_until(_put_off)
    until = (await desk.document(subject))["due"]["remind"]["next"]
    assert least <= (until - desk.clock.now()).total_seconds() <= most


async def test_failing_work_does_not_stop_other_work(desk: Desk) -> None:
    bad = await desk.due(in_a_while(0))

    async def _worker(work: Work[Diary]) -> None:
        if work.snapshot.id == bad:
            raise RuntimeError("a bug of ours")
        await desk.work(work)

    async with running(desk.workers(_worker)):
        others = [await desk.due(in_a_while(0)) for _ in range(20)]
        for other in others:
            await wait_until(lambda other=other: desk.done(other))  # type: ignore[misc]
    assert not await desk.done(bad)


async def test_a_document_that_nobody_can_read_stops_no_other_work(desk: Desk) -> None:
    bad = await desk.due(in_a_while(0))
    await desk.store.collection.update({"_id": bad}, {"$set": {"state.remind": "nonsense"}})
    well = await desk.due(in_a_while(0))
    async with running(desk.workers()):
        await wait_until(lambda: desk.done(well))


async def test_work_goes_on_when_the_database_comes_back(desk: Desk) -> None:
    subject = await desk.due(in_a_while(0))
    inner, away, looks = desk.store.collection.find, True, 0

    async def _find(*given: Any, **more: Any) -> AsyncIterator[dict[str, Any]]:
        nonlocal looks
        looks += 1
        if away:
            raise EngineAway("injected")
        async for row in inner(*given, **more):
            yield row

    desk.store.collection.find = _find  # type: ignore[method-assign]
    async with running(desk.workers()):
        await wait_until(lambda: looks > 2)
        assert desk.calls == []
        away = False
        await wait_until(lambda: desk.done(subject))


async def test_no_more_than_allowed_runs_at_a_time(desk: Desk) -> None:
    subjects = [await desk.due(in_a_while(0)) for _ in range(12)]
    at_once, most = 0, 0

    async def _counted(work: Work[Diary]) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await desk.work(work)
        at_once -= 1

    async with running(desk.workers(_counted, work_concurrency=3)):
        for subject in subjects:
            await wait_until(lambda subject=subject: desk.done(subject))  # type: ignore[misc]
    assert most == 3
