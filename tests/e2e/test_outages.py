"""An engine away: what doesn't need it goes on, what does is durably accepted or refused at once; later all goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import httpx
import pytest

from rathaus.demo.door import eventually
from tests.e2e.canaries import CANARY_BIN
from tests.e2e.house import PATIENCE, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

TENANT, APPLICATIONS = CANARY_BIN.tenant, f"/applications/v1/{CANARY_BIN.tenant}/applications"
PROMISED = 2.0
"""Seconds in which every request is answered, one way or the other."""


@dataclass
class Portal:
    """One caller who asks once and doesn't ask again."""

    client: httpx.AsyncClient
    slowest: float = 0.0

    async def __call__(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4()), **content.pop("headers", {})}
        began = time.monotonic()
        answer = await self.client.request(method, path, headers=headers, **content)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return answer

    async def drafted(self) -> str:
        """A draft with its data: the path."""
        made = await self("POST", APPLICATIONS, json={"service_id": CANARY_BIN.service_id})
        assert made.status_code == 201, made.text
        path = f"{APPLICATIONS}/{made.json()['case_id']}"
        saved = await self("PUT", f"{path}/data", headers={"If-Match": made.headers["etag"]}, json=CANARY_BIN.data)
        assert saved.status_code == 200, saved.text
        return path

    async def submitted(self, path: str) -> httpx.Response:
        """Hands it in: one move, the same key however often it is sent."""
        headers = {"Idempotency-Key": str(uuid5(NAMESPACE_URL, path))}
        said = {"confirmed": True, "consents_to_mailbox": True}
        return await self("POST", f"{path}/submit", headers=headers, json=said)


@pytest.fixture
async def portal(house: House) -> AsyncIterator[Portal]:
    door = await house.signed_in(TENANT, CANARY_BIN.person)
    headers = {"Authorization": door.authorization}
    await door.close()
    async with httpx.AsyncClient(base_url=house.gateway_url, headers=headers, timeout=15) as client:
        yield Portal(client)


@asynccontextmanager
async def away(house: House, engine: str) -> AsyncIterator[None]:
    """Killed, and started again at the end."""
    await house.platform.hold(engine)
    try:
        yield
    finally:
        house.platform.release(engine)
        await house.platform.ready(timeout=60)


async def _noticed(portal: Portal, path: str) -> bool | None:
    answer = await portal("GET", path)
    return (answer.status_code == 200 and bool(answer.json()["notices"])) or None


async def test_without_the_broker_everything_is_accepted_and_the_notice_comes_later(
    house: House, portal: Portal
) -> None:
    async with away(house, "kafka"):
        path = await portal.drafted()
        assert (await portal.submitted(path)).status_code == 200
        seen = await portal("GET", path)
        assert (seen.status_code, seen.json()["notices"]) == (200, [])
        for read in (f"/catalog/v1/{TENANT}/services?q=tonne", f"/notifications/v1/{TENANT}/mailbox"):
            assert (await portal("GET", read)).status_code == 200
        assert portal.slowest < PROMISED
    await eventually(lambda: _noticed(portal, path), "the notice", PATIENCE, pause=0.2)


async def test_without_the_database_nothing_hangs_and_the_same_move_succeeds_later(
    house: House, portal: Portal
) -> None:
    path = await portal.drafted()
    portal.slowest = 0.0
    async with away(house, "mongo"):
        for answer in await asyncio.gather(portal.submitted(path), portal("GET", path)):
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert int(answer.headers["retry-after"]) > 0
        for read in ("/identity/v1/jwks", "/applications/openapi.json"):
            assert (await portal("GET", read)).status_code == 200
        assert portal.slowest < PROMISED

    async def _accepted() -> bool | None:
        return (await portal.submitted(path)).status_code == 200 or None

    await eventually(_accepted, "the submission", PATIENCE, pause=0.2)
    await eventually(lambda: _noticed(portal, path), "the notice", PATIENCE, pause=0.2)
