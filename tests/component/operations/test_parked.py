"""Parked events as an operator sees them, and what is asked for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.aggregates import Received
from chassis.errors import Rejected
from chassis.events.parking import Selection
from rathaus.operations import parked
from rathaus.operations.installation import SERVICES, Installation
from tests.component.operations.conftest import Emitter
from tests.support.diaries import House, Reader, a_subject, written
from tests.support.waiting import wait_until


class Stubborn:
    """A reader that refuses a line until it is told otherwise."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.refuses = "b"
        self.reader: Reader | None = None

    async def start(self) -> Reader:
        self.reader = await self.house.reader(self.handle)
        return self.reader

    async def handle(self, event: Received[Any]) -> object:
        assert self.reader is not None
        if event.data.line == self.refuses:
            raise Rejected("not this one")
        return await self.reader.copies.upsert_on_event(event, event.new_id("copy"), written(event.data.line))


@pytest.fixture
async def stubborn(
    installation: Installation, house: House, emitter: Emitter, monkeypatch: pytest.MonkeyPatch
) -> Stubborn:
    monkeypatch.setitem(SERVICES, "reader", house.topic)
    return Stubborn(house)


async def _parked(installation: Installation, events: int) -> list[parked.Row]:
    async def _there() -> list[parked.Row] | None:
        rows = [row async for _, row in parked.listed(installation, "reader", Selection())]
        return rows if rows and rows[0].events == events else None

    found = await wait_until(_there, 20, f"{events} events parked")
    assert found is not None
    return found


async def _nothing(installation: Installation) -> None:
    async def _none() -> bool:
        return not [1 async for _ in parked.listed(installation, "reader", Selection())]

    await wait_until(_none, 20, "nothing parked")


async def test_parked_events_are_shown_replayed_and_gone(
    installation: Installation, house: House, emitter: Emitter, stubborn: Stubborn
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c")
    await emitter.publishes()
    reader = await stubborn.start()
    [row] = await _parked(installation, 2)
    assert (row.status, row.reason, row.tenant) == ("parked", "rejected", "witten")
    assert row.as_json()["events"] == 2
    shown = await parked.shown(installation, "reader", row.id)
    assert shown is not None
    assert [each["envelope"]["sequence"] for each in shown["events"]] == [2, 3]
    assert await parked.shown(installation, "reader", "another") is None

    assert await parked.ask(installation, "reader", Selection(subject=subject), "replay") == 1

    async def _tried() -> bool:
        rows = [row async for _, row in parked.listed(installation, "reader", Selection())]
        return bool(rows and rows[0].attempts)

    await wait_until(_tried, 20, "tried again in vain")
    stubborn.refuses = ""
    assert await parked.ask(installation, None, Selection(reason="rejected"), "replay") == 1
    await _nothing(installation)
    assert await reader.lines(subject) == ["a", "b", "c"]


async def test_a_discard_gives_up_one_event_and_goes_on(
    installation: Installation, house: House, emitter: Emitter, stubborn: Stubborn
) -> None:
    subject = a_subject()
    await emitter.says(subject, "a", "b", "c")
    await emitter.publishes()
    reader = await stubborn.start()
    await _parked(installation, 2)
    assert await parked.ask(installation, "reader", Selection(subject=subject), "discard") == 1
    await _nothing(installation)
    assert await reader.lines(subject) == ["a", "c"]


async def test_only_those_meant_are_asked(
    installation: Installation, house: House, emitter: Emitter, stubborn: Stubborn
) -> None:
    await emitter.says(a_subject(), "b")
    await emitter.publishes()
    await stubborn.start()
    await _parked(installation, 1)
    for selection in (
        Selection(subject="another"),
        Selection(reason="hole"),
        Selection(older_than=timedelta(hours=1)),
    ):
        assert await parked.ask(installation, "reader", selection, "replay") == 0
