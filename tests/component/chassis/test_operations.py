"""The operator's HTTP door to parked events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from chassis.events.parking import PARKED, WAITING, ParkingStore, ProcessingFailure, StoredEvent
from chassis.service import Service
from chassis.settings import ServiceSettings
from contracts.envelope import CONTENT_TYPE
from contracts.examples import EXAMPLES, envelope_of
from tests.support.tokens import Issuer

BASE = "/payments/v1/operations/parked"


@dataclass(frozen=True, slots=True)
class Door:
    http: httpx.AsyncClient
    parking: ParkingStore
    issuer: Issuer

    def operator(self, scope: str = "operator") -> dict[str, str]:
        headers = self.issuer.headers(kind="client", sub="operator", tenant="*", scope=scope)
        return {**headers, "Idempotency-Key": str(uuid4())}


@pytest.fixture
async def door(mongo_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    prefix = f"ops{uuid4().hex[:8]}_"
    service = Service("payments", ServiceSettings(mongo_url=mongo_url, database_prefix=prefix, files_dir=tmp_path))
    issuer = Issuer()
    service.verifier = issuer.verifier()
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        parking = ParkingStore(service.database, "payments", service.clock, service.settings)
        yield Door(http, parking, issuer)
    await service.peers.close()
    service.database.close()


async def parked(door: Door, reason: str, status: str = PARKED) -> str:
    example = next(iter(EXAMPLES.values()))
    envelope = envelope_of(example)
    source = f"/musterstadt/applications/{uuid4()}"
    value = example.model_dump_json().encode()
    headers = (*envelope.headers(), ("content-type", CONTENT_TYPE.encode()))
    stored = StoredEvent(1, "rathaus.applications.v1", 3, 17, envelope.key.encode(), headers, value)
    await door.parking.park(door.parking.id_of(source), "musterstadt", stored, ProcessingFailure(status, reason, "why"))
    return door.parking.id_of(source)


async def test_parked_subjects_are_listed_shown_and_asked_for(door: Door) -> None:
    failed, waiting = await parked(door, "failed"), await parked(door, "hole", WAITING)
    everything = (await door.http.get(BASE, headers=door.operator())).json()["items"]
    assert {row["id"] for row in everything} == {failed, waiting}
    some = (await door.http.get(BASE, params={"reason": "failed"}, headers=door.operator())).json()["items"]
    assert [row["id"] for row in some] == [failed]
    old = (await door.http.get(BASE, params={"older_than_seconds": 3600}, headers=door.operator())).json()["items"]
    assert old == []
    shown = (await door.http.get(f"{BASE}/{failed}", headers=door.operator())).json()
    assert shown["events"][0]["offset"] == 17
    assert shown["events"][0]["envelope"]["type"].startswith("de.rathaus.")
    asked = await door.http.post(f"{BASE}/replay", json={"ids": [failed]}, headers=door.operator())
    assert (asked.status_code, asked.json()) == (202, {"asked": 1})
    due = [row["_id"] async for row in door.parking.due()]
    assert due == [failed], "its owner looks at it next"


async def test_only_the_operator_gets_in(door: Door) -> None:
    assert (await door.http.get(BASE)).status_code == 401
    for scope in ("internal", "cases:read"):
        assert (await door.http.get(BASE, headers=door.operator(scope))).status_code == 403
    clerk = door.issuer.headers(kind="staff", sub="clerk-1", tenant="musterstadt", roles=["admin"])
    assert (await door.http.get(BASE, headers=clerk)).status_code == 403


async def test_bad_questions_get_clear_answers(door: Door) -> None:
    assert (await door.http.get(f"{BASE}/nothing", headers=door.operator())).status_code == 404
    strange = await door.http.post(f"{BASE}/burn", json={"ids": ["x"]}, headers=door.operator())
    assert (strange.status_code, strange.headers["content-type"]) == (422, "application/problem+json")
    assert (await door.http.post(f"{BASE}/replay", json={"ids": []}, headers=door.operator())).status_code == 422
