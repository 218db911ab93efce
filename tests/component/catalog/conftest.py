"""The catalog on the real engines, each test in a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.clock import FixedClock
from chassis.service import Service
from services.catalog.main import compose
from services.catalog.settings import Settings
from tests.support.tokens import Issuer
from tests.support.towns import own
from tests.unit.catalog.samples import TOWNS, sample


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 2, 9, 0, tzinfo=UTC))


@pytest.fixture
def settings(mongo_url: str, kafka_url: str, tmp_path: Path) -> Settings:
    return Settings(
        **own(mongo_url, kafka_url),
        files_dir=tmp_path,
    )


@pytest.fixture
async def service(settings: Settings, clock: FixedClock, issuer: Issuer) -> AsyncIterator[Service]:
    made = compose(settings, clock)
    made.verifier = issuer.verifier()
    await made.start()
    try:
        yield made
    finally:
        await made.database.drop()
        await made.stop()


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@dataclass
class Portal:
    """The catalog's HTTP door, with the tokens of those who use it."""

    client: httpx.AsyncClient
    issuer: Issuer
    key: Callable[[], str] = field(default=lambda: uuid4().hex)

    def staff(self, sub: str, role: str, tenant: str = "witten") -> dict[str, str]:
        return self.issuer.headers(kind="staff", sub=sub, tenant=tenant, roles=[role])

    @property
    def operator(self) -> dict[str, str]:
        return self.issuer.headers(kind="client", sub="operator", tenant="*", scope="operator")

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.get(f"/catalog/v1{path}", headers=headers or {})

    async def post(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, key: str | None = None
    ) -> httpx.Response:
        given = {"Idempotency-Key": key or self.key(), **(headers or {})}
        return await self.client.post(f"/catalog/v1{path}", json=body, headers=given)

    async def put(self, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        return await self.client.put(f"/catalog/v1{path}", json=body, headers=headers)

    async def register(self, town: str = "witten") -> None:
        content = (TOWNS / town / "town.json").read_bytes()
        headers = {**self.operator, "Content-Type": "application/json"}
        answer = await self.client.put(f"/catalog/v1/{town}", content=content, headers=headers)
        assert answer.status_code == 201, answer.text

    async def publish(
        self, service_id: str = "registration-certificate", town: str = "witten", **changes: Any
    ) -> httpx.Response:
        """Drafted by an editor, published by a reviewer."""
        path = f"/{town}/services/{service_id}/versions"
        content = {**sample(town, service_id), **changes}
        drafted = await self.post(path, content, self.staff("editor-1", "editor", town))
        assert drafted.status_code == 201, drafted.text
        headers = {**self.staff("reviewer-1", "reviewer", town), "If-Match": drafted.headers["etag"]}
        return await self.post(f"{path}/{drafted.json()['version']}/publish", None, headers)


@pytest.fixture
async def portal(service: Service, issuer: Issuer) -> AsyncIterator[Portal]:
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://catalog") as client:
        yield Portal(client, issuer)
