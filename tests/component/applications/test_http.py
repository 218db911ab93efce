"""The HTTP edge: who may, what is checked, limits, files, lists."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

from kernel.ids import id_of
from tests.component.applications.conftest import BIN, PAPER, Town
from tests.support.cases import changed
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

PDF = b"%PDF-1.7\n" + b"x" * 100_000
SLUGS = {"document": "power_of_attorney"}
BODIES: dict[str, Any] = {
    "/applications": {"service_id": PAPER},
    "/data": {"purpose": "x"},
    "/submit": {"confirmed": True, "consents_to_mailbox": True},
    "/answer": {"answer": "x"},
    "/decisions": {"outcome": "granted", "result": {"registered_since": "2019"}},
    "/information-requests": {"question": "?", "due_on": "2026-03-20"},
    "/reopen": {"reason": "remedy"},
}


def _operations(town: Town) -> list[tuple[str, str]]:
    """Every route of the service that is about a case."""
    routes = [route for route in town.service.app.routes if isinstance(route, APIRoute) and "{tenant}" in route.path]
    return [(method, route.path) for route in routes for method in sorted(route.methods or ())]


def _ids(case: dict[str, Any]) -> dict[str, str]:
    first = {"decisions": "decision_id", "requests": "request_id", "attachments": "attachment_id"}
    found = {name: case[many][0][name] for many, name in first.items() if case[many]}
    return {"case_id": case["case_id"], "application_id": case["application_id"], **SLUGS, **found}


async def _tried(town: Town, method: str, template: str, who: dict[str, str], **ids: str) -> httpx.Response:
    path = template.format_map(ids)
    body = (
        next((body for end, body in BODIES.items() if path.endswith(end)), None) if method in {"POST", "PUT"} else None
    )
    headers = {**who, "Idempotency-Key": uuid4().hex, "If-Match": '"1"'}
    if "/attachments/" in path:
        return await town.http.request(
            method, path, headers={**headers, "Content-Type": "application/pdf"}, content=PDF
        )
    return await town.http.request(method, path, headers=headers, json=body)


async def _full(town: Town) -> dict[str, Any]:
    """A case with everything in it."""
    await town.publish(changed(CERTIFICATE, fees=[]))
    case_id = await town.draft(PAPER, {"purpose": "Bank"})
    assert (await town.upload(case_id, PDF)).status_code == 200
    assert (await town.submit(case_id)).status_code == 200
    await town.post(f"/cases/{case_id}/information-requests", town.clerk(), BODIES["/information-requests"])
    await town.post(f"/cases/{case_id}/decisions", town.clerk(), BODIES["/decisions"])
    return await town.case(case_id)


async def test_no_route_shows_or_changes_another_persons_case(town: Town) -> None:
    case = await _full(town)
    before = await town.service.stores[0].require(town.tenant, case["case_id"])
    others = {"tenant": town.tenant, **_ids(case)}
    for method, path in _operations(town):
        answer = await _tried(town, method, path, town.person("Max", "high"), **others)
        if "{case_id}" in path:
            assert answer.status_code in {403, 404}, (method, path, answer.text)
            assert "Bank" not in answer.text
        else:
            assert answer.status_code in {200, 201, 403}
    assert await town.service.stores[0].require(town.tenant, case["case_id"]) == before


async def test_no_route_crosses_towns(town: Town) -> None:
    """Neither with the other town in the path, nor with the own one and the other's ids."""
    case = await _full(town)
    before = await town.service.stores[0].require(town.tenant, case["case_id"])
    elsewhere = f"{town.tenant}-b"
    everybody = (
        town.person(tenant=elsewhere, acr="high"),
        town.staff("admin", tenant=elsewhere),
        town.client("cases:read cases:decide internal", elsewhere),
    )
    for who in everybody:
        for method, path in _operations(town):
            for tenant in (town.tenant, elsewhere):
                answer = await _tried(town, method, path, who, tenant=tenant, **_ids(case))
                listing = "{case_id}" not in path and tenant == elsewhere and answer.status_code == 200
                assert answer.status_code in {403, 404, 412} or listing, (method, path, answer.status_code)
                assert case["case_id"] not in answer.text.replace(f'"id":"{case["case_id"]}"', "")
    assert await town.service.stores[0].require(town.tenant, case["case_id"]) == before


async def test_every_route_wants_a_token(town: Town) -> None:
    ids = {"tenant": town.tenant, "case_id": id_of("x"), **SLUGS}
    ids |= {name: id_of("x") for name in ("application_id", "decision_id", "request_id", "attachment_id")}
    for method, path in _operations(town):
        assert (await _tried(town, method, path, {}, **ids)).status_code == 401


async def test_the_authority_sees_no_drafts(papers: Town) -> None:
    case_id = await papers.draft(PAPER, {"purpose": "Bank"})
    application_id = (await papers.case(case_id))["application_id"]
    for who in (papers.clerk(), papers.client("cases:read"), papers.client("internal", "*")):
        for path in (f"/cases/{case_id}", f"/cases/{case_id}/submissions/{application_id}"):
            assert (await papers.get(path, who)).status_code in {403, 404}
        assert (await papers.get(f"/applications/{case_id}/timeline", who)).status_code == 404
    assert (await papers.get("/cases", papers.clerk())).json()["items"] == []
    assert (await papers.get("/cases", papers.clerk(), status="draft")).status_code == 422
    assert (await papers.post(f"/cases/{case_id}/decisions", papers.clerk(), BODIES["/decisions"])).status_code == 404


@pytest.mark.parametrize(
    ("method", "end", "allowed"),
    [
        ("GET", "/cases", {"clerk", "admin", "cases:read"}),
        ("POST", "/cases/{case_id}/decisions", {"clerk", "admin", "cases:decide"}),
        ("POST", "/cases/{case_id}/information-requests", {"clerk", "admin"}),
        ("POST", "/cases/{case_id}/reopen", {"clerk", "admin"}),
    ],
)
async def test_who_may_do_the_authoritys_work(town: Town, method: str, end: str, allowed: set[str]) -> None:
    everybody = {
        "person": town.person(acr="high"),
        **{role: town.staff(role) for role in ("clerk", "admin", "editor", "cashier")},
        **{scope: town.client(scope) for scope in ("cases:read", "cases:decide", "internal", "operator")},
    }
    path = f"/applications/v1/{{tenant}}{end}"
    for name, who in everybody.items():
        answer = await _tried(town, method, path, who, tenant=town.tenant, case_id=id_of("nowhere"))
        assert (answer.status_code != 403) is (name in allowed), (name, answer.status_code)


# Drafts


async def test_trust_level(papers: Town) -> None:
    low = papers.person(acr="basic")
    refused = await papers.post("/applications", low, {"service_id": PAPER})
    assert (refused.status_code, refused.json()["trust_level"]) == (403, "substantial")
    case_id = await papers.draft(PAPER, {"purpose": "Bank"})
    assert (await papers.submit(case_id, low)).status_code == 403
    assert (await papers.submit(case_id)).status_code == 200
    assert (await papers.case(case_id))["identity_trust_level"] == "substantial"


async def test_two_who_edit_are_told(bins: Town) -> None:
    made = await bins.post("/applications", bins.person(), {"service_id": BIN})
    case_id, etag = made.json()["case_id"], made.headers["etag"]
    assert made.headers["location"].endswith(f"/applications/{case_id}")
    saved = await bins.save(case_id, {"bin_size": "80"}, etag=etag)
    assert (saved.status_code, "data" in saved.json()) == (200, False)
    assert (await bins.save(case_id, {"bin_size": "120"}, etag=etag)).status_code == 412
    at_once = await asyncio.gather(
        *(bins.save(case_id, {"bin_size": str(n)}, etag=saved.headers["etag"]) for n in range(5))
    )
    assert sorted(each.status_code for each in at_once) == [200, 412, 412, 412, 412]
    path = bins.url(f"/applications/{case_id}/data")
    without = await bins.http.put(path, headers=bins.person(), json={})
    assert without.status_code == 428


async def test_the_same_key_makes_one_draft(bins: Town) -> None:
    key = uuid4().hex
    once, again = [await bins.post("/applications", bins.person(), {"service_id": BIN}, key) for _ in range(2)]
    assert (once.status_code, once.json()) == (again.status_code, again.json())
    assert (await bins.post("/applications", bins.person(), {"service_id": "x-y"}, key)).status_code in {404, 422}
    another = await bins.post("/applications", bins.person("Max"), {"service_id": BIN}, key)
    assert another.json()["case_id"] != once.json()["case_id"]


async def test_a_deleted_draft_is_gone_with_what_was_typed(bins: Town) -> None:
    case_id = await bins.draft(BIN, {"bin_size": "80", "name": "Geheimnis"})
    path = bins.url(f"/applications/{case_id}")
    assert (await bins.http.delete(path, headers=bins.person("Max"))).status_code == 404
    assert (await bins.http.delete(path, headers=bins.person())).status_code == 204
    assert (await bins.get(f"/applications/{case_id}", bins.person())).status_code == 404
    assert (await bins.submit(case_id)).status_code == 404
    assert (await bins.get("/applications", bins.person())).json()["items"] == []
    left = await bins.service.stores[0].collection.find_one({"_id": case_id})
    assert left is not None
    assert "state" not in left
    assert "Geheimnis" not in str(left)


async def test_a_submitted_application_is_neither_changed_nor_deleted(bins: Town) -> None:
    case_id = await bins.submitted(BIN, {"bin_size": "80"})
    assert (await bins.save(case_id, {"bin_size": "120"})).status_code == 409
    assert (await bins.http.delete(bins.url(f"/applications/{case_id}"), headers=bins.person())).status_code == 409
    assert (await bins.upload(case_id, PDF)).status_code == 409


async def test_findings_and_the_page_to_review(papers: Town) -> None:
    case_id = await papers.draft(PAPER, {"purpose": "", "copies": 5})
    found = await papers.post(f"/applications/{case_id}/validate", papers.person())
    assert [(each["pointer"], each["code"]) for each in found.json()["findings"]] == [
        ("/data/purpose", "minLength"),
        ("/attachments/power_of_attorney", "document_missing"),
    ]
    refused = await papers.submit(case_id)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"] == found.json()["findings"]
    review = await papers.get(f"/applications/{case_id}/review", papers.person())
    assert (review.json()["can_submit"], review.json()["service_version"]) == (False, 1)
    assert review.json()["fees"][0] == {
        "timing": "before_processing",
        "amount": {"cents": 1100, "currency": "EUR"},
        "labels": [{"de": "Gebühr", "en": "Fee"}],
        "days_to_pay": 14,
    }
    await papers.save(case_id, {"purpose": "Bank"})
    assert (await papers.get(f"/applications/{case_id}/review", papers.person())).json()["can_submit"] is True
    body = {"confirmed": False, "consents_to_mailbox": True}
    unconfirmed = await papers.post(f"/applications/{case_id}/submit", papers.person(), body)
    assert unconfirmed.json()["errors"][0]["pointer"] == "/confirmed"


async def test_names_that_mean_something_to_a_database_are_kept_as_they_are(bins: Town) -> None:
    odd = {"$where": {"a.b": 1, "": None}, "bin_size": "\u0000", "10": 1.0, "2": 1e21}
    case_id = await bins.draft(BIN, odd)
    assert (await bins.case(case_id))["data"] == odd


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[" * 200_000, {400, 413}),
        ('{"a":' * 17 + "1" + "}" * 17, {413}),
        (json.dumps({"a": list(range(5_001))}), {413}),
        (json.dumps({"a": "x" * 200_001}), {413}),
        (json.dumps({"a": "x" * 1_100_000}), {413}),
        ('{"a": 9007199254740993}', {422}),
        ('{"a": 1e999}', {422}),
        ('{"a": NaN}', {400, 422}),
        ('{"a": "\\ud800"}', {400, 422}),
        ("[]", {422}),
        ("{", {400, 422}),
    ],
)
async def test_limits_of_form_data(bins: Town, body: str, status: set[int]) -> None:
    made = await bins.post("/applications", bins.person(), {"service_id": BIN})
    headers = {**bins.person(), "If-Match": made.headers["etag"], "Content-Type": "application/json"}
    path = bins.url(f"/applications/{made.json()['case_id']}/data")
    answer = await bins.http.put(path, headers=headers, content=body.encode())
    assert answer.status_code in status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


# Files


async def test_files_are_streamed_sniffed_and_found_again(papers: Town) -> None:
    case_id = await papers.draft(PAPER, {"purpose": "Bank", "copies": 5})
    assert (await papers.upload(case_id, PDF)).status_code == 200
    content = PDF + b"y" * 150_000
    assert (await papers.upload(case_id, content)).status_code == 200
    (kept,) = (await papers.case(case_id))["attachments"]
    assert (kept["sha256"], kept["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    mine = await papers.get(f"/applications/{case_id}/attachments/power_of_attorney", papers.person())
    assert mine.content == content
    assert mine.headers["content-type"] == "application/pdf"
    assert mine.headers["content-disposition"] == 'attachment; filename="power_of_attorney.pdf"'
    assert mine.headers["x-content-type-options"] == "nosniff"

    assert (await papers.submit(case_id)).status_code == 200
    submission = (await papers.case(case_id))["submission"]
    path = f"{submission}/attachments/{kept['attachment_id']}"
    for who in (papers.clerk(), papers.client("cases:read"), papers.person()):
        assert (await papers.http.get(path, headers=who)).content == content
    told = (await papers.events(case_id))[0][1]["attachments"]
    assert told == [{name: kept[name] for name in ("attachment_id", "sha256", "size", "media_type")}]


@pytest.mark.parametrize(
    ("content", "media_type", "document", "status"),
    [
        (b"GIF89a", "application/pdf", "power_of_attorney", 415),
        (b"", "application/pdf", "power_of_attorney", 415),
        (b"\x89PNG\r\n\x1a\n", "application/pdf", "power_of_attorney", 415),
        (b"\xff\xd8\xff\xe0", "image/jpeg", "power_of_attorney", 415),
        (PDF, "text/html", "power_of_attorney", 415),
        (PDF, "application/pdf", "another", 404),
        (PDF * 4, "application/pdf", "power_of_attorney", 413),
        (b"\x89PNG\r\n\x1a\n", "image/png", "power_of_attorney", 200),
    ],
)
async def test_what_is_taken_as_a_file(
    papers: Town, content: bytes, media_type: str, document: str, status: int
) -> None:
    case_id = await papers.draft(PAPER, {"purpose": "Bank"})
    assert (await papers.upload(case_id, content, media_type, document)).status_code == status
    assert len((await papers.case(case_id))["attachments"]) == (status == 200)


async def test_a_file_is_taken_out_again(papers: Town) -> None:
    case_id = await papers.draft(PAPER, {"purpose": "Bank"})
    await papers.upload(case_id, PDF)
    path = papers.url(f"/applications/{case_id}/attachments/power_of_attorney")
    assert (await papers.http.delete(path, headers=papers.person())).status_code == 200
    assert (await papers.http.delete(path, headers=papers.person())).status_code == 404
    assert (await papers.http.get(path, headers=papers.person())).status_code == 404


# Lists


async def test_lists_come_in_pages(bins: Town) -> None:
    made = []
    for _ in range(5):
        made.append(await bins.submitted(BIN, {"bin_size": "1100"}))
        bins.clock.advance(timedelta(milliseconds=1))
    await bins.submitted(BIN, {"bin_size": "80"})
    await bins.draft(BIN)

    async def _all(path: str, who: dict[str, str], **query: str) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await bins.get(path, who, limit="2", **query, **cursor)).json()
            assert len(page["items"]) <= 2
            found += [each["case_id"] for each in page["items"]]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    assert await _all("/cases", bins.clerk(), status="in_processing") == made
    everything = await _all("/cases", bins.client("cases:read"))
    assert everything[:5] == made
    assert len(everything) == 6
    own = await _all("/applications", bins.person())
    assert len(own) == 7
    assert own[2:] == list(reversed(made))
    assert (await bins.get("/applications", bins.person("Max"))).json()["items"] == []
    assert (await bins.get("/cases", bins.clerk(), cursor="nonsense")).status_code == 400


async def test_the_interface_describes_itself(town: Town) -> None:
    document = (await town.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert len(document["paths"]) >= 19
    assert not re.search(r"TODO|FIXME", json.dumps(document))


async def test_what_is_not_offered_online_cannot_be_applied_for(town: Town) -> None:
    await town.publish(changed(BIN_CHANGE, channels=[{"kind": "paper_form"}]))
    assert (await town.post("/applications", town.person(), {"service_id": BIN})).status_code == 409
    body = {"service_id": BIN, "channel": "desk"}
    assert (await town.post("/applications", town.person(), body)).status_code == 422
