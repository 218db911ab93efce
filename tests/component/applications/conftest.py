"""Applications on the real engines; catalog, payments and notifications are played by `Town`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.clock import FixedClock
from contracts.catalog import ServicePublished, ServiceRetired
from kernel.ids import id_of
from services.applications.main import compose
from services.applications.settings import Settings
from tests.support import towns
from tests.support.cases import HASH, NOW
from tests.support.service_data import BIN_CHANGE, CERTIFICATE
from tests.support.towns import living, own
from tests.support.waiting import wait_until

BIN, PAPER = BIN_CHANGE["service_id"], CERTIFICATE["service_id"]


class Town(towns.Town):
    """A town, its clock, the service, and everybody who speaks to it."""

    # Who

    def person(self, who: str = "Erika", acr: str = "substantial", tenant: str | None = None) -> dict[str, str]:
        return self.issuer.headers(sub=id_of("account", who), tenant=tenant or self.tenant, acr=acr)

    def client(self, scope: str, tenant: str | None = None) -> dict[str, str]:
        return self.issuer.headers(kind="client", sub="register", tenant=tenant or self.tenant, scope=scope)

    # What

    async def get(self, path: str, who: dict[str, str], **query: Any) -> httpx.Response:
        return await self.http.get(self.url(path), headers=who, params=query)

    async def post(self, path: str, who: dict[str, str], body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {**who, "Idempotency-Key": key or uuid4().hex}
        return await self.http.post(self.url(path), headers=headers, json=body)

    async def save(self, case_id: str, data: Any, who: dict[str, str] | None = None, etag: str = "") -> httpx.Response:
        person = who or self.person()
        etag = etag or (await self.get(f"/applications/{case_id}", person)).headers["etag"]
        return await self.http.put(
            self.url(f"/applications/{case_id}/data"), headers={**person, "If-Match": etag}, json=data
        )

    async def upload(
        self, case_id: str, content: bytes, media_type: str = "application/pdf", document: str = "power_of_attorney"
    ) -> httpx.Response:
        headers = {**self.person(), "Content-Type": media_type}
        path = self.url(f"/applications/{case_id}/attachments/{document}")
        return await self.http.put(path, headers=headers, content=content)

    async def draft(self, service_id: str, data: Any = None, who: dict[str, str] | None = None) -> str:
        """A draft with form data; its id."""
        person = who or self.person()
        made = await self.post("/applications", person, {"service_id": service_id})
        assert made.status_code == 201, made.text
        case_id: str = made.json()["case_id"]
        if data is not None:
            saved = await self.save(case_id, data, person, made.headers["etag"])
            assert saved.status_code == 200, saved.text
        return case_id

    async def submit(self, case_id: str, who: dict[str, str] | None = None, key: str | None = None) -> httpx.Response:
        body = {"confirmed": True, "consents_to_mailbox": True}
        return await self.post(f"/applications/{case_id}/submit", who or self.person(), body, key)

    async def submitted(self, service_id: str, data: Any) -> str:
        """A submitted application; its case's id."""
        case_id = await self.draft(service_id, data)
        answer = await self.submit(case_id)
        assert answer.status_code == 200, answer.text
        return case_id

    async def case(self, case_id: str) -> dict[str, Any]:
        answer = await self.get(f"/applications/{case_id}", self.person())
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(self, case_id: str, status: str) -> dict[str, Any]:
        """The case, once it is there."""

        async def _there() -> dict[str, Any] | None:
            found = await self.case(case_id)
            return found if found["status"] == status else None

        return await wait_until(_there, what=f"status {status}")  # type: ignore[return-value]

    # What others tell

    async def publish(self, given: dict[str, Any], *, wait: bool = True, **fields: Any) -> str:
        """Publishes a version of a service, as catalog would; its id."""
        service_id, version = given["service_id"], given["version"]
        version_id = id_of(self.tenant, service_id, str(version))
        dataref = f"/catalog/v1/{self.tenant}/services/{service_id}/versions/{version}"
        self.neighbours.answers[dataref] = {**given, "tenant": self.tenant}
        event = ServicePublished(
            service_version_id=version_id,
            service_id=service_id,
            service_version=version,
            content_hash=HASH,
            valid_from=date(2026, 1, 1),
            online=True,
            dataref=dataref,
        )
        await self.tell(event.model_copy(update=fields), version_id)
        if wait:
            await wait_until(lambda: self.offered(service_id, version), what="the offer")
        return version_id

    async def retire(self, given: dict[str, Any], day: date) -> None:
        service_id, version = given["service_id"], given["version"]
        version_id = id_of(self.tenant, service_id, str(version))
        event = ServiceRetired(
            service_version_id=version_id, service_id=service_id, service_version=version, retired_on=day
        )
        await self.tell(event, version_id)

    async def offered(self, service_id: str, version: int) -> bool:
        offers = await self.service.stores[1].find(self.tenant, {"state.service_id": service_id})
        return any(each.state.version == version and each.state.content for each in offers)


@pytest.fixture
async def town(mongo_url: str, kafka_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    settings = Settings(
        **own(mongo_url, kafka_url),
        files_dir=tmp_path / "files",
        attachment_limit_bytes=300_000,
        service_urls={"catalog": "http://catalog", "identity": "http://identity"},
    )
    clock = FixedClock(NOW)
    async with living(Town, compose(settings, clock), clock) as found:
        yield found


@pytest.fixture
async def bins(town: Town) -> Town:
    """A town that offers the free service, decided by rule."""
    await town.publish(BIN_CHANGE)
    return town


@pytest.fixture
async def papers(town: Town) -> Town:
    """A town that offers the certificate, with its fee."""
    await town.publish(CERTIFICATE)
    return town
