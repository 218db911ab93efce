"""Payments over HTTP and events, on the real engines, with the example's provider."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from examples.payment_provider.rules import Mode, Status
from kernel.ids import id_of
from services.payments import metrics
from services.payments.domain.provider_status import TransactionState
from services.payments.domain.references import is_creditor_reference
from services.payments.domain.state import Demand
from services.payments.store import Ledger
from services.payments.workers import DemandWork
from tests.component.payments.conftest import NOW, Bank, Town, paying
from tests.component.payments.fake_provider import FakeProvider
from tests.support.towns import a_tenant
from tests.support.waiting import wait_until

pytestmark = pytest.mark.engines


def key() -> str:
    return str(uuid4())


# The journey


async def test_from_the_fee_to_the_ledger(town: Town, bank: Bank) -> None:
    demand = await town.owing()
    assert demand["status"] == "open"
    assert demand["payable_online"]
    assert demand["message"]["de"] == "Bitte zahlen Sie bis zum 16. März 2026."
    assert is_creditor_reference(demand["payment_reference"])
    url = await town.redirected()
    bank.press(url, Status.PAYED)
    settled = await town.reaches("settled")
    assert settled["outstanding"] == {"cents": 0, "currency": "EUR"}
    (_, requested), (_, received) = await town.said()
    assert await town.names() == ["payment_requested", "payment_received"]
    assert requested["dataref"].endswith("/request")
    assert (received["amount"]["cents"], received["outstanding"]["cents"]) == (1250, 0)
    ledger = await town.ledger(2)
    assert [row["occasion"] for row in ledger["items"]] == ["demand", "receipt"]
    assert ledger["items"][1]["booking_id"] == received["booking_id"]
    assert all(row["booking_data"] == {"object": "1234"} for row in ledger["items"])
    assert await town.balances(2) == {"receivable": 0, "revenue": -1250, "provider_clearing": 1250}


async def test_the_request_of_a_demand_never_changes(town: Town, bank: Bank) -> None:
    await town.owing()
    path = (await town.said())[0][1]["dataref"]
    before = await town.http.get(path, headers=town.machine("cases:read"))
    bank.press(await town.redirected(), Status.PAYED)
    await town.reaches("settled")
    after = await town.http.get(path, headers=town.machine("internal"))
    assert (before.status_code, before.json()) == (200, after.json())
    assert [item["fee"] for item in before.json()["items"]] == ["issue", "copy"]


async def test_coming_back_proves_nothing_but_hurries(town: Town, bank: Bank) -> None:
    await town.owing()
    url = await town.redirected()
    path = town.url(f"/demands/{town.demand_id()}")
    page = await town.http.get(f"{path}/returned")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Ihre Zahlung wird geprüft" in page.text
    answer = await town.http.post(f"{path}/check", headers={**town.payer(), "Idempotency-Key": key()})
    assert (answer.status_code, answer.json()["status"]) == (202, "open")
    bank.press(url, Status.PAYED)
    town.clock.advance(timedelta(minutes=20))
    await town.http.post(f"{path}/check", headers={**town.payer(), "Idempotency-Key": key()})
    await town.reaches("settled")


# Events


async def test_a_repeated_fee_is_one_demand(town: Town) -> None:
    await town.assessed(town.fee(), repeat=3)
    await town.reaches("open")
    await town.owing("other", case="other")
    assert await town.names() == ["payment_requested"]
    listed = await town.http.get(town.url("/demands"), headers=town.staff("clerk"))
    assert len(listed.json()["items"]) == 2


async def test_a_replacing_fee_cancels_the_earlier_one(town: Town) -> None:
    await town.assessed(town.fee(), repeat=2)
    await town.assessed(town.fee("new", 900, replaces=id_of(town.tenant, "fee")), repeat=2)
    assert (await town.reaches("open", "new"))["amount"]["cents"] == 900
    assert (await town.reaches("cancelled"))["outstanding"]["cents"] == 0
    assert await town.names() == ["payment_requested", "payment_cancelled"]
    assert (await town.said())[1][1]["reason"] == "replaced"
    assert await town.balances(3) == {"receivable": 900, "revenue": -900}


async def test_withdrawal_cancels_every_open_demand_of_the_case(town: Town, bank: Bank) -> None:
    for name in ("paid", "open", "also open"):
        await town.owing(name)
    bank.press(await town.redirected("paid"), Status.PAYED)
    await town.reaches("settled", "paid")
    await town.assessed(town.withdrawal(), repeat=2)
    for name in ("open", "also open"):
        await town.reaches("cancelled", name)
        assert (await town.said(name))[-1][1]["reason"] == "withdrawn"
    await town.owing("after")
    assert (await town.demand("paid"))["status"] == "settled"
    assert (await town.demand("after"))["status"] == "open"


async def test_a_waived_fee_needs_no_payment(town: Town) -> None:
    assert (await town.owing(cents=0))["status"] == "settled"
    assert (await town.check_out()).status_code == 409


async def test_overdue_from_the_next_day_on(town: Town) -> None:
    await town.owing()
    town.clock.advance(datetime(2026, 3, 16, 22, 0, tzinfo=UTC) - town.clock.now())
    await town.owing("other", case="other")
    assert (await town.demand())["status"] == "open", "still the due day in Berlin"
    town.clock.advance(timedelta(hours=1))
    overdue = await town.reaches("overdue")
    assert overdue["message"]["de"].startswith("Die Zahlung war bis zum 16. März 2026 fällig")
    assert await town.names() == ["payment_requested", "payment_overdue"]
    assert overdue["payable_online"]


# Checking out


async def test_one_charge_for_one_demand(town: Town, bank: Bank) -> None:
    await town.owing()
    answers = await asyncio.gather(*(town.check_out() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["redirect_url"] for answer in answers}) == 1
    assert bank.transactions() == 1


@pytest.mark.parametrize(("status", "reason"), [(Status.FAILED, "declined"), (Status.CANCELED, "cancelled_by_payer")])
async def test_again_after_the_provider_ended_it(town: Town, bank: Bank, status: Status, reason: str) -> None:
    await town.owing()
    first = key()
    url = await town.redirected(key=first)
    bank.press(url, status)
    await town.attempt_reaches(status.value.lower())
    assert (await town.said())[-1] == (
        "payment_failed",
        {
            "demand_id": town.demand_id(),
            "case_id": id_of(town.tenant, "case"),
            "attempt_id": (await town.demand())["attempts"][0]["attempt_id"],
            "reason": reason,
        },
    )
    assert await town.redirected(key=first) == url, "the same key, the same answer"
    again = await town.redirected()
    assert again != url
    bank.press(again, Status.PAYED)
    await town.reaches("settled")
    assert (await town.balances(2))["provider_clearing"] == 1250


@pytest.mark.parametrize("mode", [Mode.FAIL, Mode.CANCEL])
async def test_a_transaction_that_ends_by_itself(town: Town, bank: Bank, mode: Mode) -> None:
    await town.owing()
    bank.switch(mode)
    await town.check_out()
    await town.attempt_reaches("failed" if mode is Mode.FAIL else "canceled")
    bank.press(await town.redirected(), Status.PAYED)
    await town.reaches("settled")


async def test_a_lost_answer_is_found_again_by_the_same_key(town: Town, bank: Bank) -> None:
    await town.owing()
    bank.switch(Mode.LOST_ANSWER)
    same = key()
    lost = await town.check_out(key=same)
    assert (lost.status_code, lost.headers["retry-after"]) == (503, "2")
    assert lost.json()["type"].endswith("/provider_away")
    url = await town.redirected(key=same)
    assert bank.transactions() == 1
    bank.press(url, Status.PAYED)
    await town.reaches("settled")


async def test_a_lost_answer_is_found_again_without_anybody_asking(town: Town, bank: Bank) -> None:
    await town.owing()
    bank.switch(Mode.LOST_ANSWER)
    same = key()
    assert (await town.check_out(key=same)).status_code == 503
    await town.attempt_reaches("initial")
    assert bank.transactions() == 1
    bank.switch(Mode.DOWN, None)
    assert (await town.check_out(key=same)).status_code == 200, "nobody outside is needed for that"


async def test_a_late_answer(town: Town, bank: Bank) -> None:
    await town.owing()
    bank.switch(Mode.DELAY)
    same = key()
    assert (await town.check_out(key=same)).status_code == 503
    assert await town.redirected(key=same)
    bank.held.set()
    assert bank.transactions() == 1


async def test_a_provider_that_is_down_and_comes_back(town: Town, bank: Bank) -> None:
    await town.owing()
    bank.switch(Mode.DOWN, None)
    same = key()
    for _ in range(2):
        assert (await town.check_out(key=same)).status_code == 503
    assert bank.transactions() == 0
    bank.switch(Mode.NORMAL)
    await town.attempt_reaches("initial")
    bank.press(await town.redirected(key=same), Status.PAYED)
    await town.reaches("settled")
    assert bank.transactions() == 1


def _outcomes(operation: str, outcome: str) -> float:
    for metric in metrics.PROVIDER_SECONDS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_count") and sample.labels == {"operation": operation, "outcome": outcome}:
                return sample.value
    return 0


async def test_money_is_found_after_an_outage(town: Town, bank: Bank) -> None:
    await town.owing()
    bank.press(await town.redirected(), Status.PAYED)
    bank.switch(Mode.DOWN, None)
    before = _outcomes("look", "away")

    async def _in_vain() -> dict[str, Any]:
        return {"seen": True} if _outcomes("look", "away") >= before + 2 else {}

    await town.until(_in_vain, "two looks in vain")
    assert (await town.demand())["status"] == "open"
    bank.switch(Mode.NORMAL)
    await town.reaches("settled")


async def test_a_provider_that_answers_twice(town: Town, bank: Bank) -> None:
    await town.owing()
    bank.switch(Mode.ANSWER_TWICE)
    bank.press(await town.redirected(), Status.PAYED)
    await town.reaches("settled")
    assert (bank.transactions(), (await town.names()).count("payment_received")) == (1, 1)


async def test_late_money_for_a_cancelled_demand_is_booked(town: Town, bank: Bank) -> None:
    await town.owing()
    url = await town.redirected()
    await town.assessed(town.withdrawal())
    await town.reaches("cancelled")
    assert (await town.check_out()).status_code == 409
    bank.press(url, Status.PAYED)
    await town.attempt_reaches("paid")
    assert await town.names() == ["payment_requested", "payment_cancelled", "payment_received"]
    assert await town.balances(3) == {
        "receivable": 0,
        "revenue": 0,
        "provider_clearing": 1250,
        "unallocated": -1250,
    }


# A provider that lies


async def test_money_that_is_not_proven_is_held_and_alerts(
    town_with_fake: Town, fake: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    town = town_with_fake
    await town.owing()
    await town.redirected()
    before = metrics.PAYMENTS_HELD._value.get()
    fake.lies = {"cents": 1249}
    fake.end(TransactionState.PAID)
    await town.attempt_reaches("held")
    await wait_until(lambda: metrics.PAYMENTS_HELD._value.get() == before + 1)  # counted after the write
    assert (await town.names(), (await town.demand())["status"]) == (["payment_requested"], "open")
    assert (await town.demand())["message"]["de"].startswith("Eine Zahlung wird geklärt")
    refused = await town.check_out()
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "not_payable")
    assert await town.balances(1) == {"receivable": 1250, "revenue": -1250}
    fake.lies = {}
    town.clock.advance(timedelta(hours=1))
    await town.reaches("settled")


async def test_a_transaction_for_another_amount_is_never_shown_to_the_payer(
    town_with_fake: Town, fake: FakeProvider
) -> None:
    await town_with_fake.owing()
    fake.lies = {"cents": 125_000}
    assert (await town_with_fake.check_out()).status_code == 409
    assert (await town_with_fake.demand())["attempts"][0]["phase"] == "held"


async def test_what_the_provider_is_told_holds_no_personal_data(town_with_fake: Town, fake: FakeProvider) -> None:
    await town_with_fake.owing()
    await town_with_fake.redirected()
    (bill,) = fake.bills
    assert bill.purpose == (await town_with_fake.demand())["payment_reference"]
    assert sum(line.cents for line in bill.lines) == bill.cents == 1250
    assert id_of(town_with_fake.tenant, "Erika") not in repr(bill)


async def test_two_towns_use_different_providers(settings: dict[str, Any]) -> None:
    first, second = FakeProvider(), FakeProvider()
    async with paying(settings, "http://nowhere", first, second) as town:
        neighbour = replace(town, tenant=a_tenant())
        for each in (town, neighbour):
            await each.owing()
            await each.redirected()
        assert [bill.purpose for bill in first.bills] == [(await town.demand())["payment_reference"]]
        assert [bill.purpose for bill in second.bills] == [(await neighbour.demand())["payment_reference"]]
        second.end(TransactionState.PAID)
        await neighbour.reaches("settled")
        assert (await town.demand())["status"] == "open"


# The ledger


async def test_a_booking_is_written_once_however_often(town: Town) -> None:
    await town.owing()
    await town.ledger(1)
    (found,) = await town.service.stores[0].find(town.tenant, {})
    demand = found.state
    assert isinstance(demand, Demand)
    (duty,) = (each for each in town.service._duties if each.name == "book")
    work = duty.worker.__self__  # type: ignore[attr-defined]
    assert isinstance(work, DemandWork)
    ledger = work._ledger
    assert isinstance(ledger, Ledger)
    for _ in range(3):
        await ledger.add(demand, demand.bookings)
    assert len((await town.ledger())["items"]) == 1


async def test_the_ledger_comes_in_pages_and_periods(town: Town) -> None:
    for number in range(5):
        await town.owing(f"fee {number}", case=f"case {number}", cents=100 + number)
    await town.ledger(5)
    seen: list[str] = []
    page = await town.ledger(limit="2")
    while True:
        seen += [row["booking_id"] for row in page["items"]]
        assert page["proof"] == [{"currency": "EUR", "debit": 510, "credit": 510, "difference": 0}]
        if page["next"] is None:
            break
        page = await town.ledger(limit="2", cursor=page["next"])
    assert len(seen) == len(set(seen)) == 5
    day = NOW.date().isoformat()
    assert len((await town.ledger(**{"from": day, "to": day}))["items"]) == 5
    assert (await town.ledger(**{"from": "2026-03-03", "to": "2026-03-31"}))["items"] == []
    for wrong in ({"from": "2026-03-03", "to": "2026-03-02"}, {"from": "2024-01-01", "to": "2026-03-02"}):
        answer = await town.http.get(town.url("/ledger"), headers=town.staff("cashier"), params=wrong)
        assert answer.status_code == 400


# Who may


async def test_others_find_nothing(town: Town) -> None:
    await town.owing()
    path = town.url(f"/demands/{town.demand_id()}")
    stranger = {**town.payer("Max"), "Idempotency-Key": key()}
    elsewhere = {**town.payer(tenant="siegen"), "Idempotency-Key": key()}
    for headers in (stranger, elsewhere):
        for answer in (
            await town.http.get(path, headers=headers),
            await town.http.get(f"{path}/request", headers=headers),
            await town.http.post(f"{path}/checkout", headers=headers),
            await town.http.post(f"{path}/check", headers=headers),
        ):
            assert answer.status_code == 404, answer.text
    assert (await town.http.get(town.url("/demands"), headers=stranger)).json()["items"] == []
    other_town = path.replace(town.tenant, "siegen")
    assert (await town.http.get(other_town, headers=town.staff("clerk", tenant="siegen"))).status_code == 404
    assert (await town.http.get(other_town, headers=town.machine("internal"))).status_code == 404
    assert (await town.demand())["attempts"] == []


async def test_roles_and_scopes(town: Town) -> None:
    await town.owing()
    path = town.url(f"/demands/{town.demand_id()}")
    for role in ("clerk", "cashier", "admin"):
        assert (await town.http.get(path, headers=town.staff(role))).status_code == 200
    for scope in ("internal", "cases:read"):
        assert (await town.http.get(path, headers=town.machine(scope))).status_code == 200
    assert (await town.http.get(path, headers=town.payer())).status_code == 200
    assert (await town.http.get(path)).status_code == 401
    assert (await town.http.get(path, headers=town.staff("editor"))).status_code == 403
    assert (await town.http.get(path, headers=town.machine("cases:decide"))).status_code == 403
    assert (await town.check_out(who=town.staff("cashier"))).status_code == 403
    ledger = town.url("/ledger")
    for headers in (town.staff("clerk"), town.payer(), town.machine("internal")):
        assert (await town.http.get(ledger, headers=headers)).status_code == 403
    assert (await town.http.get(ledger, headers=town.staff("admin"))).status_code == 200


async def test_a_payer_sees_their_own_by_pages(town: Town) -> None:
    for number in range(3):
        await town.owing(f"fee {number}", case=f"case {number % 2}")
    first = (await town.http.get(town.url("/demands"), headers=town.payer(), params={"limit": 2})).json()
    rest = (
        await town.http.get(town.url("/demands"), headers=town.payer(), params={"limit": 2, "cursor": first["next"]})
    ).json()
    ids = [row["demand_id"] for row in (*first["items"], *rest["items"])]
    assert ids == [town.demand_id(f"fee {number}") for number in (2, 1, 0)]
    assert rest["next"] is None
    case = {"case_id": id_of(town.tenant, "case 1")}
    only = await town.http.get(town.url("/demands"), headers=town.payer(), params=case)
    assert [row["demand_id"] for row in only.json()["items"]] == [town.demand_id("fee 1")]


async def test_the_interface_describes_itself(town: Town) -> None:
    document = (await town.http.get("/openapi.json")).json()
    paths = {path.removeprefix("/payments/v1/{tenant}") for path in document["paths"]}
    assert paths >= {"/demands", "/demands/{demand_id}", "/demands/{demand_id}/checkout", "/ledger"}
    checkout = document["paths"]["/payments/v1/{tenant}/demands/{demand_id}/checkout"]["post"]
    assert "503" in checkout["responses"]
