"""What we send a provider is exact; what it sends is read with suspicion."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.values import Money
from examples.payment_provider import derived
from kernel.ids import id_of
from services.payments.adapters.base import Bill, BillLine, ProviderAway, ProviderRefused, TransactionUnknown
from services.payments.adapters.xbezahldienste import XBezahldienste
from services.payments.adapters.xbezahldienste.messages import MAX_CENTS, MAX_LINES, body_of
from services.payments.bills import bill_of
from services.payments.domain import demands
from services.payments.domain.provider_status import TransactionState
from services.payments.domain.state import Item
from services.payments.settings import Settings
from tests.unit.payments.demand_samples import attempt_of, new_demand, started

RETURN_URL = "https://rathaus.example/payments/v1/witten/demands/1/returned"
BILL = Bill(
    request_id=id_of("attempt"),
    at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    cents=1250,
    currency="EUR",
    purpose="RF18000000000539007547034",
    return_url=RETURN_URL,
    lines=(BillLine("issue", 1200, {"object": "1234"}), BillLine("copy", 50, {})),
)
TRANSACTION = {
    "paymentInformation": {
        "transactionId": "t-1",
        "transactionRedirectUrl": "https://provider.example/pay/t-1",
        "status": "INITIAL",
    },
    "paymentRequest": json.loads(body_of(BILL)),
}

cents = st.integers(1, MAX_CENTS)


# What we ask


@given(st.lists(cents, min_size=1, max_size=99).filter(lambda amounts: sum(amounts) <= MAX_CENTS))
def test_amounts_are_exact_and_the_request_fits_the_derived_schema(amounts: list[int]) -> None:
    demand = new_demand(sum(amounts), items=tuple(Item("a_fee", Money(cents=each)) for each in amounts))
    demand = started(demands.request_payment(demand)[0])
    text = body_of(bill_of(demand, attempt_of(demand), RETURN_URL, MAX_LINES)).decode()
    read = derived.parse(text)
    assert derived.faults(read) == []
    assert read["grosAmount"] == Decimal(sum(amounts)) / 100
    assert [item["totalNetAmount"] for item in read["items"]] == [Decimal(each) / 100 for each in amounts]
    assert read["requestId"] == attempt_of(demand).attempt_id
    assert read["purpose"] == demand.payment_reference


@given(cents)
def test_an_amount_is_written_with_two_places(amount: int) -> None:
    text = body_of(Bill("id", BILL.at, amount, "EUR", "RF", RETURN_URL, (BillLine("fee", amount, {}),))).decode()
    assert f'"grosAmount":{amount // 100}.{amount % 100:02d},' in text


def test_more_lines_than_the_provider_takes_become_one() -> None:
    demand = started(
        demands.request_payment(new_demand(100, items=tuple(Item("fee", Money(cents=1)) for _ in range(100))))[0]
    )
    (line,) = bill_of(demand, attempt_of(demand), RETURN_URL, MAX_LINES).lines
    assert line.cents == 100


# What we hear


class Answers:
    """A provider as its answers, in order; tokens are always given, numbered."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"token-{self.tokens}", "expires_in": 600})
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def asking(provider: Callable[[httpx.Request], httpx.Response], **more: Any) -> AsyncIterator[XBezahldienste]:
    settings = Settings(
        provider_url="http://provider/", provider_client_id="a:b", provider_client_secret="c d%", **more
    )
    adapter = XBezahldienste(settings, httpx.MockTransport(provider))
    try:
        yield adapter
    finally:
        await adapter.close()


def said(information: dict[str, Any] | None = None, request: dict[str, Any] | None = None) -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "paymentInformation": TRANSACTION["paymentInformation"] | (information or {}),
            "paymentRequest": TRANSACTION["paymentRequest"] | (request or {}),
        },
    )


def problem(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"functionalCode": code, "status": status})


async def test_a_transaction_is_opened_with_a_token_that_is_kept() -> None:
    answers = Answers(said(), said({"status": "PAYED", "paymentMethod": "PAYPAL"}))
    async with asking(answers) as provider:
        reported = await provider.open("witten", BILL)
        paid = await provider.look("witten", "t/1")
    assert (reported.state, reported.cents, reported.request_id) == (TransactionState.OPEN, 1250, BILL.request_id)
    assert reported.redirect_url == "https://provider.example/pay/t-1"
    assert (paid.state, paid.method) == (TransactionState.PAID, "paypal")
    assert [request.url.raw_path for request in answers.asked] == [
        b"/paymenttransaction/witten/fees",
        b"/paymenttransaction/witten/fees/t%2F1",
    ]
    assert answers.tokens == 1
    assert {request.headers["authorization"] for request in answers.asked} == {"Bearer token-1"}


async def test_originator_and_endpoint_may_be_fixed() -> None:
    answers = Answers(said())
    async with asking(answers, provider_originator_id="nrw", provider_endpoint_id="{tenant}-x") as provider:
        await provider.open("witten", BILL)
    assert answers.asked[0].url.path == "/paymenttransaction/nrw/witten-x"


async def test_a_token_that_ended_early_is_renewed_once() -> None:
    async with asking(Answers(httpx.Response(401), said())) as provider:
        assert (await provider.open("witten", BILL)).state is TransactionState.OPEN
    async with asking(Answers(problem(401, "FORBIDDEN"), problem(401, "FORBIDDEN"))) as provider:
        with pytest.raises(ProviderRefused) as refused:
            await provider.open("witten", BILL)
    assert refused.value.reason == "FORBIDDEN"


async def test_an_existing_payment_is_looked_up() -> None:
    answers = Answers(problem(409, "PAYMENT_EXISTS"), said())
    async with asking(answers) as provider:
        assert (await provider.open("witten", BILL)).transaction_id == "t-1"
    assert answers.asked[1].url.params["requestId"] == BILL.request_id


async def test_a_provider_without_the_lookup_is_reported() -> None:
    async with asking(Answers(problem(409, "PAYMENT_EXISTS"), httpx.Response(404))) as provider:
        with pytest.raises(ProviderRefused) as refused:
            await provider.open("witten", BILL)
    assert refused.value.reason == "PAYMENT_EXISTS"


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("down"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(500),
        problem(503, "UNSPECIFIED"),
        httpx.Response(429),
    ],
)
async def test_trouble_that_passes(trouble: httpx.Response | Exception) -> None:
    async with asking(Answers(trouble, trouble)) as provider:
        for call in (provider.open("witten", BILL), provider.look("witten", "t-1")):
            with pytest.raises(ProviderAway) as away:
                await call
            assert not isinstance(away.value, ProviderRefused)
            assert away.value.status == 503


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (problem(400, "VALIDATION_ERROR"), "VALIDATION_ERROR"),
        (problem(400, "BOOKING_DATA_MISSING"), "BOOKING_DATA_MISSING"),
        (problem(403, "a code\nwith a line"), "403"),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), "302"),
        (httpx.Response(400, text="<html>"), "400"),
        (httpx.Response(200, text="<html>"), "UNREADABLE"),
        (httpx.Response(200, text="[" * 100_000), "UNREADABLE"),
        (httpx.Response(200, json=[]), "UNREADABLE"),
        (httpx.Response(200, json={"paymentInformation": {"status": ["PAYED"], "transactionId": "1"}}), "UNREADABLE"),
        (said({"status": "DONE"}), "UNREADABLE"),
        (said({"transactionId": ""}), "UNREADABLE"),
        (said({"transactionRedirectUrl": None}), "NO_REDIRECT"),
        (said({"transactionRedirectUrl": "javascript:alert(1)"}), "NO_REDIRECT"),
        (said({"transactionRedirectUrl": "https://"}), "NO_REDIRECT"),
        (said({"transactionRedirectUrl": "https://a/" + "x" * 2082}), "NO_REDIRECT"),
    ],
)
async def test_what_a_person_has_to_look_at(answer: httpx.Response, reason: str) -> None:
    async with asking(Answers(answer)) as provider:
        with pytest.raises(ProviderRefused) as refused:
            await provider.open("witten", BILL)
    assert refused.value.reason == reason


async def test_wrong_credentials() -> None:
    async with asking(lambda _: httpx.Response(401, json={"error": "invalid_client"})) as provider:
        with pytest.raises(ProviderRefused):
            await provider.look("witten", "t-1")


async def test_an_unknown_transaction() -> None:
    async with asking(Answers(problem(404, "UNSPECIFIED"))) as provider:
        with pytest.raises(TransactionUnknown):
            await provider.look("witten", "t-1")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("12.5", 1250),
        ("12.50", 1250),
        ("1250e-2", 1250),
        ("12", 1200),
        ("0.29", 29),
        ("999999.00", 99_999_900),
        ("12.501", None),
        ("-12.50", None),
        ("1e999", None),
        ("1e-999", None),
        ("NaN", None),
        ("Infinity", None),
        ("true", None),
        ('"12.50"', None),
        ("null", None),
    ],
)
async def test_amounts_are_read_exactly_or_not_at_all(amount: str, expected: int | None) -> None:
    text = json.dumps(TRANSACTION).replace('"grosAmount": 12.5', f'"grosAmount": {amount}')
    assert amount in text
    async with asking(Answers(httpx.Response(200, text=text))) as provider:
        assert (await provider.look("witten", "t-1")).cents == expected
