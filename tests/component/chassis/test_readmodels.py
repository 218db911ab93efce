"""A read model is made anew by a new group into a new collection while the old one serves, then switched."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest

from chassis.aggregates import Answer, Change, Kind, Received, Request
from chassis.mongo import TenantCollection
from chassis.readmodels import ReadModel, ask_rebuild, read_pointer
from chassis.service import Service
from chassis.settings import ServiceSettings
from contracts import topics
from contracts.payments import PaymentFailed
from tests.support.waiting import wait_until

TOWN = "musterstadt"


@dataclass(frozen=True, slots=True)
class Said:
    """The speaking service's state."""

    count: int = 0


SAID = Kind("said", topics.PAYMENTS, Said)


class House:
    """A service with a read model of what it says itself, in a release that writes `wording`."""

    def __init__(self, settings: ServiceSettings, mine: set[str], wording: str) -> None:
        self.service = Service("payments", settings)
        self.said = self.service.store(SAID)
        self.model: ReadModel = self.service.read_model("heard")
        self._mine = mine

        async def _apply(collection: TenantCollection, event: Received[PaymentFailed]) -> None:
            if event.envelope.subject in mine:
                await collection.put(event.tenant, event.envelope.subject, {"wording": wording}, None)

        self.model.on(PaymentFailed, _apply)

    async def say(self) -> str:
        subject = str(uuid4())
        self._mine.add(subject)
        said = PaymentFailed(demand_id=subject, case_id=subject, attempt_id=subject, reason="declined")
        request = Request("test", "POST /", subject, "")
        await self.said.upsert_on_request(
            request, TOWN, subject, lambda *_: Change(Said(1), (said,)), lambda _: Answer(201, {})
        )
        return subject

    async def shown(self) -> dict[str, str]:
        return {row["_id"]: row["wording"] for row in await self.model.live.find(TOWN, {})}


@pytest.fixture
def settings(kafka_url: str, mongo_url: str) -> ServiceSettings:
    prefix = f"rm{uuid4().hex[:8]}"
    return ServiceSettings(
        kafka_url=kafka_url,
        mongo_url=mongo_url,
        database_prefix=f"{prefix}_",
        group_prefix=f"{prefix}.",
        lease_seconds=0.6,
    )


async def test_rebuilt_while_the_old_one_serves_then_switched(settings: ServiceSettings) -> None:
    mine: set[str] = set()
    house = House(settings, mine, "old wording")
    await house.service.start()
    subjects = [await house.say() for _ in range(5)]

    async def _shows(expected: dict[str, str], shower: House) -> bool:
        return await shower.shown() == expected

    await wait_until(lambda: _shows(dict.fromkeys(subjects, "old wording"), house))
    await house.service.stop()

    house = House(settings, mine, "new wording")  # the next release words it otherwise
    await house.service.start()
    try:
        assert await house.shown() == dict.fromkeys(subjects, "old wording"), "until it is rebuilt the old one serves"
        assert await ask_rebuild(house.service.database, "heard") == 2
        assert await ask_rebuild(house.service.database, "heard") == 2, "asked twice, made once"
        later = await house.say()

        def _switched() -> bool:
            return house.model.live.inner.name == "heard_2"

        await wait_until(_switched, 30)
        await wait_until(lambda: _shows(dict.fromkeys([*subjects, later], "new wording"), house))
        pointer = await read_pointer(house.service.database, "heard")
        assert (pointer.live, pointer.building) == (2, None)
        after = await house.say()
        await wait_until(lambda: _shows(dict.fromkeys([*subjects, later, after], "new wording"), house))
    finally:
        await house.service.stop()


async def test_an_unknown_read_model_is_not_rebuilt(settings: ServiceSettings) -> None:
    house = House(settings, set(), "x")
    await house.service.start()
    try:
        assert await ask_rebuild(house.service.database, "nothing") is None
    finally:
        await house.service.stop()
