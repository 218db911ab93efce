"""What the catalog promises over HTTP and in events, on the real engines."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import jsonschema_rs
import pytest

from chassis.clock import FixedClock
from chassis.service import Service
from service_format.schema import json_schema
from services.catalog.domain.versions import version_id
from tests.component.catalog.conftest import Portal
from tests.support.waiting import wait_until
from tests.unit.catalog.samples import sample

CERTIFICATE = sample("witten", "registration-certificate")
VERSIONS = "/witten/services/registration-certificate/versions"


def _store(service: Service, name: str) -> Any:
    return next(store for store in service.stores if store.kind.name == name)


async def _said(service: Service, store: str, aggregate_id: str, tenant: str = "witten") -> list[str]:
    return [envelope.type for envelope, _ in await _store(service, store).events(tenant, aggregate_id)]


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    return found


# Towns


async def test_a_town_is_registered_once(portal: Portal, service: Service) -> None:
    await portal.register()
    town = (await portal.get("/witten")).json()
    assert (town["tenant"], town["revision"], town["ags"]) == ("witten", 1, ["05954036"])
    content = {name: value for name, value in town.items() if name not in {"tenant", "revision"}}
    again = await portal.put("/witten", content, portal.operator)
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    assert await _said(service, "town", "witten") == ["de.rathaus.catalog.town_registered.v1"]

    changed = await portal.put("/witten", {**content, "languages": ["de", "en", "tr"]}, portal.operator)
    assert changed.json()["revision"] == 2
    assert len(await _said(service, "town", "witten")) == 2
    before = await portal.get("/witten/revisions/1")
    assert before.json()["languages"] == ["de", "en"]
    assert "immutable" in before.headers["cache-control"]
    _problem(await portal.get("/witten/revisions/3"), 404)


async def test_towns_are_listed_by_pages(portal: Portal) -> None:
    await portal.register("witten")
    await portal.register("steinhagen")
    first = (await portal.get("/towns?limit=1")).json()
    second = (await portal.get(f"/towns?limit=1&cursor={first['next']}")).json()
    assert [page["items"][0]["tenant"] for page in (first, second)] == ["steinhagen", "witten"]
    assert second["next"] is None
    _problem(await portal.get("/siegen"), 404)


async def test_only_an_operator_registers_towns(portal: Portal) -> None:
    _problem(await portal.put("/witten", {}, {}), 401)
    _problem(await portal.put("/witten", {}, portal.staff("a", "admin")), 403)
    found = _problem(await portal.put("/witten", {"mayor": "x"}, portal.operator), 422)
    assert "/body/mayor" in {error["pointer"] for error in found["errors"]}


# A version's life


async def test_drafted_reviewed_published_and_read(portal: Portal, service: Service) -> None:
    await portal.register()
    drafted = await portal.post(VERSIONS, CERTIFICATE, portal.staff("editor-1", "editor"))
    assert drafted.status_code == 201
    assert drafted.json()["version"] == 1
    assert drafted.headers["location"] == f"/catalog/v1{VERSIONS}/1"
    _problem(await portal.get(f"{VERSIONS}/1"), 404)

    preview = await portal.get(f"{VERSIONS}/1/preview", portal.staff("reviewer-1", "reviewer"))
    assert preview.json()["findings"] == []
    assert preview.json()["notice"]["de"]["title"] == "Meldebescheinigung"
    assert preview.headers["etag"] == drafted.headers["etag"] == '"1"'

    reviewer = {**portal.staff("reviewer-1", "reviewer"), "If-Match": preview.headers["etag"]}
    published = await portal.post(f"{VERSIONS}/1/publish", None, reviewer)
    assert published.status_code == 200, published.text
    assert published.json()["status"] == "published"

    read = await portal.get(f"{VERSIONS}/1")
    body = read.json()
    added = {name: body.pop(name) for name in ("tenant", "version", "service_version_id", "content_hash")}
    assert added["content_hash"] == published.json()["content_hash"]
    assert body["form"]["schema"] == CERTIFICATE["form"]["schema"]
    assert jsonschema_rs.Draft202012Validator(json_schema(), offline=True).is_valid(body)
    assert read.headers["cache-control"] == "public, max-age=31536000, immutable"
    unchanged = await portal.get(f"{VERSIONS}/1", {"If-None-Match": read.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")

    aggregate = version_id("witten", "registration-certificate", 1)
    ((envelope, data),) = await _store(service, "service_version").events("witten", aggregate)
    assert envelope.type == "de.rathaus.catalog.service_published.v1"
    assert (data["service_version_id"], data["online"]) == (aggregate, True)
    assert (await portal.client.get(data["dataref"])).status_code == 200


async def test_a_second_person_publishes_what_was_reviewed(portal: Portal) -> None:
    await portal.register()
    await portal.post(VERSIONS, CERTIFICATE, portal.staff("vera", "admin"))
    vera, other = portal.staff("vera", "admin"), portal.staff("other", "reviewer")
    found = _problem(await portal.post(f"{VERSIONS}/1/publish", None, {**vera, "If-Match": '"1"'}), 403)
    assert "second person" in found["detail"]
    _problem(await portal.post(f"{VERSIONS}/1/publish", None, other), 428)

    edited = await portal.put(f"{VERSIONS}/1", CERTIFICATE, {**vera, "If-Match": '"1"'})
    assert edited.status_code == 200
    _problem(await portal.post(f"{VERSIONS}/1/publish", None, {**other, "If-Match": '"1"'}), 412)
    assert (await portal.post(f"{VERSIONS}/1/publish", None, {**other, "If-Match": '"2"'})).status_code == 200
    _problem(await portal.put(f"{VERSIONS}/1", CERTIFICATE, {**vera, "If-Match": '"3"'}), 409)
    _problem(await portal.post(f"{VERSIONS}/1/publish", None, {**other, "If-Match": '"3"'}), 409)


async def test_findings_refuse_publication_with_their_place(portal: Portal) -> None:
    await portal.register()
    found = _problem(await portal.publish(test_cases=[{"name": "x", "data": {}, "expected": "valid"}]), 422)
    assert [error["pointer"] for error in found["errors"]] == ["/test_cases/0/expected"]
    preview = await portal.get(f"{VERSIONS}/1/preview", portal.staff("reviewer-1", "reviewer"))
    assert preview.json()["findings"] == found["errors"]
    assert preview.json()["status"] == "draft"


async def test_what_is_no_service_is_refused_with_its_place(portal: Portal) -> None:
    await portal.register()
    editor = portal.staff("editor-1", "editor")
    found = _problem(await portal.post(VERSIONS, {**CERTIFICATE, "colour": "red"}, editor), 422)
    assert [(error["pointer"], error["code"]) for error in found["errors"]] == [("/body/colour", "extra_forbidden")]
    found = _problem(await portal.post(VERSIONS, {**CERTIFICATE, "service_id": "another"}, editor), 422)
    assert found["errors"][0]["pointer"] == "/service_id"
    _problem(await portal.post(VERSIONS.replace("witten", "steinhagen"), CERTIFICATE, portal.operator), 404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a":' + b"[" * 100_000, 400),
        (json.dumps(CERTIFICATE).replace('"purpose": "employer"', '"purpose": NaN', 1).encode(), 422),
        (json.dumps(CERTIFICATE).replace('"purpose": "employer"', '"purpose": "\\ud800"', 1).encode(), 422),
        (json.dumps(CERTIFICATE).replace('"Meldebescheinigung"', '"\\ud800"', 1).encode(), 422),
        (b"[" + b"9" * 5_000 + b"]", 400),
        (b'"' + b"x" * 1_100_000 + b'"', 413),
    ],
    ids=["deep", "not a number", "half a pair in data", "half a pair in a text", "long number", "long"],
)
async def test_what_is_hardly_json_is_refused(portal: Portal, body: bytes, status: int) -> None:
    await portal.register()
    headers = {**portal.staff("editor-1", "editor"), "Content-Type": "application/json", "Idempotency-Key": "a-new-key"}
    _problem(await portal.client.post(f"/catalog/v1{VERSIONS}", content=body, headers=headers), status)


async def test_a_repeated_draft_is_the_same_draft(portal: Portal) -> None:
    await portal.register()
    editor = portal.staff("editor-1", "editor")
    first = await portal.post(VERSIONS, CERTIFICATE, editor, key="the-same-key")
    await portal.post(VERSIONS, CERTIFICATE, editor, key="another-key")
    again = await portal.post(VERSIONS, CERTIFICATE, editor, key="the-same-key")
    assert again.json() == first.json()
    _problem(await portal.post(VERSIONS, {**CERTIFICATE, "sample": False}, editor, key="the-same-key"), 422)
    listed = (await portal.get(VERSIONS, editor)).json()
    assert [each["version"] for each in listed["items"]] == [1, 2]


async def test_numbers_are_contiguous_whoever_drafts_at_once(portal: Portal) -> None:
    await portal.register()

    async def _draft(n: int) -> int:
        editor, key = portal.staff(f"editor-{n}", "editor"), portal.key()
        while (answer := await portal.post(VERSIONS, CERTIFICATE, editor, key=key)).status_code == 409:
            pass
        assert answer.status_code == 201, answer.text
        return int(answer.json()["version"])

    numbers = await asyncio.gather(*(_draft(n) for n in range(6)))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    reader = portal.staff("reviewer-1", "reviewer")
    first = (await portal.get(f"{VERSIONS}?limit=4", reader)).json()
    second = (await portal.get(f"{VERSIONS}?limit=4&cursor={first['next']}", reader)).json()
    assert [each["version"] for each in first["items"] + second["items"]] == [1, 2, 3, 4, 5, 6]
    assert second["next"] is None


async def test_the_version_in_force_follows_the_day(portal: Portal, clock: FixedClock) -> None:
    await portal.register()
    assert (await portal.publish(valid_to="2026-11-10")).status_code == 200
    assert (await portal.publish(valid_from="2026-11-05")).status_code == 200
    path = "/witten/services/registration-certificate"
    today = await portal.get(path)
    assert today.json()["version"] == 1
    assert today.headers["content-location"] == f"/catalog/v1{VERSIONS}/1"
    clock.advance(timedelta(days=3))
    assert (await portal.get(path)).json()["version"] == 2

    reviewer = portal.staff("reviewer-1", "reviewer")
    retired = await portal.post(f"{VERSIONS}/2/retire", {"retired_on": "2026-11-06"}, reviewer)
    assert retired.json()["status"] == "retired"
    _problem(await portal.post(f"{VERSIONS}/2/retire", None, reviewer), 409)
    clock.advance(timedelta(days=2))
    assert (await portal.get(path)).json()["version"] == 1, "the earlier one is still valid"
    clock.advance(timedelta(days=10))
    _problem(await portal.get(path), 404)
    assert (await portal.get(f"{VERSIONS}/2")).status_code == 200, "open cases still read it"


async def test_retiring_is_said(portal: Portal, service: Service) -> None:
    await portal.register()
    await portal.publish()
    answer = await portal.post(f"{VERSIONS}/1/retire", None, portal.staff("reviewer-1", "reviewer"))
    assert answer.json()["retired_on"] == "2026-11-02"
    said = await _said(service, "service_version", version_id("witten", "registration-certificate", 1))
    assert [name.split(".")[-2] for name in said] == ["service_published", "service_retired"]


# Search


async def test_the_search_follows_what_is_published_and_retired(portal: Portal, clock: FixedClock) -> None:
    await portal.register()
    _problem(await portal.get("/steinhagen/services"), 404)
    for service_id in ("registration-certificate", "bulky-waste", "vehicle-registration"):
        assert (await portal.publish(service_id)).status_code == 200

    async def _ids(query: str) -> list[str]:
        return [each["service_id"] for each in (await portal.get(f"/witten/services{query}")).json()["items"]]

    async def _all_there() -> bool:
        return len(await _ids("")) == 3

    await wait_until(_all_there, what="three services in the search")
    assert await _ids("?q=Sperrmuell") == ["bulky-waste"]
    assert await _ids("?q=wohnsitz") == ["registration-certificate"]
    hit = (await portal.get("/witten/services?q=kfz")).json()["items"][0]
    assert (hit["channels"], hit["links"]) == (["link"], ["https://www.en-kreis.de/"])
    assert (await portal.client.get(hit["dataref"])).status_code == 200

    first = (await portal.get("/witten/services?limit=2")).json()
    rest = (await portal.get(f"/witten/services?limit=2&cursor={first['next']}")).json()
    assert sorted(each["service_id"] for each in first["items"] + rest["items"]) == sorted(await _ids(""))

    reviewer = portal.staff("reviewer-1", "reviewer")
    await portal.post("/witten/services/bulky-waste/versions/1/retire", None, reviewer)
    clock.advance(timedelta(days=1))

    async def _gone() -> bool:
        return "bulky-waste" not in await _ids("")

    await wait_until(_gone, what="the retired service leaves the search")


# Who may


@pytest.mark.parametrize("role", ["clerk", "cashier"])
async def test_roles(portal: Portal, role: str) -> None:
    await portal.register()
    someone = portal.staff("someone", role)
    _problem(await portal.post(VERSIONS, CERTIFICATE, someone), 403)
    _problem(await portal.get(VERSIONS, someone), 403)
    _problem(await portal.post(f"{VERSIONS}/1/publish", None, {**someone, "If-Match": '"1"'}), 403)
    _problem(await portal.post(f"{VERSIONS}/1/retire", None, someone), 403)


async def test_an_editor_does_not_publish_nor_a_machine(portal: Portal) -> None:
    await portal.register()
    await portal.post(VERSIONS, CERTIFICATE, portal.operator)
    for someone in (portal.staff("editor-2", "editor"), portal.operator):
        _problem(await portal.post(f"{VERSIONS}/1/publish", None, {**someone, "If-Match": '"1"'}), 403)


async def test_towns_do_not_meet(portal: Portal) -> None:
    await portal.register("witten")
    await portal.register("steinhagen")
    await portal.post(VERSIONS, CERTIFICATE, portal.staff("editor-1", "editor"))
    stranger = portal.staff("editor-1", "admin", "steinhagen")
    _problem(await portal.get(f"{VERSIONS}/1/preview", stranger), 404)
    _problem(await portal.post(VERSIONS, CERTIFICATE, stranger), 404)
    _problem(await portal.put(f"{VERSIONS}/1", CERTIFICATE, {**stranger, "If-Match": '"1"'}), 404)
    _problem(await portal.post(f"{VERSIONS}/1/publish", None, {**stranger, "If-Match": '"1"'}), 404)
    elsewhere = VERSIONS.replace("witten", "steinhagen")
    assert (await portal.get(elsewhere, stranger)).json()["items"] == []
    _problem(await portal.get(f"{elsewhere}/1/preview", stranger), 404)
    reviewer = portal.staff("reviewer-1", "reviewer", "steinhagen")
    _problem(await portal.post(f"{elsewhere}/1/retire", None, reviewer), 404)


# The format and the description


async def test_the_format_is_published(portal: Portal) -> None:
    answer = await portal.get("/service-format")
    assert answer.json() == json_schema()
    again = await portal.get("/service-format", {"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_openapi_describes_every_route(service: Service, portal: Portal) -> None:
    document = (await portal.client.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert {"/catalog/v1/service-format", "/catalog/v1/towns", "/catalog/v1/{tenant}"} <= set(document["paths"])
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []) if isinstance(schema, dict) else []:
            whole = {**schema, "components": document["components"]}
            check = jsonschema_rs.Draft202012Validator(whole, offline=True)
            assert check.is_valid(example), (name, [error.message for error in check.iter_errors(example)])
