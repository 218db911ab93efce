"""Nobody gets across towns, in without a token, or behind the gateway."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from chassis.events.reading import reader
from rathaus.demo.door import Door
from rathaus.demo.journeys import Story
from rathaus.registry import NAMES, SERVICES
from tests.e2e.canaries import CANARY_CERTIFICATE
from tests.e2e.house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

METHODS = ("get", "put", "post", "delete", "patch")
OWNER, OTHER = "witten", "steinhagen"
OTHERS = ("max-mustermann", f"sachbearbeitung-{OTHER}", f"verwaltung-{OTHER}", f"kasse-{OTHER}", f"redaktion-{OTHER}")
"""Of the other town: the highest trust level, and every role."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of a service's OpenAPI document."""

    method: str
    path: str
    """With its parameters filled in: with those of a real case where they are."""
    template: str
    body: dict[str, Any]
    """What httpx sends."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(house: House) -> Story:
    """A real case of the first town, with its demand and notice."""
    return await house.citizen().apply(CANARY_CERTIFICATE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.gateway_url, timeout=15) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operations(house: House, client: httpx.AsyncClient, story: Story) -> list[Operation]:
    """Every operation of every service that isn't public and names a town."""
    known = await real_ids(house, story)
    found: list[Operation] = []
    for service in NAMES:
        document = (await client.get(f"/{service}/openapi.json")).json()
        found += protected(document, known)
    assert {each.template.split("/")[1] for each in found} == set(NAMES)
    return found


async def real_ids(house: House, story: Story) -> dict[str, str]:
    """What stands for the parameters of paths: of a case that exists, so that a 404 says something."""
    cashier, person = (
        await house.signed_in(OWNER, f"kasse-{OWNER}"),
        await house.signed_in(OWNER, CANARY_CERTIFICATE.person),
    )
    try:
        demands = (await cashier.get(f"/payments/v1/{OWNER}/demands?case_id={story.case_id}")).body["items"]
        case = (await person.get(f"/applications/v1/{OWNER}/applications/{story.case_id}")).body
        me = (await person.get(f"/identity/v1/{OWNER}/accounts/me")).body
    finally:
        await cashier.close()
        await person.close()
    return {
        "tenant": OWNER,
        "case_id": story.case_id,
        "application_id": case["application_id"],
        "decision_id": case["decisions"][0]["decision_id"],
        "demand_id": demands[0]["demand_id"],
        "notice_id": story.notice_id,
        "account_id": me["account_id"],
        "service_id": CANARY_CERTIFICATE.service_id,
        "number": "1",
        "document": "contract",
        "staff_id": f"kasse-{OWNER}",
        "client_id": "population-register",
    }


def protected(document: dict[str, Any], known: dict[str, str]) -> Iterator[Operation]:
    """The operations of a document that need a token and name a town."""
    for template, methods in document["paths"].items():
        for method in METHODS:
            operation = methods.get(method)
            if operation and operation.get("security") and "{tenant}" in template:
                path = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], str(uuid4())), template)
                yield Operation(method.upper(), path, template, body_of(operation))


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    types = operation.get("requestBody", {}).get("content", {})
    if not types or "application/json" in types:
        return {"json": {}} if types else {}
    return {"content": b"%PDF-1.4 x", "headers": {"Content-Type": next(iter(types))}}


async def answered(client: httpx.AsyncClient, operation: Operation, token: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid4()), "If-Match": '"1"', **operation.body.get("headers", {})}
    if token:
        headers["Authorization"] = token
    content = {name: value for name, value in operation.body.items() if name != "headers"}
    return await client.request(operation.method, operation.path, headers=headers, **content)


async def test_there_are_as_many_operations_as_one_thinks(operations: list[Operation]) -> None:
    assert len(operations) > 40
    unknown = {each.template for each in operations if "{" in each.path}
    assert unknown == set()


OWN = (
    CANARY_CERTIFICATE.person,
    *(f"{each}-{OWNER}" for each in ("sachbearbeitung", "verwaltung", "kasse", "redaktion")),
)
ONLY_ELSEWHERE = {
    "/applications/v1/{tenant}/applications/{case_id}/review": "a draft's",
    "/applications/v1/{tenant}/applications/{case_id}/attachments/{document}": "the service asks for no document",
    "/applications/v1/{tenant}/cases/{case_id}/submissions/{application_id}/attachments/{attachment_id}": "likewise",
    "/applications/v1/{tenant}/cases/{case_id}/requests/{request_id}": "nothing was asked in this case",
    "/applications/v1/{tenant}/cases/{case_id}/requests/{request_id}/answer": "likewise",
    "/identity/v1/{tenant}/accounts/{account_id}": "for our own services",
}
"""What nobody of the own town reads with these ids."""


async def test_in_the_own_town_the_same_addresses_are_answered(
    house: House, client: httpx.AsyncClient, operations: list[Operation]
) -> None:
    """Else the walk across towns would prove nothing."""
    tokens = [await person_token(house, person, OWNER) for person in OWN]
    emitting = await services_with_events(house)
    unread = set()
    for operation in operations:
        if operation.method == "GET" and operation.template.split("/")[1] in emitting:
            answers = [(await answered(client, operation, token)).status_code for token in tokens]
            unread |= set() if 200 in answers else {operation.template}
    assert unread == set(ONLY_ELSEWHERE)


async def services_with_events(house: House) -> set[str]:
    """A service in which nothing has happened yet has nothing that could be read."""
    async with reader(house.platform.kafka_url.split(","), [spec.topic.name for spec in SERVICES]) as found:
        spans = await found.spans()
    filled = {partition.topic for partition, span in spans.items() if span.start < span.end}
    return {spec.name for spec in SERVICES if spec.topic.name in filled}


@pytest.mark.parametrize("person", [*OTHERS, "machine"])
async def test_no_endpoint_crosses_towns(
    house: House, client: httpx.AsyncClient, operations: list[Operation], person: str
) -> None:
    token = await machine_of_the_other_town(house) if person == "machine" else await person_token(house, person)
    wrong = []
    for operation in operations:
        answer = await answered(client, operation, token)
        if answer.status_code not in {403, 404}:
            wrong.append(f"{operation.method} {operation.template}: {answer.status_code}")
        assert answer.headers["content-type"] == "application/problem+json", operation
    assert wrong == []


async def test_without_a_token_every_endpoint_answers_401(
    client: httpx.AsyncClient, operations: list[Operation]
) -> None:
    for operation in operations:
        answer = await answered(client, operation)
        assert answer.status_code == 401, operation
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_another_persons_case_is_as_good_as_none(house: House, client: httpx.AsyncClient, story: Story) -> None:
    """Of the same town, at the highest trust level."""
    token = await person_token(house, "max-mustermann", OWNER)
    ids = await real_ids(house, story)
    for path in (
        f"/applications/v1/{OWNER}/applications/{story.case_id}",
        f"/applications/v1/{OWNER}/applications/{story.case_id}/timeline",
        f"/applications/v1/{OWNER}/cases/{story.case_id}/submissions/{ids['application_id']}",
        f"/applications/v1/{OWNER}/cases/{story.case_id}/decisions/{ids['decision_id']}",
        f"/payments/v1/{OWNER}/demands/{ids['demand_id']}",
        f"/notifications/v1/{OWNER}/mailbox/{story.notice_id}",
        f"/notifications/v1/{OWNER}/mailbox/{story.notice_id}/document",
    ):
        answer = await client.get(path, headers={"Authorization": token})
        assert answer.status_code == 404, path


async def person_token(house: House, person: str, town: str = OTHER) -> str:
    door = await house.signed_in(town, person)
    try:
        return door.authorization
    finally:
        await door.close()


async def machine_of_the_other_town(house: House) -> str:
    """With every scope that a town can give."""
    secret = "a-secret-of-the-other-town-4711-4711"
    admin = await house.signed_in(OTHER, f"verwaltung-{OTHER}")
    machine = Door(house.gateway_url)
    try:
        wanted = {"scopes": ["cases:read", "cases:decide"], "secret": secret}
        await admin.put(f"/identity/v1/{OTHER}/clients/other-clerk-system", wanted)
        await machine.authenticate("other-clerk-system", secret)
        return machine.authorization
    finally:
        await admin.close()
        await machine.close()


# Behind the gateway

HIDDEN = ("/metrics", "/livez", "/readyz", "/stats", "/stats/prometheus", "/config_dump", "/quitquitquit", "/clusters")


@pytest.mark.parametrize("path", HIDDEN)
@pytest.mark.parametrize(
    "before", ["", *(f"/{each}" for each in NAMES), "/applications/v1/..", "/identity/%2e%2e", "//", "/catalog/..;"]
)
async def test_what_is_inside_stays_inside(house: House, before: str, path: str) -> None:
    status, content = await asyncio.to_thread(raw_get, house.gateway_url, before + path)
    assert status in {400, 404, 405}, content[:200]
    assert b"# HELP" not in content


def raw_get(gateway_url: str, path: str) -> tuple[int, bytes]:
    """As written: other clients would tidy the path up."""
    connection = http.client.HTTPConnection(gateway_url.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
