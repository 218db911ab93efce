"""The whole platform as tests see it: real engines, all services, the examples; people are canaries."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from examples.population_register.settings import PEOPLE
from rathaus import clock, processes
from rathaus.demo import outcome, towns
from rathaus.demo.door import Door, eventually
from rathaus.demo.events import Told
from rathaus.demo.journeys import Citizen, Story
from rathaus.demo.main import to_next_day
from rathaus.engines import Program
from rathaus.operations.installation import Installation
from rathaus.operations.tail import Wanted, passed
from rathaus.settings import PlatformSettings
from rathaus.supervisor import Platform
from services.identity import demo
from tests.e2e import canaries

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
PATIENCE = 150.0


class House:
    """A running platform."""

    def __init__(self, home: Path) -> None:
        self.home = home
        settings = PlatformSettings(
            state_dir=home, gateway_port=0, restart_pause_seconds=0.1, stop_timeout_seconds=5, ready_timeout_seconds=120
        )
        self.platform = Platform(settings, demo=True, plan=lambda: self._with_canaries(settings))

    def _with_canaries(self, settings: PlatformSettings) -> processes.Plan:
        plan = processes.table(settings, demo=True)
        told = {
            "identity": {"RATHAUS_DEMO_PEOPLE": str(canaries.demo_people(self.home / "demo-people.json", demo.SAMPLE))},
            "population-register": {"REGISTER_FILE": str(canaries.register(self.home / "register.json", PEOPLE))},
        }

        def _adapted(program: Program) -> Program:
            return dataclasses.replace(program, env={**program.env, **told.get(program.name, {})})

        return dataclasses.replace(plan, programs=tuple(map(_adapted, plan.programs)))

    async def load_towns(self) -> None:
        """As the demo does."""
        await towns.load(self.gateway_url, self.platform.secrets["operator"])

    # Where things are

    @property
    def gateway_url(self) -> str:
        """The only public door."""
        return self.platform.gateway_url

    @property
    def installation(self) -> Installation:
        """For the operators' tools."""
        return Installation(self.platform.kafka_url, self.platform.mongo_url)

    @property
    def logs(self) -> list[Path]:
        """Every file that some process writes its log to."""
        return sorted((self.home / "logs").iterdir())

    # What is done with it

    def citizen(self, step: Callable[[str], AbstractContextManager[object]] = lambda _: nullcontext()) -> Citizen:
        """Somebody at a portal, with patience for what is killed meanwhile."""
        return Citizen(self.gateway_url, step=step, patience=PATIENCE)

    async def signed_in(self, tenant: str, person: str) -> Door:
        """A caller's way through the gateway; close it."""
        door = Door(self.gateway_url, patience=PATIENCE)
        await door.sign_in(tenant, person)
        return door

    def let_a_day_pass(self) -> None:
        """The services' clock is moved to the next legal day."""
        clock.advance(self.platform.clock_file, to_next_day(self.platform.clock_file))

    # What came of it

    async def told(self, case_id: str) -> list[Told]:
        """A case's events as they lie in the topics, each once."""
        found = {}
        async for event in passed(self.installation, Wanted(case=case_id), since=BEGINNING, follow=False):
            assert event.envelope is not None
            found.setdefault(event.envelope.id, Told(event.envelope, 0.0))
        return list(found.values())

    async def check_ended(self, story: Story) -> None:
        """Each expected event once and in order; one message in the mailbox; paid and booked once."""

        async def _published() -> bool | None:
            return any(each.name == "case_closed" for each in await self.told(story.case_id)) or None

        await eventually(_published, "case_closed in the topic", PATIENCE, pause=0.2)
        assert outcome.findings(story.journey.expected, await self.told(story.case_id)) == []
        person = await self.signed_in(story.journey.tenant, story.journey.person)
        try:
            mailbox = (await person.get(f"/notifications/v1/{story.journey.tenant}/mailbox")).body["items"]
        finally:
            await person.close()
        assert [each["status"] for each in mailbox if each["case_id"] == story.case_id] == ["announced"]
        if story.journey.pays:
            await self.check_paid_once(story)

    async def check_paid_once(self, story: Story) -> None:
        """One demand, one receipt, both balanced, nothing outstanding; and the provider took the money once."""
        bookings = await self.bookings(story.journey.tenant, story.case_id)
        assert [each["occasion"] for each in bookings] == ["demand", "receipt"]
        assert [sum(line["debit"] - line["credit"] for line in each["lines"]) for each in bookings] == [0, 0]
        reference = bookings[0]["payment_reference"]
        with sqlite3.connect(
            f"file:{self.home / 'payment-provider' / 'payments.sqlite3'}?mode=ro", uri=True
        ) as provider:
            taken = [row for row in provider.execute("SELECT decision, request FROM payments") if reference in row[1]]
        provider.close()
        assert [decision for decision, _ in taken if decision == "PAYED"] == ["PAYED"]

    async def bookings(self, tenant: str, case_id: str) -> list[dict[str, Any]]:
        """A case's bookings in the town's ledger, in order."""
        cashier = await self.signed_in(tenant, f"kasse-{tenant}")
        try:
            found: list[dict[str, Any]] = []
            cursor = ""
            first = datetime.now(UTC).date().replace(day=1)
            while True:
                page = (await cashier.get(f"/payments/v1/{tenant}/ledger?from={first}&limit=100{cursor}")).body
                found += [each for each in page["items"] if each["case_id"] == case_id]
                if not page["next"]:
                    return found
                cursor = f"&cursor={page['next']}"
        finally:
            await cashier.close()
