"""Notifications on the real engines, with typst; applications and identity are played by `Neighbours`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.clock import FixedClock
from chassis.events.transport import Transport
from chassis.peers import Peers
from chassis.service import Service
from contracts.applications import (
    Addressee,
    DecisionMade,
    DocumentKind,
    Origin,
    Outcome,
    ProceduralLaw,
)
from contracts.envelope import Envelope, event_id, id_of, source_of
from contracts.values import TrustLevel
from services.notifications.letter import hash_of_content
from services.notifications.main import compose
from services.notifications.settings import Settings
from tests.support.tokens import Issuer
from tests.unit.notifications.decisions import ACCOUNT, CONTENT

NOW = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)


class Neighbours:
    """What applications and identity answer, at their addresses."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.away = False
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/identity/v1/token":
            return httpx.Response(200, json={"access_token": "token", "expires_in": 900})
        self.asked.append(path)
        assert request.headers["authorization"] == "Bearer token"
        if self.away:
            return httpx.Response(503)
        return httpx.Response(200, json=self.answers[path]) if path in self.answers else httpx.Response(404)


@dataclass
class Town:
    """A town, its clock, and the service."""

    tenant: str
    service: Service
    settings: Settings
    clock: FixedClock
    neighbours: Neighbours
    issuer: Issuer
    http: httpx.AsyncClient
    applications: Transport
    sequences: dict[str, int] = field(default_factory=dict)

    def person(self, account_id: str, acr: str = "substantial", tenant: str | None = None) -> dict[str, str]:
        token = self.issuer.token(kind="person", sub=account_id, tenant=tenant or self.tenant, acr=acr)
        return {"Authorization": f"Bearer {token}"}

    def clerk(self, tenant: str | None = None) -> dict[str, str]:
        token = self.issuer.token(kind="staff", sub="clerk-1", tenant=tenant or self.tenant, roles=["clerk"])
        return {"Authorization": f"Bearer {token}"}

    def url(self, path: str, tenant: str | None = None) -> str:
        return f"/notifications/v1/{tenant or self.tenant}{path}"

    def account(self, who: str, **changed: Any) -> str:
        """A person whom identity knows."""
        account_id = id_of(self.tenant, who)
        path = f"/identity/v1/{self.tenant}/accounts/{account_id}"
        self.neighbours.answers[path] = ACCOUNT | {"account_id": account_id, "given_name": who} | changed
        return account_id

    def decision(self, addressees: tuple[Addressee, ...], case: str = "case", **changed: Any) -> DecisionMade:
        """A decision whose content applications knows; `content` changes that."""
        case_id = id_of(self.tenant, case)
        decision_id = id_of(self.tenant, case, str(changed.pop("number", 1)))
        dataref = f"/applications/v1/{self.tenant}/cases/{case_id}/decisions/{decision_id}"
        content = CONTENT | {"decision_id": decision_id} | changed.pop("content", {})
        self.neighbours.answers[dataref] = content
        made = DecisionMade(
            case_id=case_id,
            case_reference="MU-2026-000042",
            application_id=id_of(self.tenant, "application"),
            decision_id=decision_id,
            service_id="registration-certificate",
            service_version=1,
            origin=Origin.CLERK,
            outcome=Outcome.GRANTED,
            document_kind=DocumentKind.CERTIFICATE,
            procedural_law=ProceduralLaw.VWVFG,
            decided_on=date(2026, 3, 9),
            addressees=addressees,
            content_hash=hash_of_content(content),
            dataref=dataref,
        )
        return made.model_copy(update=changed)

    def addressee(self, who: str = "Erika", **changed: Any) -> Addressee:
        addressee = Addressee(
            party_id=id_of(self.tenant, "party", who),
            account_id=self.account(who),
            trust_level=TrustLevel.SUBSTANTIAL,
            consents_to_mailbox=True,
        )
        return addressee.model_copy(update=changed)

    async def tell(self, *decisions: DecisionMade, repeat: int = 1) -> None:
        """Publishes what applications would, in its order; `repeat` delivers it that often."""
        for decision in decisions:
            case_id = decision.case_id
            self.sequences[case_id] = sequence = self.sequences.get(case_id, 0) + 1
            source = source_of(self.tenant, "applications", case_id)
            envelope = Envelope(
                id=event_id(source, 0, sequence),
                source=source,
                type=DecisionMade.type(),
                subject=case_id,
                time=NOW,
                sequence=sequence,
                tenant=self.tenant,
                authority=self.tenant,
                case=case_id,
            )
            for _ in range(repeat):
                await (await self.applications.send(DecisionMade.topic, envelope, decision.model_dump(mode="json")))

    async def notices(self, **query: str) -> list[dict[str, Any]]:
        """As a clerk sees them."""
        answer = await self.http.get(self.url("/notices"), headers=self.clerk(), params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def events(self, notice_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Name and data of what a notice said."""
        said = await self.service.stores[0].events(self.tenant, notice_id)
        return [(envelope.type.split(".")[-2], data) for envelope, data in said]

    def mails(self) -> list[Path]:
        return sorted((self.settings.outbox / self.tenant).glob("*.eml"))


@pytest.fixture
async def town(mongo_url: str, kafka_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    mark = uuid4().hex[:12]
    settings = Settings(
        mongo_url=mongo_url,
        kafka_url=kafka_url,
        database_prefix=f"t{mark}_",
        group_prefix=f"t{mark}.",
        files_dir=tmp_path / "files",
        work_poll_seconds=0.02,
        service_urls={"applications": "http://applications", "identity": "http://identity"},
        portal_url="https://portal.example/{tenant}/mailbox",
    )
    clock, neighbours, issuer = FixedClock(NOW), Neighbours(), Issuer()
    service = compose(settings, clock)
    await service.peers.close()
    service.peers = Peers(settings, httpx.MockTransport(neighbours))
    service.verifier = issuer.verifier()
    applications = Transport(settings, "applications")
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notifications") as http:
        await asyncio.gather(service.start(), applications.start())
        try:
            yield Town(f"town-{mark}", service, settings, clock, neighbours, issuer, http, applications)
        finally:
            await applications.stop()
            await service.database.drop()
            await service.stop()
