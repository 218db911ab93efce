"""kill -9 of each process in the middle of both journeys: nothing is lost, doubled or stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chassis.events.parking import Selection
from rathaus.operations.parked import listed
from rathaus.operations.verify import verify
from rathaus.registry import NAMES
from tests.e2e.canaries import TWO_JOURNEYS
from tests.e2e.house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROCESSES = (
    *("kafka", "mongo"),
    *NAMES,
    *("gateway", "payment-provider", "population-register"),
)
MOMENTS = (" submits", " pays there")
"""The process is killed as each of these steps begins: so it is away while it goes on."""


class Killer:
    """Kills a process at the moments, each once."""

    def __init__(self, house: House, name: str) -> None:
        self._house = house
        self._name = name
        self._left = list(MOMENTS)
        self.killed: list[int] = []

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Given to the citizens as what is called at each step."""
        moment = next((each for each in self._left if text.endswith(each)), None)
        if moment:
            self._left.remove(moment)
            self.killed.append(self._house.platform.pids.get(self._name, 0))
            self._house.platform.kill(self._name)
        yield


async def test_every_process_is_killed_here(house: House) -> None:
    assert set(house.platform.pids) == set(PROCESSES)


@pytest.mark.parametrize("name", PROCESSES)
async def test_nothing_is_lost_doubled_or_stuck(house: House, name: str) -> None:
    killer = Killer(house, name)
    citizen = house.citizen(killer.step)
    async with asyncio.timeout(120):
        stories = await asyncio.gather(*map(citizen.apply, TWO_JOURNEYS))
        house.let_a_day_pass()
        for story in stories:
            await citizen.see_closed(story)
            await house.check_ended(story)
        await house.platform.ready(timeout=60)
    assert len(killer.killed) == len(MOMENTS)
    assert house.platform.pids[name] not in killer.killed


async def test_topics_and_documents_agree_and_nothing_is_parked(house: House) -> None:
    async with asyncio.timeout(60):
        while True:
            report = await verify(house.installation)
            if not report.unpublished:
                break
    assert report.proven, report.findings
    assert report.events > 0
    assert [row async for row in listed(house.installation, None, Selection())] == []
