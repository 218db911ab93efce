"""The catalog's collections. No other file of the service speaks Mongo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pydantic import TypeAdapter

from chassis.aggregates import Kind, Snapshot, Store
from chassis.mongo import Index, TenantCollection
from chassis.readmodels import ReadModel
from chassis.service import Service
from contracts.topics import CATALOG
from kernel.ids import id_of
from services.catalog.domain.offers import Offer
from services.catalog.domain.towns import Town
from services.catalog.domain.versions import ServiceVersion, Standing, version_id

TOWNS = Kind("town", CATALOG, Town)
"""Read by `_id`, the town's slug; the list of towns reads all: there are few."""

VERSIONS = Kind(
    "service_version",
    CATALOG,
    ServiceVersion,
    indexes=(Index((("tenant", 1), ("state.service_id", 1)), "the versions of a service; their numbers"),),
)

_OFFER: TypeAdapter[Offer] = TypeAdapter(Offer)


_STANDING: TypeAdapter[Standing] = TypeAdapter(Standing)
_STANDING_FIELDS = tuple(each.name for each in fields(Standing))


@dataclass(frozen=True, slots=True)
class Row:
    """A version without its content."""

    standing: Standing
    request: str
    """Mark of the request that made it."""
    revision: int
    """Rises with each change."""


class Stores:
    """The aggregates of the catalog and the read model of its search."""

    def __init__(self, service: Service) -> None:
        self.towns: Store[Town] = service.store(TOWNS)
        self.versions: Store[ServiceVersion] = service.store(VERSIONS)
        self.offers = Offers(
            service.read_model("offers", Index((("tenant", 1),), "what a town offers, for the search"))
        )

    async def all_towns(self, after: str, limit: int) -> list[Snapshot[Town]]:
        """Towns by slug, from the one after `after` on. The only read across towns: their list is public."""
        rows = self.towns.collection.find({"_id": {"$gt": after}}, {"tenant": 1}, sort=(("_id", 1),), limit=limit)
        found = [await self.towns.get(row["tenant"], row["_id"]) async for row in rows]
        return [town for town in found if town is not None]

    async def rows(self, tenant: str, service_id: str) -> list[Row]:
        """The versions of a service without their contents, drafts too, by number.

        Two equalities and no more: with any other condition the embedded server leaves the index.
        """
        where = {"tenant": tenant, "state.service_id": service_id}
        wanted = {f"state.{name}": 1 for name in (*_STANDING_FIELDS, "request")} | {"version": 1}
        found = [_row(row) async for row in self.versions.collection.find(where, wanted)]
        return sorted(found, key=lambda row: row.standing.number)

    async def some_versions(self, tenant: str, service_id: str, numbers: Iterable[int]) -> list[ServiceVersion]:
        """Versions with their contents."""
        found = [await self.versions.require(tenant, version_id(tenant, service_id, number)) for number in numbers]
        return [each.state for each in found]


def _row(row: dict[str, Any]) -> Row:
    state = row["state"]
    standing = _STANDING.validate_python({name: state.get(name) for name in _STANDING_FIELDS})
    return Row(standing, state["request"], row["version"])


class Offers:
    """The read model of the search: a document a service, made from its versions alone, so that it can be made again.

    Layout: `_id`, `tenant`, `revision` (rises with each change of one of the versions), `offer`.
    """

    def __init__(self, model: ReadModel) -> None:
        self.model = model

    async def put(self, collection: TenantCollection, tenant: str, offer: Offer, revision: int) -> None:
        """Keeps an offer in a generation of the read model, unless a later one is there."""
        fields: dict[str, Any] = {"revision": revision, "offer": _OFFER.dump_python(offer, mode="json")}
        document_id = id_of(tenant, offer.service_id, "offer")
        await collection.put(tenant, document_id, fields, {"revision": {"$lt": revision}})

    async def of_town(self, tenant: str) -> Sequence[Offer]:
        """Everything that a town offers, now or later."""
        return [_OFFER.validate_python(row["offer"]) for row in await self.model.live.find(tenant, {})]
