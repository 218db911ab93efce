"""Payments on the real engines, with the example's provider as a server of its own; applications is played."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn

from chassis.clock import FixedClock
from contracts.applications import ApplicationWithdrawn, FeeAssessed, FeeItem, FeeTiming, Party, Role
from contracts.values import Money
from examples.payment_provider import handlers as provider_handlers
from examples.payment_provider.app import create_app
from examples.payment_provider.cut import CuttableProtocol
from examples.payment_provider.provider import Provider
from examples.payment_provider.rules import Mode, Status, Switches
from examples.payment_provider.settings import Settings as ProviderSettings
from examples.payment_provider.store import Store
from kernel.ids import id_of
from services.payments.adapters.registry import Providers
from services.payments.domain.demands import demand_id_of
from services.payments.main import compose
from services.payments.settings import Settings
from tests.component.payments.fake_provider import FakeProvider
from tests.support import towns
from tests.support.waiting import wait_until

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@dataclass
class Bank:
    """The example's provider, and a hand on it."""

    url: str
    store: Store
    held: asyncio.Event
    """Delayed answers come once this is set."""

    def switch(self, mode: Mode, count: int | None = 1) -> None:
        provider_handlers.switch(self.store, Switches(mode, count, delay_seconds=1))

    def press(self, redirect_url: str, wish: Status) -> None:
        """What a person does on the payment page."""
        chosen = provider_handlers.choose(self.store, redirect_url.rsplit("/", 1)[-1], wish, datetime.now(UTC))
        assert chosen is not None

    def transactions(self) -> int:
        with self.store.transaction() as tx:
            return int(tx._db.execute("SELECT count(*) FROM payments").fetchone()[0])


@pytest.fixture
def provider_store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "payments.sqlite3") as store:
        yield store


@pytest.fixture
async def bank(provider_store: Store) -> AsyncIterator[Bank]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        made = Bank(url, provider_store, asyncio.Event())

        async def _held(seconds: float) -> None:
            await made.held.wait()

        settings = ProviderSettings("town", "a+secret %", "another", public_url=url)
        app = create_app(Provider(settings, provider_store, sleep=_held))
        async with served(app, listener):
            yield made
            made.held.set()


@asynccontextmanager
async def served(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, http=CuttableProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve([listener]))
    await wait_until(lambda: server.started or running.done())
    try:
        yield
    finally:
        server.should_exit = True
        await running


class Town(towns.Town):
    """A town, its clock, and the service; applications is played."""

    # Who

    def payer(self, who: str = "Erika", tenant: str | None = None) -> dict[str, str]:
        return self.issuer.headers(sub=id_of(self.tenant, who), tenant=tenant or self.tenant, acr="basic")

    def machine(self, scope: str, tenant: str = "*") -> dict[str, str]:
        return self.issuer.headers(kind="client", sub="machine", tenant=tenant, scope=scope)

    # What applications says

    def fee(self, name: str = "fee", cents: int = 1250, case: str = "case", **changed: Any) -> FeeAssessed:
        assessed = FeeAssessed(
            case_id=id_of(self.tenant, case),
            case_reference="WI-2026-000042",
            assessment_id=id_of(self.tenant, name),
            service_id="registration-certificate",
            timing=FeeTiming.BEFORE_PROCESSING,
            amount=Money(cents=cents),
            items=(
                FeeItem(fee="issue", amount=Money(cents=cents - 1)),
                FeeItem(fee="copy", amount=Money(cents=1)),
            )
            if cents
            else (),
            payer=Party(party_id=id_of("party"), role=Role.PAYER, account_id=id_of(self.tenant, "Erika")),
            due_on=date(2026, 3, 16),
        )
        return assessed.model_copy(update=changed)

    def withdrawal(self, case: str = "case") -> ApplicationWithdrawn:
        return ApplicationWithdrawn(
            case_id=id_of(self.tenant, case), application_id=id_of("application"), withdrawn_on=date(2026, 3, 3)
        )

    async def assessed(self, *events: FeeAssessed | ApplicationWithdrawn, repeat: int = 1) -> None:
        """Tells what applications would."""
        for event in events:
            await self.tell(event, event.case_id, event.case_id, repeat)

    # What payments does

    def demand_id(self, name: str = "fee") -> str:
        return demand_id_of(self.tenant, id_of(self.tenant, name))

    async def demand(self, name: str = "fee") -> dict[str, Any]:
        """As a clerk sees it; empty where there is none."""
        answer = await self.http.get(self.url(f"/demands/{self.demand_id(name)}"), headers=self.staff("clerk"))
        assert answer.status_code in {200, 404}, answer.text
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    async def owing(self, name: str = "fee", **changed: Any) -> dict[str, Any]:
        """A demand, made by an event."""
        await self.assessed(self.fee(name, **changed))
        return await self.until(lambda: self.demand(name), "the demand")

    async def reaches(self, status: str, name: str = "fee") -> dict[str, Any]:
        """Waits until a demand is so."""

        async def _so() -> dict[str, Any]:
            demand = await self.demand(name)
            return demand if demand.get("status") == status else {}

        return await self.until(_so, status)

    async def attempt_reaches(self, phase: str, name: str = "fee") -> dict[str, Any]:
        """Waits until a demand's last attempt is so."""

        async def _so() -> dict[str, Any]:
            attempts = (await self.demand(name))["attempts"]
            return attempts[-1] if attempts and attempts[-1]["phase"] == phase else {}

        return await self.until(_so, phase)

    async def until(self, condition: Callable[[], Awaitable[dict[str, Any]]], what: str) -> dict[str, Any]:
        """Waits while the clock goes on, a second at each look: due work and its repetitions need time to pass."""

        async def _later() -> dict[str, Any]:
            self.clock.advance(timedelta(seconds=1))
            return await condition()

        return await wait_until(_later, what=what)

    async def check_out(self, name: str = "fee", key: str = "", who: dict[str, str] | None = None) -> httpx.Response:
        headers = {**(who or self.payer()), "Idempotency-Key": key or str(uuid4())}
        return await self.http.post(self.url(f"/demands/{self.demand_id(name)}/checkout"), headers=headers)

    async def redirected(self, name: str = "fee", key: str = "") -> str:
        answer = await self.check_out(name, key)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["redirect_url"])

    async def said(self, name: str = "fee") -> list[tuple[str, dict[str, Any]]]:
        """Name and data of what a demand said."""
        return await self.events(self.demand_id(name))

    async def names(self, name: str = "fee") -> list[str]:
        return [said for said, _ in await self.said(name)]

    async def ledger(self, bookings: int = 0, **query: str) -> dict[str, Any]:
        """The ledger, once it has so many bookings; it always balances."""

        async def _read() -> dict[str, Any]:
            answer = await self.http.get(self.url("/ledger"), headers=self.staff("cashier"), params=query)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            assert all(proof["difference"] == 0 for proof in found["proof"])
            return found if len(found["items"]) >= bookings else {}

        return await self.until(_read, f"{bookings} bookings")

    async def balances(self, bookings: int) -> dict[str, int]:
        return {row["account"]: row["balance"] for row in (await self.ledger(bookings))["accounts"]}


@asynccontextmanager
async def paying(
    settings: dict[str, Any],
    provider_url: str,
    provider: FakeProvider | None = None,
    provider_of_others: FakeProvider | None = None,
) -> AsyncIterator[Town]:
    """A town whose service runs and knows that provider; other towns have the same, or one of their own."""
    tenant, clock = towns.a_tenant(), FixedClock(NOW)
    read = Settings(
        **settings,
        provider_url=provider_url,
        provider_client_id="town",
        provider_client_secret="a+secret %",
        provider_timeout_seconds=2,
        booking_data={tenant: {"object": "1234"}},
    )
    providers = Providers(provider_of_others or provider, {tenant: provider}) if provider else None
    async with towns.living(Town, compose(read, clock, providers), clock, tenant) as found:
        yield found


@pytest.fixture
def settings(mongo_url: str, kafka_url: str, tmp_path: Path) -> dict[str, Any]:
    return {**towns.own(mongo_url, kafka_url), "files_dir": tmp_path / "files"}


@pytest.fixture
async def town(settings: dict[str, Any], bank: Bank) -> AsyncIterator[Town]:
    async with paying(settings, bank.url) as found:
        yield found


@pytest.fixture
def fake() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def town_with_fake(settings: dict[str, Any], fake: FakeProvider) -> AsyncIterator[Town]:
    async with paying(settings, "http://nowhere", fake) as found:
        yield found
