"""The simulated payment provider, over its HTTP interface; the lost answer also over a real connection."""

import asyncio
import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.payment_provider import derived
from examples.payment_provider.app import create_app
from examples.payment_provider.cut import ConnectionCut, CuttableProtocol
from examples.payment_provider.provider import Provider
from examples.payment_provider.rules import (
    Address,
    Bill,
    Mode,
    Status,
    SumsWrong,
    Switches,
    bill_of,
    decide,
    open_payment,
    safe_redirect,
)
from examples.payment_provider.settings import Settings, SettingsMissing, from_environment
from examples.payment_provider.store import Store

ROOT = Path(__file__).parents[3]
AT = "/paymenttransaction/witten/fees"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SETTINGS = Settings(client_id="town", client_secret="a-secret", switch_token="another")


@dataclass
class Clock:
    time: datetime = START
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "payments.sqlite3") as opened:
        yield opened


@pytest.fixture
async def client(store: Store, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(store, clock) as client:
        yield client


@asynccontextmanager
async def connected(store: Store, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Provider(SETTINGS, store, now=clock.now, sleep=clock.sleep))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=SETTINGS.public_url) as client:
        client.headers["Authorization"] = f"Bearer {await token(client)}"
        yield client


async def token(client: httpx.AsyncClient) -> str:
    answer = await client.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(SETTINGS.client_id, SETTINGS.client_secret)
    )
    assert answer.status_code == 200
    return str(answer.json()["access_token"])


def request(request_id: str = "demand-1", **more: Any) -> dict[str, Any]:
    return {
        "requestId": request_id,
        "requestTimestamp": "2026-03-02T09:00:00Z",
        "currency": "EUR",
        "grosAmount": 34.50,
        "purpose": "RF18539007547034",
        "redirectUrl": "https://witten.example/back?case=1",
        "items": [
            {"id": "1", "reference": "dog-tax", "quantity": 2, "singleNetAmount": 12.25, "totalNetAmount": 24.5},
            {
                "id": "2",
                "reference": "tag",
                "totalNetAmount": 8.4,
                "totalTaxAmount": 1.6,
                "bookingData": {"object": "1"},
            },
        ],
    } | more


async def switch(client: httpx.AsyncClient, **switches: Any) -> httpx.Response:
    return await client.post("/switches", json=switches, headers={"Authorization": "Bearer another"})


async def initiate(client: httpx.AsyncClient, request_id: str = "demand-1", **more: Any) -> dict[str, Any]:
    answer = await client.post(AT, json=request(request_id, **more))
    assert answer.status_code == 200, answer.text
    information: dict[str, Any] = answer.json()["paymentInformation"]
    return information


async def status_of(client: httpx.AsyncClient, information: dict[str, Any]) -> str:
    answer = await client.get(information["transactionUrl"])
    assert answer.status_code == 200
    return str(answer.json()["paymentInformation"]["status"])


async def press(client: httpx.AsyncClient, information: dict[str, Any], action: str) -> httpx.Response:
    """As a browser does: open the page, then send its form."""
    page = await client.get(information["transactionRedirectUrl"])
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page.text)
    assert found, page.text
    form = {"form_token": found[1], "action": action}
    return await client.post(information["transactionRedirectUrl"], data=form)


def is_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["functionalCode"] == code
    fits("SystemResponse", answer.json())


def fits(name: str, document: Any) -> None:
    jsonschema_rs.validator_for(derived.schema(name), offline=True, validate_formats=True).validate(document)


# Payments


async def test_a_payment_is_initiated_paid_by_a_person_and_read(client: httpx.AsyncClient) -> None:
    information = await initiate(client)
    assert information["status"] == "INITIAL"
    back = await press(client, information, "pay")
    assert (back.status_code, back.headers["location"]) == (303, "https://witten.example/back?case=1")
    assert await status_of(client, information) == "PAYED"


@pytest.mark.parametrize(("action", "status"), [("pay", "PAYED"), ("cancel", "CANCELED"), ("fail", "FAILED")])
async def test_the_first_choice_stands(client: httpx.AsyncClient, clock: Clock, action: str, status: str) -> None:
    information = await initiate(client)
    page = await client.get(information["transactionRedirectUrl"])
    await press(client, information, action)
    before = (await client.get(information["transactionUrl"])).json()
    clock.move(minutes=5)
    form = {"form_token": re.findall(r'value="([0-9a-f]+)"', page.text)[0], "action": "fail"}
    await client.post(information["transactionRedirectUrl"], data=form)
    assert await status_of(client, information) == status
    assert (await client.get(information["transactionUrl"])).json() == before
    assert "form_token" not in (await client.get(information["transactionRedirectUrl"])).text


async def test_answers_fit_the_derived_schemas(client: httpx.AsyncClient) -> None:
    initiated = await client.post(AT, json=request())
    found = await client.get(AT, params={"requestId": "demand-1"})
    information = initiated.json()["paymentInformation"]
    await press(client, information, "pay")
    read = await client.get(information["transactionUrl"])
    for answer in (initiated, found, read):
        fits("PaymentTransaction", answer.json())
        assert answer.json()["paymentRequest"] == request()
    assert found.json() == initiated.json()
    status = await client.get("/status/witten/fees")
    assert (status.status_code, status.headers["content-type"]) == (200, "application/problem+json")
    fits("SystemResponse", status.json())


async def test_a_request_id_is_taken_once_in_an_endpoint(client: httpx.AsyncClient) -> None:
    await initiate(client)
    is_problem(await client.post(AT, json=request()), 409, "PAYMENT_EXISTS")
    other = await client.post("/paymenttransaction/siegen/fees", json=request())
    assert other.status_code == 200


async def test_concurrent_repeats_make_one_transaction(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(AT, json=request()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def test_nobody_reads_another_endpoint_s_transactions(client: httpx.AsyncClient) -> None:
    information = await initiate(client)
    for path in ("siegen/fees", "witten/other"):
        is_problem(await client.get(f"/paymenttransaction/{path}/{information['transactionId']}"), 404, "UNSPECIFIED")
        is_problem(
            await client.get(f"/paymenttransaction/{path}", params={"requestId": "demand-1"}), 404, "UNSPECIFIED"
        )


async def test_state_outlives_the_process(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "payments.sqlite3"
    with Store(path) as store:
        async with connected(store, clock) as client:
            await switch(client, mode="fail", next=2)
            information = await initiate(client)
            old = client.headers["Authorization"]
    with Store(path) as store:
        async with connected(store, clock) as client:
            client.headers["Authorization"] = old
            assert await status_of(client, information) == "FAILED"
            shown = await client.get("/switches", headers={"Authorization": "Bearer another"})
            assert (shown.json()["mode"], shown.json()["next"]) == ("fail", 1)


def test_every_commit_is_synced_to_the_disk(store: Store) -> None:
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


async def test_kill_9_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """The program itself, as the README starts it."""
    async with program(tmp_path) as client:
        await switch(client, mode="cancel", next=1)
        answered = [(await initiate(client, f"demand-{number}"))["transactionId"] for number in range(20)]
    async with program(tmp_path) as client:
        found = [await client.get(AT, params={"requestId": f"demand-{number}"}) for number in range(20)]
        information = [answer.json()["paymentInformation"] for answer in found]
        assert [one["transactionId"] for one in information] == answered
        assert [one["status"] for one in information] == ["CANCELED"] + ["INITIAL"] * 19


@asynccontextmanager
async def program(data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The provider in a process of its own, ended without a chance to tidy up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PROVIDER_CLIENT_ID": SETTINGS.client_id,
        "PROVIDER_CLIENT_SECRET": SETTINGS.client_secret,
        "PROVIDER_SWITCH_TOKEN": SETTINGS.switch_token,
        "PORT": str(port),
        "DATA_DIR": str(data_dir),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.payment_provider", cwd=ROOT, env=environment
    )
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            while not await is_ready(client):
                assert process.returncode is None
                await asyncio.sleep(0.05)
            client.headers["Authorization"] = f"Bearer {await token(client)}"
            yield client
    finally:
        process.kill()
        await process.wait()


async def is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


# What is refused


@pytest.mark.parametrize(
    "broken",
    [
        {"purpose": "x" * 28},
        {"purpose": "Hundesteuer für 2026"},
        {"requestId": "not an id"},
        {"requestId": "x" * 37},
        {"items": []},
        {"items": [{}] * 100},
        {"currency": "EURO"},
        {"grosAmount": 1_000_000},
        {"redirectUrl": ""},
        {"requestTimestamp": "yesterday"},
        {"items": "none"},
    ],
)
async def test_what_breaks_the_schema_is_refused(client: httpx.AsyncClient, broken: dict[str, Any]) -> None:
    is_problem(await client.post(AT, json=request() | broken), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"requestId": "a", "items": [{"totalNetAmount": NaN}]}',
        b'{"requestId": "a", "items": [{"totalNetAmount": 1e999999999}]}',
        b'{"requestId": "a", "items": [{"totalNetAmount": -1e999999999}]}',
        b'{"requestId": "a", "items": [{"totalNetAmount": 1' + b"0" * 5000 + b"}]}",
        b'{"requestId": "\\ud800", "items": [{"totalNetAmount": 1}]}',
        b"[" * 100_000,
    ],
)
async def test_what_is_not_a_request_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    is_problem(await client.post(AT, content=body), 400, "VALIDATION_ERROR")


async def test_a_body_has_a_largest_size(client: httpx.AsyncClient) -> None:
    is_problem(await client.post(AT, content=b" " * 300_000), 413, "VALIDATION_ERROR")


async def test_problems_do_not_quote_what_was_sent(client: httpx.AsyncClient) -> None:
    answer = await client.post(AT, json=request(purpose="Erika Mustermann" * 3))
    assert "Mustermann" not in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"grosAmount": 34.51},
        {"grosAmount": 0},
        {"grosAmount": -1},
        {"grosAmount": 34.505},
        {"items": [{"quantity": 3, "singleNetAmount": 10, "totalNetAmount": 34.50}]},
    ],
)
async def test_sums_that_differ_are_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    is_problem(await client.post(AT, json=request() | wrong), 400, "CALCULATION_ERROR")


async def test_an_identifier_has_a_form(client: httpx.AsyncClient) -> None:
    is_problem(
        await client.post("/paymenttransaction/wit.ten/fees", json=request()), 400, "NO_VALID_ORIGINATOR_OR_ENDPOINT"
    )
    is_problem(await client.get(AT, params={"requestId": "a b"}), 400, "VALIDATION_ERROR")
    is_problem(await client.get(AT), 400, "VALIDATION_ERROR")


async def test_unknown_paths_are_problems_too(client: httpx.AsyncClient) -> None:
    is_problem(await client.get("/nothing"), 404, "UNSPECIFIED")
    is_problem(await client.delete("/switches"), 405, "UNSPECIFIED")


cents = st.integers(1, 100_000)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(cents, cents), min_size=1, max_size=99))
def test_the_bill_is_the_sum_of_its_lines(lines: list[tuple[int, int]]) -> None:
    total = sum(net + tax for net, tax in lines)
    items = [{"totalNetAmount": Decimal(net) / 100, "totalTaxAmount": Decimal(tax) / 100} for net, tax in lines]
    asked = {"requestId": "a", "grosAmount": Decimal(total) / 100, "items": items}
    assert bill_of(asked).cents == total
    with pytest.raises(SumsWrong):
        bill_of(asked | {"grosAmount": Decimal(total + 1) / 100})


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        derived.faults(derived.parse(text))
    except ValueError:
        return


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(Mode), st.none() | st.integers(1, 5))
def test_a_mode_ends_after_its_transactions(mode: Mode, count: int | None) -> None:
    switches = Switches(mode, count)
    for _ in range(count or 10):
        assert switches.mode is mode
        switches = switches.used()
    assert switches.mode is (mode if count is None else Mode.NORMAL)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from([Status.PAYED, Status.FAILED, Status.CANCELED]), min_size=1))
def test_a_decided_payment_never_changes(wishes: list[Status]) -> None:
    payment = open_payment(
        Bill("a", 100, "EUR", "", None),
        address=Address("witten", "fees"),
        request="{}",
        transaction_id="t",
        switches=Switches(),
        now=START,
    )
    for after, wish in enumerate(wishes):
        payment = decide(payment, wish, START + timedelta(seconds=after))
    assert (payment.decision, payment.decided_at) == (wishes[0], START)


# Tokens


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Bearer 99999999999.0", "Basic dG93bjphLXNlY3JldA==", "Bearer ²."]
)
async def test_without_a_token_nothing_is_told(client: httpx.AsyncClient, header: str) -> None:
    headers = httpx.Headers({b"Authorization": header.encode("latin-1")})
    for answer in (
        await client.post(AT, json=request(), headers=headers),
        await client.get(AT, params={"requestId": "demand-1"}, headers=headers),
        await client.get(f"{AT}/x", headers=headers),
        await client.get("/status/witten/fees", headers=headers),
        await client.get("/switches", headers=headers),
    ):
        is_problem(answer, 401, "FORBIDDEN")


async def test_a_token_ends(client: httpx.AsyncClient, clock: Clock) -> None:
    assert (await client.get("/status/witten/fees")).status_code == 200
    clock.move(minutes=10)
    is_problem(await client.get("/status/witten/fees"), 401, "FORBIDDEN")


async def test_token_errors_have_the_shape_of_rfc_6749(client: httpx.AsyncClient) -> None:
    wrong = await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("town", "guess"))
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    kind = await client.post("/oauth/token", data={"grant_type": "password"})
    assert (kind.status_code, kind.json()) == (400, {"error": "unsupported_grant_type"})


async def test_the_client_may_name_itself_in_the_form(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    form = {"grant_type": "client_credentials", "client_id": "town", "client_secret": "a-secret"}
    assert (await client.post("/oauth/token", data=form)).status_code == 200


async def test_the_two_tokens_do_not_open_each_other_s_door(client: httpx.AsyncClient) -> None:
    is_problem(await client.get("/switches"), 401, "FORBIDDEN")
    headers = {"Authorization": "Bearer another"}
    is_problem(await client.get("/status/witten/fees", headers=headers), 401, "FORBIDDEN")


def test_it_does_not_start_without_secrets() -> None:
    with pytest.raises(SettingsMissing, match="PROVIDER_CLIENT_SECRET, PROVIDER_SWITCH_TOKEN"):
        from_environment({"PROVIDER_CLIENT_ID": "town"})


# The payment page


async def test_the_page_is_in_german_and_english_and_says_that_it_is_simulated(client: httpx.AsyncClient) -> None:
    information = await initiate(client)
    page = await client.get(information["transactionRedirectUrl"], headers={"Authorization": ""})
    assert page.status_code == 200
    assert "script" not in page.text
    for words in (
        'lang="de"',
        "Simulation",
        "34,50 EUR",
        "Bezahlen",
        "/ Pay",
        "Abbrechen",
        "/ Cancel",
        "/ Let it fail",
    ):
        assert words in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "HttpOnly" in page.headers["set-cookie"]


async def test_a_form_from_elsewhere_changes_nothing(client: httpx.AsyncClient) -> None:
    information = await initiate(client)
    page = information["transactionRedirectUrl"]
    assert (await client.post(page, data={"action": "pay"})).status_code == 403
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', (await client.get(page)).text)
    assert found
    client.cookies.clear()
    assert (await client.post(page, data={"action": "pay", "form_token": found[1]})).status_code == 403
    assert (await press(client, information, "steal")).status_code == 403
    assert await status_of(client, information) == "INITIAL"


async def test_an_unknown_payment_has_a_page_too(client: httpx.AsyncClient) -> None:
    page = await client.get("/pay/unknown")
    assert page.status_code == 404
    assert "Unbekannte Zahlung" in page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://a", "x" * 2082])
async def test_people_are_sent_back_to_web_addresses_only(client: httpx.AsyncClient, url: str) -> None:
    information = await initiate(client, redirectUrl=url)
    answer = await press(client, information, "pay")
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert url not in answer.text
    assert "Bezahlt" in answer.text


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_a_redirect_is_http_or_nothing(text: str) -> None:
    for url in (text, f"http{text}", f"https://{text}"):
        assert safe_redirect(url) is None or re.match(r"https?://[^\s\\]+$", url)


# The switches


@pytest.mark.parametrize(("mode", "status"), [("fail", "FAILED"), ("cancel", "CANCELED")])
async def test_a_transaction_ends_badly_by_itself(client: httpx.AsyncClient, mode: str, status: str) -> None:
    await switch(client, mode=mode)
    first = await initiate(client, "demand-1")
    second = await initiate(client, "demand-2")
    assert await status_of(client, first) == status
    assert await status_of(client, second) == "INITIAL"
    assert "Bezahlen <span" not in (await client.get(first["transactionRedirectUrl"])).text


async def test_payments_are_paid_by_themselves(client: httpx.AsyncClient, clock: Clock) -> None:
    await switch(client, auto_pay_after_seconds=3)
    information = await initiate(client)
    clock.move(seconds=2)
    assert await status_of(client, information) == "INITIAL"
    clock.move(seconds=1)
    assert await status_of(client, information) == "PAYED"


async def test_a_delayed_answer_comes_after_the_transaction_is_stored(client: httpx.AsyncClient, clock: Clock) -> None:
    await switch(client, mode="delay", delay_seconds=30)
    await initiate(client)
    await initiate(client, "demand-2")
    assert clock.slept == [30]


async def test_down_stores_nothing_and_counts_attempts(client: httpx.AsyncClient) -> None:
    before = await initiate(client)
    await switch(client, mode="down", next=2)
    is_problem(await client.get(before["transactionUrl"]), 503, "UNSPECIFIED")
    is_problem(await client.get("/status/witten/fees"), 503, "UNSPECIFIED")
    for _ in range(2):
        is_problem(await client.post(AT, json=request("demand-2")), 503, "UNSPECIFIED")
    await initiate(client, "demand-2")
    assert (await client.get(before["transactionUrl"])).status_code == 200


async def test_a_repeated_request_is_answered_twice(client: httpx.AsyncClient) -> None:
    await switch(client, mode="answer_twice")
    assert await initiate(client) == await initiate(client)
    await initiate(client, "demand-2")
    is_problem(await client.post(AT, json=request("demand-2")), 409, "PAYMENT_EXISTS")


async def test_switches_are_shown_and_checked(client: httpx.AsyncClient) -> None:
    await switch(client, mode="lost_answer", next=None, auto_pay_after_seconds=1)
    shown = await client.get("/switches", headers={"Authorization": "Bearer another"})
    assert shown.json() == {"mode": "lost_answer", "next": None, "delay_seconds": 0, "auto_pay_after_seconds": 1}
    for wrong in ({"mode": "explode"}, {"mode": "delay"}, {"next": 0}, {"speed": 1}):
        is_problem(await switch(client, **wrong), 400, "VALIDATION_ERROR")


async def test_after_a_lost_answer_the_transaction_is_found_by_its_request(client: httpx.AsyncClient) -> None:
    await switch(client, mode="lost_answer")
    with pytest.raises(ConnectionCut):
        await client.post(AT, json=request())
    is_problem(await client.post(AT, json=request()), 409, "PAYMENT_EXISTS")
    found = await client.get(AT, params={"requestId": "demand-1"})
    assert found.json()["paymentInformation"]["status"] == "INITIAL"


async def test_a_lost_answer_cuts_the_real_connection(store: Store, clock: Clock) -> None:
    app = create_app(Provider(SETTINGS, store, now=clock.now))
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        client.headers["Authorization"] = f"Bearer {await token(client)}"
        await switch(client, mode="lost_answer")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.post(AT, json=request())
        found = await client.get(AT, params={"requestId": "demand-1"})
        assert found.status_code == 200


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=CuttableProtocol, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve([listener]))
        while not server.started:
            assert not running.done()
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


# The papers beside it


async def test_the_extension_is_marked_and_no_part_of_the_derived_description(client: httpx.AsyncClient) -> None:
    own = (await client.get("/openapi.json")).json()["paths"]["/paymenttransaction/{originatorId}/{endPointId}"]
    assert "x-extension" in own["get"]
    assert "x-extension" not in own["post"]
    assert "get" not in derived.DOCUMENT["paths"]["/paymenttransaction/{originatorId}/{endPointId}"]
    assert "x-extension" not in json.dumps(derived.DOCUMENT)


async def test_it_says_that_it_lives_and_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
