"""The demo's own rules: what it takes for a good end, how it insists, what it says where something fails."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from contracts.envelope import Envelope, event_id, source_of
from kernel.legal_days import legal_date
from rathaus import clock
from rathaus.demo import afterwards, browser, outcome, towns
from rathaus.demo.door import Away, Door, NotInTime, Refused, eventually
from rathaus.demo.events import Told
from rathaus.demo.journeys import CERTIFICATE, WASTE_BIN, Story
from rathaus.demo.main import fetch_jars, to_next_day
from rathaus.demo.show import Show, StepFailed
from rathaus.engines import jars

CASE = "0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"
EXPECTED = {"applications": ("application_submitted", "decision_made"), "payments": ("payment_requested",)}


def told(stream: str, name: str, sequence: int, subject: str = CASE) -> Told:
    source = source_of("witten", stream, subject)
    return Told(
        Envelope(
            id=event_id(source, 0, sequence),
            source=source,
            type=f"de.rathaus.{stream}.{name}.v1",
            subject=subject,
            time=datetime(2026, 3, 2, tzinfo=UTC),
            sequence=sequence,
            tenant="witten",
            authority="witten",
            case=CASE,
        ),
        0.0,
    )


GOOD = (
    told("applications", "application_submitted", 1),
    told("payments", "payment_requested", 1, "demand"),
    told("applications", "decision_made", 2),
)


# Outcome


def test_a_journey_as_expected_has_no_findings() -> None:
    assert outcome.findings(EXPECTED, GOOD) == []


@pytest.mark.parametrize(
    ("events", "finding"),
    [
        (GOOD[:2], "expected application_submitted, decision_made; heard application_submitted"),
        ((GOOD[2], GOOD[0], GOOD[1]), "heard decision_made, application_submitted"),
        ((*GOOD, told("payments", "payment_requested", 2, "demand")), "heard payment_requested, payment_requested"),
        ((*GOOD, told("notifications", "notice_issued", 1, "notice")), "unexpected: de.rathaus.notifications"),
        ((*GOOD[:2], told("applications", "decision_made", 3)), "the sequence isn't whole: [1, 3]"),
        ((*GOOD[:2], told("applications", "decision_made", 2, "another")), "several subjects"),
        ((), "heard nothing"),
    ],
)
def test_what_is_lost_doubled_or_out_of_order_is_found(events: Sequence[Told], finding: str) -> None:
    assert any(finding in each for each in outcome.findings(EXPECTED, events))


def ledger(*lines: tuple[int, int], difference: int = 0) -> dict[str, Any]:
    booking = {"booking_id": "b", "lines": [{"debit": debit, "credit": credit} for debit, credit in lines]}
    return {"items": [booking], "proof": [{"difference": difference}]}


def test_a_ledger_is_balanced_in_each_booking_and_as_a_whole() -> None:
    assert outcome.unbalanced(ledger((1000, 0), (0, 1000))) == []
    assert outcome.unbalanced(ledger((1000, 0), (0, 999)))
    assert outcome.unbalanced(ledger((1, 0), (0, 1), difference=5))
    assert outcome.unbalanced({"items": [], "proof": []})


# At the gateway


class Gateway:
    """Answers what the test lays down, and keeps what it was asked."""

    def __init__(self, *answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answers.pop(0)(request)

    def door(self, patience: float = 5) -> Door:
        return Door("http://gateway", patience=patience, transport=httpx.MockTransport(self))


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("lost", request=request)


def answer(status: int, body: Any = None) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json=body or {})


async def test_a_move_is_repeated_with_the_same_key_until_it_is_answered() -> None:
    gateway = Gateway(lost, answer(503), answer(429), answer(502), answer(201, {"case_id": CASE}))
    assert (await gateway.door().post("/x", {"a": 1})).body == {"case_id": CASE}
    assert len({(each.headers["idempotency-key"], each.content) for each in gateway.asked}) == 1
    assert len(gateway.asked) == 5


async def test_a_lost_answer_to_a_put_is_asked_for_again_as_the_same() -> None:
    gateway = Gateway(lost, answer(200))
    await gateway.door().put("/x", {"a": 1}, etag='"3"')
    assert len({(each.headers["idempotency-key"], each.headers["if-match"]) for each in gateway.asked}) == 1


async def test_two_moves_have_two_keys() -> None:
    gateway = Gateway(answer(200), answer(200))
    door = gateway.door()
    await door.post("/x")
    await door.post("/x")
    assert len({each.headers["idempotency-key"] for each in gateway.asked}) == 2


async def test_a_refusal_names_request_and_reason() -> None:
    problem = {"title": "Not valid", "detail": "look", "instance": "urn:uuid:1", "errors": [{"pointer": "/a"}]}
    gateway = Gateway(lambda _: httpx.Response(422, json=problem, headers={"content-type": "application/problem+json"}))
    with pytest.raises(Refused, match=r"POST /x answered 422 Not valid look \(request urn:uuid:1\)\n.*/a"):
        await gateway.door().post("/x", {"secret": "word"})


async def test_patience_ends() -> None:
    gateway = Gateway(*[answer(503, {"title": "Temporarily unavailable"})] * 50)
    with pytest.raises(Away, match="503 Temporarily unavailable"):
        await gateway.door(patience=0.2).get("/x")


async def test_what_never_comes_is_told() -> None:
    async def _nothing() -> None:
        return None

    with pytest.raises(NotInTime, match="the notice did not come"):
        await eventually(_nothing, "the notice", seconds=0.05)


def test_a_form_is_read_as_a_browser_does() -> None:
    form = browser._Form()
    form.feed(
        '<form method="post" action="/pay/1"><input type="hidden" name="form_token" value="t&amp;x">'
        '<button name="action" value="pay">Bezahlen</button><button name="action" value="fail"></button></form>'
    )
    assert (form.action, form.fields) == ("/pay/1", {"form_token": "t&x"})
    assert form.buttons == {"pay": "action", "fail": "action"}


# Towns, days, words


def test_the_journeys_ask_for_what_the_sample_towns_offer() -> None:
    for journey in (CERTIFICATE, WASTE_BIN):
        service = json.loads((towns.TOWNS / journey.tenant / "services" / f"{journey.service_id}.json").read_text())
        schema = service["form"]["schema"]
        assert set(schema["required"]) <= set(journey.data) <= set(schema["properties"])
        assert journey.tenant in towns.sample_towns()


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=40, hours=7)])
def test_the_clock_is_moved_to_the_next_legal_day(tmp_path: Path, ahead: timedelta) -> None:
    file = tmp_path / "clock.json"
    clock.advance(file, ahead)
    before = legal_date(datetime.now(UTC) + ahead)
    by = to_next_day(file)
    assert timedelta() < by <= timedelta(days=1, hours=1, minutes=1)
    assert legal_date(datetime.now(UTC) + ahead + by) == before + timedelta(days=1)


@pytest.mark.parametrize("fetches", [True, False])
def test_the_time_of_the_jars_is_told_only_when_they_were_fetched(
    monkeypatch: pytest.MonkeyPatch, fetches: bool
) -> None:
    def _ensure(say: Callable[[str], None]) -> None:
        if fetches:
            say("fetching 40 jars")

    monkeypatch.setattr(jars, "ensure", _ensure)
    console = Console(file=io.StringIO(), width=200)
    fetch_jars(Show(console))
    assert ("the next start" in console.file.getvalue()) is fetches  # type: ignore[attr-defined]


def test_a_failed_step_says_which_and_keeps_its_cause() -> None:
    console = Console(file=io.StringIO(), width=200)
    show = Show(console)
    with pytest.raises(StepFailed, match="Erika submits") as failed, show.step("Erika submits"):
        raise NotInTime("the notice")
    assert isinstance(failed.value.__cause__, NotInTime)
    assert "✗ Erika submits" in console.file.getvalue()  # type: ignore[attr-defined]


def test_there_are_three_things_to_try_each_on_its_own() -> None:
    stories = [Story(CERTIFICATE, case_id=CASE), Story(WASTE_BIN, case_id=CASE)]
    commands = [each.command for each in afterwards.tries("http://127.0.0.1:8080", stories)]
    assert len(commands) == 3
    assert all("http://127.0.0.1:8080" in each for each in commands)
