"""From the draft to the closed case, over HTTP and the real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from contracts.envelope import Event
from contracts.payments import PaymentReceived, PaymentRequested
from contracts.values import Money
from kernel.canonical_json import content_hash
from kernel.ids import id_of
from services.applications.domain.state import Case
from tests.component.applications.conftest import BIN, PAPER, Town
from tests.support.cases import NOW, changed, told_of
from tests.support.service_data import BIN_CHANGE, CERTIFICATE
from tests.support.waiting import wait_until

DEMAND = id_of("test", "demand")


async def _told(town: Town, case_id: str, names: Sequence[str], repeat: int = 1) -> None:
    snapshot = await town.service.stores[0].require(town.tenant, case_id)
    case: Case = snapshot.state
    told: dict[str, Any] = told_of(case)
    for name in names:
        await town.tell(told[name], told[name].notice_id, case_id, repeat)


def _payments(case: dict[str, Any], outstanding: int = 0) -> list[Event]:
    fee = {"demand_id": DEMAND, "case_id": case["case_id"], "assessment_id": case["fees"][0]["assessment_id"]}
    eleven = Money(cents=1100)
    asked = PaymentRequested(
        **fee,
        payer_id=id_of("payer"),
        amount=eleven,
        payment_reference="KZ-1",
        due_on=date(2026, 3, 16),
        dataref=f"/payments/v1/x/demands/{DEMAND}",
    )
    got = PaymentReceived(
        **fee,
        booking_id=id_of("booking"),
        amount=eleven,
        outstanding=Money(cents=outstanding),
        received_at=NOW,
        method="card",
    )
    return [asked, got]


async def test_decided_by_rule_in_the_same_write_and_closed_when_announced(bins: Town) -> None:
    data = {"bin_size": "120", "name": "Erika Beispiel", "from": "2026-04-01"}
    case_id = await bins.draft(BIN, data, bins.person(acr="basic"))
    answer = await bins.submit(case_id, bins.person(acr="basic"))
    receipt = answer.json()
    assert receipt["status"] == "decided"
    said = await bins.events(case_id)
    assert [name for name, _ in said] == ["application_submitted", "application_complete", "decision_made"]
    assert all(data["case_id"] == case_id for _, data in said)

    made = said[2][1]
    for who in (bins.person(), bins.clerk(), bins.client("cases:read"), bins.client("internal", "*")):
        content = (await bins.http.get(made["dataref"], headers=who)).json()
        assert content_hash(content) == made["content_hash"]
    assert content["paragraphs"]["en"][0].startswith("Erika Beispiel, from 1 April 2026 your bin has 120 litres.")
    assert content["decided_by_rule"] is True

    await _told(bins, case_id, ("issued", "provided", "retrieved"), repeat=2)
    await wait_until(lambda: _last_notice(bins, case_id, "retrieved"))
    bins.clock.advance(timedelta(days=1))
    await _told(bins, case_id, ("announced",), repeat=3)
    case = await bins.until(case_id, "closed")
    assert (case["closed_on"], case["closed_reason"]) == ("2026-03-03", "decided")
    assert [name for name, _ in await bins.events(case_id)][3:] == ["case_closed"]
    timeline = (await bins.get(f"/applications/{case_id}/timeline", bins.person())).json()
    assert [each["code"] for each in timeline["items"]] == [
        "draft_created",
        "application_received",
        "application_complete",
        "decided_granted",
        "notice_issued",
        "notice_provided",
        "notice_retrieved",
        "notice_announced",
        "closed",
    ]
    assert timeline["items"][1]["text"] == "Ihr Antrag ist am 2. März 2026 bei uns eingegangen."
    english = (await bins.get(f"/applications/{case_id}/timeline", bins.clerk(), lang="en")).json()
    assert english["items"][-1]["text"] == "The case is closed."


async def _last_notice(town: Town, case_id: str, status: str) -> bool:
    notices = (await town.case(case_id))["notices"]
    return bool(notices) and notices[-1]["status"] == status


async def test_fee_first_then_a_clerk_system_decides(papers: Town) -> None:
    case_id = await papers.submitted(PAPER, {"purpose": "Bank"})
    case = await papers.case(case_id)
    assert case["status"] == "awaiting_payment"
    decision = {"outcome": "granted", "result": {"registered_since": "1. März 2019"}}
    register = papers.client("cases:read cases:decide")
    early = await papers.post(f"/cases/{case_id}/decisions", register, decision)
    assert early.status_code == 409

    for event in _payments(case):
        await papers.tell(event, DEMAND, case_id, repeat=2)
    case = await papers.until(case_id, "in_processing")
    assert case["fees"][0]["settled"]
    assert case["fees"][0]["demand"] == f"/payments/v1/x/demands/{DEMAND}"

    submission = await papers.http.get(case["submission"], headers=register)
    assert submission.json()["content"]["data"] == {"purpose": "Bank"}
    key = uuid4().hex
    first = await papers.post(f"/cases/{case_id}/decisions", register, decision, key)
    again = await papers.post(f"/cases/{case_id}/decisions", register, decision, key)
    assert (first.status_code, first.json()) == (201, again.json())
    another = await papers.post(f"/cases/{case_id}/decisions", register, decision)
    assert (another.status_code, another.json()["decision_id"]) == (409, first.json()["decision_id"])
    said = await papers.events(case_id)
    assert [name for name, _ in said] == [
        "application_submitted",
        "fee_assessed",
        "application_complete",
        "decision_made",
    ]
    assert (said[3][1]["origin"], said[3][1]["decided_by"]) == ("clerk_system", "register")
    assert said[3][1]["document_kind"] == "certificate"
    await wait_until(lambda: _published(papers, case_id, 4), what="everything published")


async def _published(town: Town, case_id: str, number: int) -> bool:
    found = await town.service.stores[0].collection.find_one({"_id": case_id}, {"published": 1})
    return found is not None and found["published"] == number


async def test_a_clerk_refuses_with_grounds_then_corrects_it(town: Town) -> None:
    await town.publish(changed(CERTIFICATE, fees=[]))
    case_id = await town.submitted(PAPER, {"purpose": "Bank"})
    path = f"/cases/{case_id}/decisions"
    without = await town.post(path, town.clerk(), {"outcome": "refused"})
    assert without.status_code == 422
    assert without.json()["errors"][0]["pointer"] == "/grounds"
    refused = await town.post(path, town.clerk(), {"outcome": "refused", "grounds": "Nicht gemeldet."})
    assert refused.status_code == 201
    content = (await town.http.get(refused.headers["location"], headers=town.person())).json()
    assert content["paragraphs"]["de"][1] == "Begründung: Nicht gemeldet."

    await _told(town, case_id, ("issued", "announced"))
    await town.until(case_id, "closed")
    assert (await town.post(path, town.clerk(), {"outcome": "granted"})).status_code == 409
    reopened = await town.post(f"/cases/{case_id}/reopen", town.clerk(), {"reason": "correction"})
    assert reopened.json()["status"] == "in_processing"
    corrected = {
        "outcome": "granted",
        "result": {"registered_since": "2019"},
        "replaces": refused.json()["decision_id"],
    }
    assert (await town.post(path, town.clerk(), corrected)).status_code == 201
    assert [name for name, _ in await town.events(case_id)][2:] == [
        "decision_made",
        "case_closed",
        "case_reopened",
        "decision_made",
    ]


async def test_withdrawal(papers: Town) -> None:
    case_id = await papers.submitted(PAPER, {"purpose": "Bank"})
    case = await papers.case(case_id)
    gone = await papers.post(f"/applications/{case_id}/withdraw", papers.person())
    assert gone.json()["status"] == "closed"
    for event in _payments(case):
        await papers.tell(event, DEMAND, case_id)
    await wait_until(lambda: _code(papers, case_id, "payment_received"))
    assert [name for name, _ in await papers.events(case_id)][2:] == ["application_withdrawn", "case_closed"]
    assert (await papers.post(f"/applications/{case_id}/withdraw", papers.person())).status_code == 409


async def _code(town: Town, case_id: str, code: str) -> bool:
    timeline = (await town.get(f"/applications/{case_id}/timeline", town.person())).json()
    return any(each["code"] == code for each in timeline["items"])


async def test_questions_and_answers_and_a_day_that_passes(town: Town) -> None:
    await town.publish(changed(CERTIFICATE, fees=[]))
    case_id = await town.submitted(PAPER, {"purpose": "Bank"})
    asked = []
    for day in ("2026-03-10", "2026-03-12"):
        body = {"question": "Seit wann?", "due_on": day}
        asked.append(await town.post(f"/cases/{case_id}/information-requests", town.clerk(), body))
    assert [each.status_code for each in asked] == [201, 201]
    requests = (await town.get(f"/applications/{case_id}/requests", town.person())).json()
    assert [(each["question"], each["status"]) for each in requests] == [("Seit wann?", "open")] * 2

    path = f"/applications/{case_id}/requests/{requests[0]['request_id']}/answer"
    assert (await town.post(path, town.person(), {"answer": "Seit 2019."})).status_code == 200
    assert (await town.post(path, town.person(), {"answer": "Seit 2020."})).status_code == 409
    said = dict(await town.events(case_id))
    answer = await town.http.get(said["information_supplied"]["dataref"], headers=town.clerk())
    assert answer.json()["answer"] == "Seit 2019."
    assert content_hash(answer.json()) == said["information_supplied"]["content_hash"]
    question = await town.http.get(said["information_requested"]["dataref"], headers=town.client("cases:read"))
    assert question.json()["due_on"] == "2026-03-12"
    unanswered = await town.http.get(f"{said['information_requested']['dataref']}/answer", headers=town.clerk())
    assert unanswered.status_code == 404

    town.clock.advance(timedelta(days=11))
    await wait_until(lambda: _code(town, case_id, "information_overdue"))
    late = (await town.case(case_id))["requests"][1]
    assert (late["request_id"], late["status"]) == (requests[1]["request_id"], "overdue")


async def test_another_version_comes_into_force_before_submission(bins: Town) -> None:
    case_id = await bins.draft(BIN, {"bin_size": "80"})
    await bins.publish(changed(BIN_CHANGE, version=2, procedure__automation=None), valid_from=date(2026, 3, 5))
    bins.clock.advance(timedelta(days=3))
    changed_ = await bins.submit(case_id)
    assert (changed_.status_code, changed_.json()["service_version"]) == (409, 2)
    review = (await bins.get(f"/applications/{case_id}/review", bins.person())).json()
    body = {"confirmed": True, "consents_to_mailbox": False, "reviewed_version": review["service_version"]}
    receipt = await bins.post(f"/applications/{case_id}/submit", bins.person(), body)
    assert (receipt.json()["service_version"], receipt.json()["status"]) == (2, "in_processing")
    assert receipt.json()["received_on"] == "2026-03-05"


async def test_a_retired_service_takes_no_more_applications(bins: Town) -> None:
    case_id = await bins.draft(BIN, {"bin_size": "80"})
    await bins.retire(BIN_CHANGE, date(2026, 3, 3))

    async def _retired() -> bool:
        (offer,) = await bins.service.stores[1].find(bins.tenant, {})
        return offer.state.retired_on is not None

    await wait_until(_retired)
    bins.clock.advance(timedelta(days=1))
    last = await bins.post("/applications", bins.person(), {"service_id": BIN}, "a-key-used-before")
    assert last.status_code == 201
    bins.clock.advance(timedelta(days=1))
    assert (await bins.post("/applications", bins.person(), {"service_id": BIN})).status_code == 409
    assert (await bins.submit(case_id)).status_code == 409
    again = await bins.post("/applications", bins.person(), {"service_id": BIN}, "a-key-used-before")
    assert (again.status_code, again.json()["case_id"]) == (201, last.json()["case_id"])
    unknown = await bins.post("/applications", bins.person(), {"service_id": "another"})
    assert unknown.status_code == 404


async def test_what_catalog_cannot_tell_now_is_fetched_later(town: Town) -> None:
    town.neighbours.away = True
    await town.publish(BIN_CHANGE, wait=False)

    async def _early() -> bool:
        answer = await town.post("/applications", town.person(), {"service_id": BIN})
        return answer.status_code == 503 and answer.json()["type"].endswith("/not_yet")

    await wait_until(_early, what="known, not fetched")
    await wait_until(lambda: town.neighbours.asked)
    town.neighbours.away = False

    async def _ready() -> bool:
        town.clock.advance(timedelta(seconds=5))
        return await town.offered(BIN, 1)

    await wait_until(_ready, what="the offer")


async def test_submitting_twice_at_once_submits_once(bins: Town) -> None:
    case_id, key = await bins.draft(BIN, {"bin_size": "80"}), uuid4().hex
    same = await asyncio.gather(*(bins.submit(case_id, key=key) for _ in range(5)))
    assert {each.status_code for each in same} == {200}
    assert len({each.text for each in same}) == 1
    others = await asyncio.gather(*(bins.submit(case_id) for _ in range(3)))
    assert {each.status_code for each in others} == {409}
    assert len(await bins.events(case_id)) == 3


async def test_news_that_arrive_for_an_unknown_case_wait(bins: Town) -> None:
    """It can't happen, since the case says something first; but nothing is lost if it does."""
    case_id = await bins.submitted(BIN, {"bin_size": "80"})
    snapshot = await bins.service.stores[0].require(bins.tenant, case_id)
    event = told_of(snapshot.state)["issued"].model_copy(update={"case_id": id_of("nowhere")})
    await bins.tell(event, event.notice_id, event.case_id)
    parked = bins.service.database.collection("parked")
    await wait_until(lambda: parked.count({}), what="parked as waiting")
