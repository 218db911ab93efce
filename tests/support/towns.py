"""One service on the real engines with a town of its own: its door and clock, and what others say and answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from chassis.clock import FixedClock
from chassis.events.transport import Transport
from chassis.peers import Peers
from chassis.service import Service
from contracts.envelope import Envelope, Event, event_id, source_of
from tests.support.tokens import Issuer

T = TypeVar("T", bound="Town")


def own(mongo_url: str, kafka_url: str) -> dict[str, Any]:
    """Settings by which a test's service shares nothing but the engines and the topics with another's."""
    mark = uuid4().hex[:12]
    return {
        "mongo_url": mongo_url,
        "kafka_url": kafka_url,
        "database_prefix": f"t{mark}_",
        "group_prefix": f"t{mark}.",
        "work_poll_seconds": 0.02,
        "parked_retry_seconds": 0.1,
    }


class Neighbours:
    """What other services answer, at their addresses."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.away = False
        self.asked: list[str] = []
        """Paths, without those of tokens."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/identity/v1/token":
            return httpx.Response(200, json={"access_token": "token", "expires_in": 900})
        self.asked.append(path)
        assert request.headers["authorization"] == "Bearer token"
        if self.away:
            return httpx.Response(503)
        return httpx.Response(200, json=self.answers[path]) if path in self.answers else httpx.Response(404)


@dataclass(kw_only=True)
class Town:
    """A town, its clock, the service, and everybody who speaks to it. Its tenant is its own: topics are shared."""

    tenant: str
    service: Service
    clock: FixedClock
    issuer: Issuer
    http: httpx.AsyncClient
    outside: Transport
    neighbours: Neighbours
    sequences: Counter[str] = field(default_factory=Counter)

    def url(self, path: str, tenant: str | None = None) -> str:
        """Below the town's address at the service."""
        return f"/{self.service.name}/v1/{tenant or self.tenant}{path}"

    def staff(self, *roles: str, tenant: str | None = None, sub: str = "staff-1") -> dict[str, str]:
        """Headers of a member of staff."""
        return self.issuer.headers(kind="staff", sub=sub, tenant=tenant or self.tenant, roles=roles)

    def clerk(self, tenant: str | None = None) -> dict[str, str]:
        """Headers of a clerk."""
        return self.staff("clerk", tenant=tenant, sub="clerk-1")

    async def tell(self, event: Event, subject: str, case: str | None = None, repeat: int = 1) -> None:
        """Publishes what another service would, in its order; `repeat` delivers it that often."""
        source = source_of(self.tenant, event.topic.stream, subject)
        self.sequences[source] += 1
        sequence = self.sequences[source]
        envelope = Envelope(
            id=event_id(source, 0, sequence),
            source=source,
            type=event.type(),
            subject=subject,
            time=self.clock.now(),
            sequence=sequence,
            tenant=self.tenant,
            authority=self.tenant,
            case=case,
        )
        for _ in range(repeat):
            await (await self.outside.send(event.topic, envelope, event.model_dump(mode="json")))

    async def events(self, subject: str) -> list[tuple[str, dict[str, Any]]]:
        """Name and data of what a subject of the service's first aggregate said."""
        found = await self.service.stores[0].events(self.tenant, subject)
        return [(envelope.type.split(".")[-2], data) for envelope, data in found]


@asynccontextmanager
async def living(kind: type[T], service: Service, clock: FixedClock, tenant: str = "") -> AsyncIterator[T]:
    """A town of that kind whose service runs, until the end."""
    neighbours, issuer = Neighbours(), Issuer()
    await service.peers.close()
    service.peers = Peers(service.settings, httpx.MockTransport(neighbours))
    service.verifier = issuer.verifier()
    outside = Transport(service.settings, "outside")
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{service.name}") as http:
        await asyncio.gather(service.start(), outside.start())
        try:
            yield kind(
                tenant=tenant or a_tenant(),
                service=service,
                clock=clock,
                issuer=issuer,
                http=http,
                outside=outside,
                neighbours=neighbours,
            )
        finally:
            await outside.stop()
            await service.database.drop()
            await service.stop()


def a_tenant() -> str:
    """A town that no other test knows."""
    return f"town-{uuid4().hex[:12]}"
