"""A contract changes while old and new instances run together: an added field, and a v2 type said beside v1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from chassis.aggregates import Answer, Change, Kind, Received, Request, Snapshot
from chassis.service import Service
from chassis.settings import ServiceSettings
from contracts import topics
from contracts.envelope import Event, id_of
from contracts.values import Code, Money, Uuid
from tests.support.waiting import wait_until

TOWN = "musterstadt"


class FineNoted(Event):
    """As the first release knows it. Consumed by this test."""

    topic = topics.PAYMENTS
    name = "fine_noted"

    fine_id: Uuid
    cents: int


class FineNotedWithReason(FineNoted):
    """The same type and version with a field more, as the second release knows it. Consumed by this test."""

    reason: Code | None = None


class FineNotedV2(Event):
    """A break: the amount has a currency now. Consumed by this test."""

    topic = topics.PAYMENTS
    name = "fine_noted"
    version = 2

    fine_id: Uuid
    amount: Money
    reason: Code


@dataclass(frozen=True, slots=True)
class Fine:
    """What the listening service keeps: one a fine, however it heard of it."""

    cents: int
    reason: str | None
    heard_by: str


@dataclass(frozen=True, slots=True)
class Said:
    """The speaking service's own state."""

    count: int = 0


SAID = Kind("said", topics.PAYMENTS, Said)
FINES = Kind("fine", topics.APPLICATIONS, Fine)


def settings(kafka_url: str, mongo_url: str, prefix: str) -> ServiceSettings:
    return ServiceSettings(
        kafka_url=kafka_url,
        mongo_url=mongo_url,
        database_prefix=f"{prefix}_",
        group_prefix=f"{prefix}.",
        lease_seconds=0.6,
    )


class Releases:
    """A speaker, and instances of a listener in several releases, in one group and one database."""

    def __init__(self, kafka_url: str, mongo_url: str) -> None:
        self.settings = settings(kafka_url, mongo_url, f"evo{uuid4().hex[:8]}")
        self.speaker = Service("payments", self.settings)
        self.said = self.speaker.store(SAID)
        self.listeners: list[Service] = []
        self.mine: set[str] = set()
        self.applied: list[tuple[str, str]] = []

    def listener(self, release: str, *models: type[FineNoted] | type[FineNotedV2]) -> Service:
        made = Service("applications", self.settings)
        fines = made.store(FINES)

        async def _on(event: Received[FineNoted | FineNotedV2]) -> None:
            data = event.data
            if data.fine_id not in self.mine:
                return
            cents = data.amount.cents if isinstance(data, FineNotedV2) else data.cents
            fine = Fine(cents, getattr(data, "reason", None), release)
            # The fact's own id, not the event's: v1 and v2 beside it tell of the same fine.
            await fines.upsert_on_event(event, id_of("fine", data.fine_id), lambda known, _: Change(known or fine))
            self.applied.append((data.fine_id, release))

        for model in models:
            made.event_handlers.on(model, _on)  # type: ignore[arg-type]
        self.listeners.append(made)
        return made

    async def say(self, events: Sequence[Event], subject: str) -> None:
        def _counted(before: Said | None, now: datetime) -> Change[Said]:
            return Change(Said((before or Said()).count + 1), tuple(events))

        def _answer(_: Snapshot[Said]) -> Answer:
            return Answer(201, {})

        await self.said.upsert_on_request(Request("test", "POST /", str(uuid4()), ""), TOWN, subject, _counted, _answer)

    async def known(self) -> dict[str, Fine]:
        store = self.listeners[0].stores[0]
        return {each.id: each.state for each in await store.find(TOWN, {})}

    async def stop(self) -> None:
        for service in (self.speaker, *self.listeners):
            await service.stop()


def a_fine(releases: Releases) -> str:
    fine_id = str(uuid4())
    releases.mine.add(fine_id)
    return fine_id


async def test_an_added_field_is_read_by_the_new_and_ignored_by_the_old(kafka_url: str, mongo_url: str) -> None:
    releases = Releases(kafka_url, mongo_url)
    old, new = releases.listener("old", FineNoted), releases.listener("new", FineNotedWithReason)
    await releases.speaker.start()
    await old.start()
    await new.start()
    try:
        fines = [a_fine(releases) for _ in range(60)]
        for number, fine in enumerate(fines):
            # Old and new instances of the speaker, too: some say the field, some don't know it.
            said = (
                FineNoted(fine_id=fine, cents=100)
                if number % 2
                else FineNotedWithReason(fine_id=fine, cents=100, reason="parking")
            )
            await releases.say([said], str(uuid4()))
        await wait_until(lambda: len({fine for fine, _ in releases.applied}) == len(fines), 30)
        assert len(releases.applied) == len(fines), "each once"
        assert {release for _, release in releases.applied} == {"old", "new"}, "both instances had partitions"
        for each in (await releases.known()).values():
            assert each.reason in {None, "parking"}
            assert each.heard_by == "new" or each.reason is None
    finally:
        await releases.stop()


async def test_a_v2_type_is_said_beside_v1_until_v1_is_retired(kafka_url: str, mongo_url: str) -> None:
    releases = Releases(kafka_url, mongo_url)
    old = releases.listener("old", FineNoted)
    await releases.speaker.start()
    await old.start()
    try:
        fines = [a_fine(releases) for _ in range(30)]

        async def _say(some: Sequence[str]) -> None:
            for fine in some:
                v2 = FineNotedV2(fine_id=fine, amount=Money(cents=100), reason="parking")
                await releases.say([FineNoted(fine_id=fine, cents=100), v2], str(uuid4()))

        await _say(fines[:15])
        await wait_until(lambda: len({fine for fine, _ in releases.applied}) == 15, 30)
        new = releases.listener("new", FineNoted, FineNotedV2)
        await new.start()  # a rolling update: both run together
        await _say(fines[15:])

        async def _all_known() -> bool:
            return len(await releases.known()) == len(fines)

        await wait_until(_all_known, 30)
        await old.stop()  # the last old one goes
        releases.listeners.remove(old)
        last = a_fine(releases)
        await _say([last])
        await wait_until(lambda: (last, "new") in releases.applied, 30)
        fine_documents = await releases.known()
        assert len(fine_documents) == len(fines) + 1, "one effect a fine, though each was told twice"
        assert {each.cents for each in fine_documents.values()} == {100}
        parked = [row async for row in new.database.collection("parked").find({})]
        assert parked == [], "a type that one doesn't know leaves no hole"
    finally:
        await releases.stop()
