"""The catalog's collections. No other file of the service speaks Mongo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from chassis.aggregates import Kind, Snapshot, Store
from chassis.mongo import Index, TenantCollection
from chassis.service import Service
from contracts.envelope import id_of
from contracts.topics import CATALOG
from services.catalog.domain.offers import Offer
from services.catalog.domain.towns import Town
from services.catalog.domain.versions import ServiceVersion, Status

TOWNS = Kind("town", CATALOG, Town)
"""Read by `_id`, the town's slug; the list of towns reads all: there are few."""

VERSIONS = Kind(
    "service_version",
    CATALOG,
    ServiceVersion,
    indexes=(Index((("tenant", 1), ("state.service_id", 1)), "the versions of a service; their numbers"),),
)

_PUBLIC = {"$in": [Status.PUBLISHED.value, Status.RETIRED.value]}
_OFFER: TypeAdapter[Offer] = TypeAdapter(Offer)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A version's number and the request that made it."""

    number: int
    request: str


class Stores:
    """The aggregates of the catalog and the read model of its search."""

    def __init__(self, service: Service) -> None:
        self.towns: Store[Town] = service.store(TOWNS)
        self.versions: Store[ServiceVersion] = service.store(VERSIONS)
        self.offers = Offers(
            service.collection("offers", Index((("tenant", 1),), "what a town offers, for the search"))
        )

    async def all_towns(self, after: str, limit: int) -> list[Snapshot[Town]]:
        """Towns by slug, from the one after `after` on. The only read across towns: their list is public."""
        rows = self.towns.collection.find({"_id": {"$gt": after}}, {"tenant": 1}, sort=(("_id", 1),), limit=limit)
        found = [await self.towns.get(row["tenant"], row["_id"]) async for row in rows]
        return [town for town in found if town is not None]

    async def numbers(self, tenant: str, service_id: str) -> list[Numbered]:
        """The numbers given so far to versions of a service, drafts too."""
        where = {"tenant": tenant, "state.service_id": service_id}
        rows = self.versions.collection.find(where, {"state.number": 1, "state.request": 1})
        return [Numbered(row["state"]["number"], row["state"]["request"]) async for row in rows]

    async def versions_of(self, tenant: str, service_id: str) -> list[Snapshot[ServiceVersion]]:
        """All versions of a service, drafts too, by number."""
        found = await self.versions.find(tenant, {"state.service_id": service_id})
        return sorted(found, key=lambda each: each.state.number)

    async def public_versions(self, tenant: str, service_id: str) -> list[Snapshot[ServiceVersion]]:
        """Those that were published, retired ones too."""
        return await self.versions.find(tenant, {"state.service_id": service_id, "state.status": _PUBLIC})


class Offers:
    """The read model of the search: a document a service, made from its versions alone, so that it can be made again.

    Layout: `_id`, `tenant`, `revision` (rises with each change of one of the versions), `offer`.
    """

    def __init__(self, collection: TenantCollection) -> None:
        self._collection = collection

    async def put(self, tenant: str, offer: Offer, revision: int) -> None:
        """Keeps an offer, unless a later one is there."""
        fields: dict[str, Any] = {"revision": revision, "offer": _OFFER.dump_python(offer, mode="json")}
        document_id = id_of(tenant, offer.service_id, "offer")
        await self._collection.put(tenant, document_id, fields, {"revision": {"$lt": revision}})

    async def of_town(self, tenant: str) -> Sequence[Offer]:
        """Everything that a town offers, now or later."""
        return [_OFFER.validate_python(row["offer"]) for row in await self._collection.find(tenant, {})]
