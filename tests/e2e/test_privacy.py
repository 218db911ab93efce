"""Nothing personal and nothing secret in topics, logs and metrics, whatever people and programs send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from chassis.events.reading import reader
from contracts import topics
from rathaus.demo.door import Door, Refused, eventually
from rathaus.registry import NAMES
from tests.e2e import canaries
from tests.e2e.canaries import CANARY_BIN, CANARY_CERTIFICATE, ONE, TWO, TWO_JOURNEYS
from tests.e2e.house import PATIENCE, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOWN = CANARY_BIN.tenant


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(house: House) -> str:
    """Everything that people do here was done. Returns what was submitted, as text: the canaries do stand there."""
    citizen = house.citizen()
    stories = [await citizen.apply(journey) for journey in TWO_JOURNEYS]
    await decided_by_a_clerk(house)
    await sent_what_is_wrong(house)
    house.let_a_day_pass()
    for story in stories:
        await citizen.see_closed(story)
    person = await house.signed_in(CANARY_CERTIFICATE.tenant, CANARY_CERTIFICATE.person)
    try:
        case = (await person.get(f"/applications/v1/witten/applications/{stories[0].case_id}")).body
    finally:
        await person.close()
    return json.dumps(case, ensure_ascii=False)


@asynccontextmanager
async def signed_in(house: House, tenant: str, person: str) -> AsyncIterator[Door]:
    door = await house.signed_in(tenant, person)
    try:
        yield door
    finally:
        await door.close()


async def decided_by_a_clerk(house: House) -> None:
    """A large bin goes to a clerk: who asks, is answered, and refuses with grounds."""
    applications = f"/applications/v1/{TOWN}/applications"
    async with (
        signed_in(house, TOWN, CANARY_BIN.person) as person,
        signed_in(house, TOWN, f"sachbearbeitung-{TOWN}") as clerk,
    ):
        draft = await person.post(applications, {"service_id": CANARY_BIN.service_id})
        case_id = draft.body["case_id"]
        data = {**CANARY_BIN.data, "new_size": "240"}
        await person.put(f"{applications}/{case_id}/data", data, etag=draft.etag)
        await person.post(f"{applications}/{case_id}/submit", {"confirmed": True, "consents_to_mailbox": True})
        case = f"/applications/v1/{TOWN}/cases/{case_id}"
        due = date.fromisoformat((await clerk.get(case)).body["received_on"]) + timedelta(days=10)
        question = {"question": canaries.QUESTION, "due_on": due.isoformat()}
        asked = await clerk.post(f"{case}/information-requests", question)
        answer = {"answer": canaries.ANSWER}
        await person.post(f"{applications}/{case_id}/requests/{asked.body['request_id']}/answer", answer)
        await clerk.post(f"{case}/decisions", {"outcome": "refused", "grounds": canaries.GROUNDS})

        async def _notice() -> str | None:
            found = (await person.get(f"/notifications/v1/{TOWN}/mailbox")).body["items"]
            return next((each["document"]["href"] for each in found if each["case_id"] == case_id), None)

        href = await eventually(_notice, "the refusal", PATIENCE)
        assert (await person.get(href)).body.startswith(b"%PDF-")


async def sent_what_is_wrong(house: House) -> None:
    """Mistakes and nonsense with canaries in every place of a request."""
    applications = f"/applications/v1/{TOWN}/applications"
    async with signed_in(house, TOWN, CANARY_BIN.person) as person:
        draft = await person.post(applications, {"service_id": CANARY_BIN.service_id})
        path = f"{applications}/{draft.body['case_id']}"
        wrong = {"street": [ONE["street"]], "persons": TWO["family_name"], str(ONE["family_name"]): canaries.REMARK}
        await person.put(f"{path}/data", wrong, etag=draft.etag)
        await person.post(f"{path}/validate")
        for body in ({"confirmed": True, "consents_to_mailbox": True}, {"confirmed": TWO["email"]}):
            with suppress(Refused):
                await person.post(f"{path}/submit", body)
        token = person.authorization
    async with httpx.AsyncClient(base_url=house.gateway_url, timeout=15) as client:
        for request in nonsense(path, token):
            answer = await client.request(**request)
            assert answer.status_code < 500, (request["method"], answer.status_code)


def nonsense(path: str, token: str) -> list[dict[str, Any]]:
    """Requests as httpx takes them."""
    name, mail = str(TWO["family_name"]), str(TWO["email"])
    authorized = {"Authorization": token, "Idempotency-Key": str(uuid4())}
    odd = {"Idempotency-Key": f"{name}-0123456789", "X-Request-Id": name, "traceparent": name, "User-Agent": name}
    return [
        {"method": "GET", "url": f"/catalog/v1/{TOWN}/services", "params": {"q": canaries.SEARCHED}},
        {"method": "GET", "url": f"/catalog/v1/{TOWN}/services/{name.lower()}"},
        {"method": "GET", "url": f"/catalog/v1/{name.lower()}/services"},
        {"method": "GET", "url": f"/{mail}/{name}", "params": {"name": name}},
        {"method": "GET", "url": f"{path}/{name}", "headers": authorized},
        {"method": "POST", "url": f"/applications/v1/{TOWN}/applications", "headers": authorized, "content": name},
        {
            "method": "POST",
            "url": f"/applications/v1/{TOWN}/applications",
            "headers": {**authorized, "Content-Type": "application/json"},
            "content": f'{{"{name}": '.encode(),
        },
        {
            "method": "POST",
            "url": f"/applications/v1/{TOWN}/applications",
            "headers": {**authorized, **odd},
            "json": {"service_id": name, name: mail},
        },
        {
            "method": "PUT",
            "url": f"{path}/attachments/contract",
            "headers": {**authorized, "Content-Type": "application/pdf"},
            "content": canaries.ATTACHMENT.encode(),
        },
        {"method": "POST", "url": f"/identity/v1/{TOWN}/demo-sign-in", "headers": odd, "json": {"person": mail}},
        {"method": "POST", "url": "/identity/v1/token", "data": {"grant_type": name, "client_secret": mail}},
        {"method": "GET", "url": f"{path}", "headers": {"Authorization": f"Bearer {name.encode().hex()}"}},
    ]


async def test_the_canaries_would_be_seen(lived: str) -> None:
    """The proof is worth as much as its eyes."""
    wanted = canaries.spellings()
    for word in (ONE["family_name"], canaries.BORN, canaries.REMARK):
        assert canaries.seen(lived.encode(), canaries.spellings([str(word)])), word
    escaped = json.dumps({"name": ONE["family_name"]}).encode()
    assert canaries.seen(b"..." + escaped, wanted)
    assert canaries.seen(httpx.URL("http://x/", params={"q": ONE["family_name"]}).raw_path, wanted)


@pytest.mark.usefixtures("lived")
async def test_no_event_holds_anything_personal(house: House) -> None:
    wanted, records = canaries.spellings(), 0
    async for raw in every_byte_of_the_topics(house.platform.kafka_url):
        records += 1
        assert canaries.seen(raw, wanted) == []
    assert records > 40


@pytest.mark.usefixtures("lived")
async def test_no_log_holds_anything_personal_or_secret(house: House) -> None:
    wanted = canaries.spellings()
    secret = {each.encode().lower() for each in house.platform.secrets.values()}
    secret.add(b"eyj")  # the first letters of every signed token
    assert {file.stem for file in house.logs} >= set(house.platform.pids)
    for file in house.logs:
        content = file.read_bytes()
        assert content or file.stem not in NAMES, file
        assert canaries.seen(content, wanted | secret) == [], file


@pytest.mark.usefixtures("lived")
async def test_no_metric_holds_anything_personal(house: House) -> None:
    wanted = canaries.spellings()
    admin = f"http://127.0.0.1:{house.platform.plan.ports['gateway-admin']}"
    addresses = [f"{house.platform.service_url(each)}/metrics" for each in NAMES] + [f"{admin}/stats/prometheus"]
    async with httpx.AsyncClient(timeout=10) as client:
        for address in addresses:
            answer = await client.get(address)
            assert answer.status_code == 200, address
            assert b"# TYPE" in answer.content
            assert canaries.seen(answer.content, wanted) == [], address


async def every_byte_of_the_topics(kafka_url: str) -> AsyncIterator[bytes]:
    """Each record as it lies there: key, headers and value."""
    async with reader(kafka_url.split(","), [topic.name for topic in topics.ALL]) as found:
        async for record in found.read(await found.spans()):
            headers = [b"%s: %s" % (name.encode(), value or b"") for name, value in record.headers]
            yield b"\n".join([record.key or b"", record.value or b"", *headers])
