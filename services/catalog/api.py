"""HTTP in: towns and versions for those who run and write them; services, the search and the format for everybody."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import BadRequest
from chassis.http import Access, Caller, Paging, Router, page, respond
from contracts.values import ServiceId, Tenant, TrustLevel
from kernel.canonical_json import content_hash
from service_format.channels import ChannelKind
from service_format.model import Json
from service_format.schema import json_schema
from service_format.service import ServiceAsData
from service_format.texts import Localized
from services.catalog.domain.towns import TownAsData
from services.catalog.domain.versions import Status
from services.catalog.examples import CARD, FINDING, NOTICE, SERVICE, TOWN, VERSION
from services.catalog.handlers import (
    Handlers,
    Place,
    content_shown,
    hit_shown,
    require_same_id,
    town_shown,
    version_shown,
)
from services.catalog.settings import Settings

FOREVER = "public, max-age=31536000, immutable"

TownSlug = Annotated[Tenant, Path(description="the town's slug", examples=["witten"])]
ServiceSlug = Annotated[ServiceId, Path(description="the service's slug", examples=["registration-certificate"])]
Number = Annotated[int, Path(ge=1, le=1_000_000, description="the number of the version", examples=[1])]
Public = Annotated[Caller, Depends(Access(public=True))]
Writers = Annotated[Caller, Depends(Access(staff=["editor", "admin"], scopes=["operator"]))]
Readers = Annotated[Caller, Depends(Access(staff=["editor", "reviewer", "admin"], scopes=["operator"]))]
Pages = Annotated[Paging, Depends()]


class TownAnswer(TownAsData):
    """A town."""

    model_config = ConfigDict(json_schema_extra={"examples": [TOWN]})

    tenant: Tenant
    revision: int


class TownPage(BaseModel):
    """Some of the towns."""

    items: list[TownAnswer]
    next: str | None = Field(description="cursor of the next page; null: there is none", examples=[None])


class VersionAnswer(BaseModel):
    """Where a version stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [VERSION]})

    service_version_id: str
    service_id: str
    version: int
    status: Status
    valid_from: date
    valid_to: date | None
    content_hash: str
    authors: list[str] = Field(description="ids of those who wrote on it: none of them can publish it")
    published_by: str | None
    retired_on: date | None = Field(description="last day on which it takes applications")
    dataref: str


class VersionPage(BaseModel):
    """Some of a service's versions."""

    items: list[VersionAnswer]
    next: str | None = Field(examples=[None])


class PublishedService(ServiceAsData):
    """A version that was published: the service as data, and what the catalog adds. It never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [SERVICE]})

    tenant: Tenant
    version: int
    service_version_id: str
    content_hash: str
    """SHA-256 of the content as JSON with sorted keys and no blanks."""


class FindingAnswer(BaseModel):
    """Something that keeps a version from being published."""

    model_config = ConfigDict(json_schema_extra={"examples": [FINDING]})

    pointer: str
    code: str
    message: str


class Preview(VersionAnswer):
    """A version as those see it who write and review it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**VERSION, "content": {}, "findings": [], "notice": {}}]}
    )

    content: dict[str, Any] = Field(description="as it will be published")
    findings: list[FindingAnswer] = Field(description="what keeps it from being published; empty: nothing")
    notice: dict[str, Any] | None = Field(
        description="the notice by language, with the values of the first test case that is valid", examples=[NOTICE]
    )


class RetireRequest(BaseModel):
    """From when on."""

    model_config = ConfigDict(extra="forbid")

    retired_on: date | None = Field(
        None, description="last day on which it takes applications; absent: today", examples=["2026-12-31"]
    )


class CardAnswer(BaseModel):
    """A service, as the search shows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [CARD]})

    service_id: str
    version: int
    names: Localized
    summary: dict[Literal["de", "en"], str]
    channels: list[ChannelKind]
    trust_level: TrustLevel | None = Field(description="of the online channel")
    links: list[str]
    leika_keys: list[str]
    sample: bool
    dataref: str


class CardPage(BaseModel):
    """Some of what was found."""

    items: list[CardAnswer]
    next: str | None = Field(examples=[None])


def routers(handlers: Handlers, settings: Settings) -> tuple[Router, ...]:
    """The routes of the catalog. Fixed paths come before those that begin with a town."""
    return _format(), _towns(handlers, settings), _public(handlers, settings), _editing(handlers)


def _cached(request: Request, body: Any, etag: str, cache: str, **headers: str) -> Response:
    """With an entity tag; 304 where the caller has it (RFC 9110 § 13.1.2)."""
    all_headers = {"ETag": etag, "Cache-Control": cache, **headers}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=all_headers)
    return JSONResponse(body, headers=all_headers)


def _digest(body: Any) -> str:
    return f'"{content_hash(body)[:32]}"'


# The format


def _format() -> Router:
    router = Router("/catalog/v1", tags=["format"])
    schema = json_schema()
    etag = _digest(schema)

    @router.get("/service-format", summary="The JSON Schema of a service as data")
    async def _service_format(request: Request, caller: Public) -> Response:  # noqa: ARG001
        return _cached(request, schema, etag, "public, max-age=3600")

    return router


# Towns


def _towns(handlers: Handlers, settings: Settings) -> Router:
    router = Router("/catalog/v1", tags=["towns"])
    cache = f"public, max-age={settings.public_cache_seconds}"

    @router.get("/towns", response_model=TownPage, summary="The towns of this installation, by slug")
    async def _list(request: Request, caller: Public, paging: Pages) -> Response:  # noqa: ARG001
        after = paging.start[1] if paging.start else ""
        found = await handlers.towns(after, paging.limit + 1)
        body = page(found, paging, lambda each: town_shown(each.state), lambda each: (each.id, each.id))
        return _cached(request, body, _digest(body), cache)

    @router.get("/{tenant}", response_model=TownAnswer, summary="A town")
    async def _town(request: Request, tenant: TownSlug, caller: Public) -> Response:  # noqa: ARG001
        found = await handlers.town(tenant)
        return _cached(request, town_shown(found.state), found.etag, cache)

    @router.get("/{tenant}/revisions/{number}", response_model=TownAnswer, summary="A town as it was")
    async def _revision(request: Request, tenant: TownSlug, number: Number, caller: Public) -> Response:  # noqa: ARG001
        body = await handlers.town_revision(tenant, number)
        return _cached(request, body, _digest(body), FOREVER)

    @router.put("/{tenant}", response_model=TownAnswer, summary="Registers a town, or changes it")
    async def _register(
        tenant: TownSlug, body: TownAsData, caller: Annotated[Caller, Depends(Access(scopes=["operator"]))]
    ) -> Response:
        return respond(await handlers.register_town(tenant, body, caller.change))

    return router


# What the public reads


def _public(handlers: Handlers, settings: Settings) -> Router:
    router = Router("/catalog/v1/{tenant}/services", tags=["services"])
    cache = f"public, max-age={settings.public_cache_seconds}"

    @router.get("", response_model=CardPage, summary="The services in force today, searched by words")
    async def _search(
        request: Request,
        tenant: TownSlug,
        caller: Public,  # noqa: ARG001
        paging: Pages,
        q: Annotated[
            str, Query(max_length=100, description="words, or parts of three letters and more", examples=["müll"])
        ] = "",
    ) -> Response:
        hits = await handlers.search(tenant, q)
        start = paging.start or ("", "")
        rest = [hit for hit in hits if (hit.place, hit.service_id) > start][: paging.limit + 1]
        body = page(rest, paging, lambda hit: hit_shown(tenant, hit), lambda hit: (hit.place, hit.service_id))
        return _cached(request, body, _digest(body), cache)

    @router.get("/{service_id}", response_model=PublishedService, summary="The version in force today")
    async def _today(request: Request, tenant: TownSlug, service_id: ServiceSlug, caller: Public) -> Response:  # noqa: ARG001
        version = await handlers.in_force(tenant, service_id)
        body, etag = content_shown(version), f'"{version.content_hash}"'
        return _cached(request, body, etag, cache, **{"Content-Location": version.dataref})

    @router.get(
        "/{service_id}/versions/{number}", response_model=PublishedService, summary="A published version; immutable"
    )
    async def _version(
        request: Request,
        tenant: TownSlug,
        service_id: ServiceSlug,
        number: Number,
        caller: Public,  # noqa: ARG001
    ) -> Response:
        version = await handlers.published(Place(tenant, service_id, number))
        return _cached(request, content_shown(version), f'"{version.content_hash}"', FOREVER)

    return router


# Editing


def _editing(handlers: Handlers) -> Router:
    router = Router("/catalog/v1/{tenant}/services/{service_id}/versions", tags=["editing"])

    @router.get("", response_model=VersionPage, summary="All versions of a service, drafts too, by number")
    async def _list(tenant: TownSlug, service_id: ServiceSlug, caller: Readers, paging: Pages) -> Json:  # noqa: ARG001
        after = _number(paging.start[1]) if paging.start else 0
        found = await handlers.versions(tenant, service_id, after, paging.limit + 1)
        return page(found, paging, version_shown, lambda each: (str(each.number), str(each.number)))

    @router.post("", response_model=VersionAnswer, status_code=201, summary="Drafts the next version of a service")
    async def _draft(tenant: TownSlug, service_id: ServiceSlug, body: ServiceAsData, caller: Writers) -> Response:
        require_same_id(service_id, body)
        return respond(await handlers.draft_version(tenant, body, caller.change))

    @router.put("/{number}", response_model=VersionAnswer, summary="Replaces a draft's content")
    async def _edit(
        tenant: TownSlug,
        service_id: ServiceSlug,
        number: Number,
        body: ServiceAsData,
        caller: Annotated[Caller, Depends(Access(staff=["editor", "admin"], scopes=["operator"], if_match=True))],
    ) -> Response:
        require_same_id(service_id, body)
        return respond(await handlers.edit_version(Place(tenant, service_id, number), body, caller.change))

    @router.get("/{number}/preview", response_model=Preview, summary="A version before it is published, with findings")
    async def _preview(tenant: TownSlug, service_id: ServiceSlug, number: Number, caller: Readers) -> Response:  # noqa: ARG001
        body, etag = await handlers.preview(Place(tenant, service_id, number))
        return JSONResponse(body, headers={"ETag": etag, "Cache-Control": "private, no-store"})

    @router.post(
        "/{number}/publish", response_model=VersionAnswer, summary="Publishes what somebody else wrote, as reviewed"
    )
    async def _publish(
        tenant: TownSlug,
        service_id: ServiceSlug,
        number: Number,
        caller: Annotated[Caller, Depends(Access(staff=["reviewer", "admin"], if_match=True))],
    ) -> Response:
        return respond(await handlers.publish_version(Place(tenant, service_id, number), caller.change))

    @router.post("/{number}/retire", response_model=VersionAnswer, summary="Ends a published version")
    async def _retire(
        tenant: TownSlug,
        service_id: ServiceSlug,
        number: Number,
        caller: Annotated[Caller, Depends(Access(staff=["reviewer", "admin"]))],
        body: RetireRequest | None = None,
    ) -> Response:
        on = body.retired_on if body else None
        return respond(await handlers.retire_version(Place(tenant, service_id, number), on, caller.change))

    return router


def _number(cursor: str) -> int:
    if not cursor.isdecimal():
        raise BadRequest("this cursor isn't one of ours")
    return int(cursor)
