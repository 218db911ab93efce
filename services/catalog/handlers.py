"""What the catalog does: register towns; draft, review, publish and retire versions; find services."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from chassis.aggregates import Answer, Request, Snapshot, Transition
from chassis.clock import Clock
from chassis.errors import Invalid, NotFound
from chassis.mongo import TenantCollection
from contracts import datarefs
from kernel.legal_days import legal_date
from service_format.model import Json
from service_format.service import ServiceAsData
from services.catalog.domain import offers, towns, versions
from services.catalog.domain.checks import findings
from services.catalog.domain.offers import Hit
from services.catalog.domain.preview import notice_preview
from services.catalog.domain.towns import Town, TownAsData
from services.catalog.domain.versions import ServiceVersion, Status
from services.catalog.store import Stores


@dataclass(frozen=True, slots=True)
class Place:
    """A version, as its path names it."""

    tenant: str
    service_id: str
    number: int

    @property
    def id(self) -> str:
        """The aggregate's id."""
        return versions.version_id(self.tenant, self.service_id, self.number)


class Handlers:
    """The use cases; each is one atomic write at most."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    # Towns

    async def register_town(self, tenant: str, town: TownAsData, request: Request) -> Answer:
        """Registers a town or changes it. Raises Conflict."""
        command = towns.Register(tenant, town)
        return await self._stores.towns.upsert_on_request(
            request,
            tenant,
            tenant,
            lambda state, now: towns.register(state, command, now),
            lambda made: Answer(201 if made.version == 1 else 200, town_shown(made.state), made.etag),
        )

    async def town(self, tenant: str) -> Snapshot[Town]:
        """One town. Raises NotFound."""
        return await self._stores.towns.require(tenant, tenant)

    async def town_revision(self, tenant: str, number: int) -> Json:
        """A town as it was. Raises NotFound."""
        state = (await self.town(tenant)).state
        if not 1 <= number <= len(state.revisions):
            raise NotFound("no such revision")
        return revision_shown(state, number)

    async def towns(self, after: str, limit: int) -> list[Snapshot[Town]]:
        """The towns by slug."""
        return await self._stores.all_towns(after, limit)

    # Versions

    async def draft_version(self, tenant: str, service: ServiceAsData, request: Request) -> Answer:
        """Drafts the next version of a service.

        Raises:
            NotFound: no such town.
            Conflict: somebody else drafted that version at the same time.
        """
        await self.town(tenant)
        known = await self._stores.rows(tenant, service.service_id)
        repeated = next((row.standing.number for row in known if row.request == request.mark), None)
        number = repeated or max((row.standing.number for row in known), default=0) + 1
        command = versions.Draft(tenant, number, service, request.client, request.mark)
        return await self._stores.versions.upsert_on_request(
            request,
            tenant,
            versions.version_id(tenant, service.service_id, number),
            lambda state, now: versions.draft(state, command, now),
            lambda made: Answer(201, version_shown(made.state), made.etag, made.state.dataref),
        )

    async def edit_version(self, place: Place, service: ServiceAsData, request: Request) -> Answer:
        """Replaces a draft's content. Raises NotFound, Conflict or PreconditionFailed."""
        command = versions.Edit(service, request.client)
        return await self._changed(place, request, lambda version, now: versions.edit(version, command, now))

    async def publish_version(self, place: Place, request: Request) -> Answer:
        """Publishes a draft that somebody else wrote. Raises NotFound, Forbidden, Conflict, Invalid."""
        command = versions.Publish(request.client)
        return await self._changed(place, request, lambda version, now: versions.publish(version, command, now))

    async def retire_version(self, place: Place, on: date | None, request: Request) -> Answer:
        """Ends a published version. Raises NotFound, Conflict or Invalid."""
        command = versions.Retire(request.client, on)
        return await self._changed(place, request, lambda version, now: versions.retire(version, command, now))

    async def _changed(self, place: Place, request: Request, transition: Transition[ServiceVersion]) -> Answer:
        return await self._stores.versions.on_request(
            request,
            place.tenant,
            place.id,
            transition,
            lambda made: Answer(200, version_shown(made.state), made.etag),
        )

    async def versions(self, tenant: str, service_id: str, after: int, limit: int) -> list[ServiceVersion]:
        """Versions of a service, drafts too, from the one after `after` on."""
        rows = await self._stores.rows(tenant, service_id)
        numbers = [row.standing.number for row in rows if row.standing.number > after][:limit]
        return await self._stores.some_versions(tenant, service_id, numbers)

    async def preview(self, place: Place) -> tuple[Json, str]:
        """A version for those who write and review it, with what the checks find; and its ETag. Raises NotFound."""
        found = await self._stores.versions.require(place.tenant, place.id)
        service = found.state.service
        shown = {
            **version_shown(found.state),
            "content": content_shown(found.state),
            "findings": [asdict(each) for each in findings(service, legal_date(self._clock.now()))],
            "notice": notice_preview(service),
        }
        return shown, found.etag

    # What the public reads

    async def published(self, place: Place) -> ServiceVersion:
        """A version that was published. Raises NotFound."""
        found = await self._stores.versions.get(place.tenant, place.id)
        if found is None or found.state.status is Status.DRAFT:
            raise NotFound("no such version, or not published")
        return found.state

    async def in_force(self, tenant: str, service_id: str) -> ServiceVersion:
        """The version in force today. Raises NotFound."""
        rows = await self._stores.rows(tenant, service_id)
        number = versions.in_force((row.standing for row in rows), legal_date(self._clock.now()))
        if number is None:
            raise NotFound("no such service, or none in force today")
        (version,) = await self._stores.some_versions(tenant, service_id, [number])
        return version

    async def search(self, tenant: str, query: str) -> list[Hit]:
        """What is in force today and found by the query. Raises NotFound where there is no such town."""
        await self.town(tenant)
        return offers.search(await self._stores.offers.of_town(tenant), query, legal_date(self._clock.now()))

    # Read model

    async def refresh_offer(self, collection: TenantCollection, tenant: str, service_id: str) -> None:
        """Makes the search's document of a service again, from its versions. A repetition changes nothing."""
        rows = await self._stores.rows(tenant, service_id)
        lasting = versions.lasting([row.standing for row in rows], legal_date(self._clock.now()))
        offer = offers.offer_of(service_id, await self._stores.some_versions(tenant, service_id, lasting))
        await self._stores.offers.put(collection, tenant, offer, revision=sum(row.revision for row in rows))


def require_same_id(service_id: str, service: ServiceAsData) -> None:
    """Raises Invalid where the content names another service than the path."""
    if service.service_id != service_id:
        finding = {"pointer": "/service_id", "code": "differs", "message": "the path names another service"}
        raise Invalid("path and content name different services", errors=[finding])


def town_shown(town: Town) -> Json:
    """A town as JSON."""
    return revision_shown(town, len(town.revisions))


def revision_shown(town: Town, number: int) -> Json:
    """One of its revisions."""
    content = town.revisions[number - 1].model_dump(mode="json")
    return {"tenant": town.tenant, "revision": number, **content}


def version_shown(version: ServiceVersion) -> Json:
    """Where a version stands, for those who write and review it."""
    return {
        "service_version_id": versions.version_id(version.tenant, version.service_id, version.number),
        "service_id": version.service_id,
        "version": version.number,
        "status": version.status.value,
        "valid_from": version.valid_from.isoformat(),
        "valid_to": version.valid_to.isoformat() if version.valid_to else None,
        "content_hash": version.content_hash,
        "authors": list(version.authors),
        "published_by": version.published_by,
        "retired_on": version.retired_on.isoformat() if version.retired_on else None,
        "dataref": version.dataref,
    }


def content_shown(version: ServiceVersion) -> Json:
    """The service as data, with what the catalog adds. The same for ever once published."""
    return {
        "tenant": version.tenant,
        "version": version.number,
        "service_version_id": versions.version_id(version.tenant, version.service_id, version.number),
        "content_hash": version.content_hash,
        **version.service.model_dump(mode="json"),
    }


def hit_shown(tenant: str, hit: Hit) -> Json:
    """Something found, as JSON."""
    card = hit.card
    return {
        "service_id": hit.service_id,
        "version": card.number,
        "names": card.names.model_dump(mode="json"),
        "summary": card.summary,
        "channels": [channel.value for channel in card.channels],
        "trust_level": card.trust_level.value if card.trust_level else None,
        "links": list(card.links),
        "leika_keys": list(card.leika_keys),
        "sample": card.sample,
        "dataref": datarefs.service_version(tenant, hit.service_id, card.number),
    }
