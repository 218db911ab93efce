"""The checker itself: a whole world passes, and each single thing that is broken in it is found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts import topics
from contracts.envelope import Envelope, event_id, source_of
from contracts.topics import Topic
from kernel.ids import id_of
from tests.chaos import checker
from tests.chaos.checker import DOUBLED, LOST, ORDER, STUCK, WRONG
from tests.chaos.truth import Applied, Truth
from tests.chaos.world import Charge, Told, World

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TENANT = "witten"
CASE = id_of("case")
DEMAND = id_of("demand")
NOTICE = id_of("notice")
DECISION = id_of("decision")
PARTY = id_of("party")
ASSESSMENT = id_of("assessment")
PDF = hashlib.sha256(b"%PDF").hexdigest()
DATA = {"purpose": "employer"}


class Whole:
    """One journey with a fee, from the draft to the closed case, as everything should be after it."""

    def __init__(self) -> None:
        self.world = World()
        self.truth = Truth(
            [
                Applied(
                    1,
                    TENANT,
                    "erika-beispiel",
                    "registration-certificate",
                    pays=True,
                    data=DATA,
                    case_id=CASE,
                    saved=True,
                    case_reference="WIT-1",
                    demand_id=DEMAND,
                    checked_out=True,
                    notice_id=NOTICE,
                    document_sha256=PDF,
                    finished=True,
                )
            ]
        )
        self.case = self._said(
            "applications",
            "case",
            CASE,
            ["application_submitted", "fee_assessed", "application_complete", "decision_made", "case_closed"],
            self._case(),
        )
        self.demand = self._said(
            "payments", "demand", DEMAND, ["payment_requested", "payment_received"], self._demand()
        )
        self.notice = self._said(
            "notifications",
            "notice",
            NOTICE,
            ["notice_issued", "notice_provided", "notification_sent", "notice_retrieved", "notice_announced"],
            self._notice(),
        )
        self.case |= {"version": 4 + 2 + 4, "seen": {f"payments/{DEMAND}": [0, 2], f"notifications/{NOTICE}": [0, 5]}}
        bookings = [self._booking("demand"), self._booking("receipt")]
        self.world.documents["payments"]["bookings"] = bookings
        self.positions("applications", {("payments", DEMAND): 2, ("notifications", NOTICE): 5})
        self.positions("payments", {("applications", CASE): 5})
        self.positions("notifications", {("applications", CASE): 5})
        self.world.charges = [Charge("t1", "a1", "RF1", 1000, paid=True)]
        self.world.files = {(TENANT, PDF): PDF}
        self.world.mails = {NOTICE: 1}

    def found(self) -> list[checker.Finding]:
        """What the checker says."""
        return checker.check(self.world, self.truth, moved_on=True)

    def positions(self, consumer: str, places: dict[tuple[str, str], int]) -> None:
        """How far a consumer has read."""
        rows = [{"_id": consumer + source_of(TENANT, *subject), "at": at} for subject, at in places.items()]
        self.world.documents.setdefault(consumer, {})["positions"] = rows

    def event(self, name: str) -> Told:
        """The one of that name."""
        return next(told for told in self.world.told if told.name == name)

    def drop(self, name: str) -> None:
        """Its topic doesn't have it."""
        self.world.told.remove(self.event(name))

    def _said(self, stream: str, kind: str, subject: str, names: list[str], state: dict[str, Any]) -> dict[str, Any]:
        topic: Topic = next(each for each in topics.ALL if each.stream == stream)
        source = source_of(TENANT, stream, subject)
        events = []
        for sequence, name in enumerate(names, start=1):
            event_type = f"de.rathaus.{stream}.{name}.v1"
            events.append({"sequence": sequence, "epoch": 0, "type": event_type, "case": CASE, "data": {"name": name}})
            envelope = Envelope(
                id=event_id(source, 0, sequence),
                source=source,
                type=event_type,
                subject=subject,
                time=NOW,
                sequence=sequence,
                tenant=TENANT,
                authority=TENANT,
                case=CASE,
            )
            self.world.told.append(Told(stream, 1, sequence, CASE, envelope, {"name": name}))
        row = {
            "_id": subject,
            "tenant": TENANT,
            "state": state,
            "version": 1,
            "seen": {},
            "events": events,
            "sequence": len(events),
            "published": len(events),
        }
        assert topic.stream == stream
        self.world.documents.setdefault(stream, {}).setdefault(kind, []).append(row)
        return row

    def _case(self) -> dict[str, Any]:
        return {
            "status": "closed",
            "data": '{"purpose": "employer"}',
            "reference": "WIT-1",
            "uploads": [],
            "assessments": [{"assessment_id": ASSESSMENT, "demand_id": DEMAND, "settled": True}],
            "decisions": [{"decision_id": DECISION, "addressees": [{"party_id": PARTY}]}],
            "notices": [{"notice_id": NOTICE, "status": "announced"}],
            "entries": [{"code": code} for code in ("submitted", "fee_assessed", "payment_received", "decided")],
        }

    def _demand(self) -> dict[str, Any]:
        return {
            "case_id": CASE,
            "assessment_id": ASSESSMENT,
            "status": "settled",
            "payment_reference": "RF1",
            "received_cents": 1000,
            "amount": {"cents": 1000, "currency": "EUR"},
            "bookings": [{"booking_id": id_of(each), "occasion": each} for each in ("demand", "receipt")],
        }

    def _notice(self) -> dict[str, Any]:
        return {
            "case_id": CASE,
            "decision_id": DECISION,
            "addressee_id": PARTY,
            "status": "announced",
            "sent_on": "2026-03-02",
            "retrieved_at": "2026-03-02T09:00:00Z",
            "document": {"sha256": PDF},
        }

    def _booking(self, occasion: str) -> dict[str, Any]:
        lines = [{"debit": 1000, "credit": 0}, {"debit": 0, "credit": 1000}]
        return {"_id": id_of(occasion), "demand_id": DEMAND, "case_id": CASE, "currency": "EUR", "lines": lines}


def test_a_whole_world_passes() -> None:
    assert Whole().found() == []


def _without_case(whole: Whole) -> None:
    whole.world.documents["applications"]["case"].clear()


def _twice(whole: Whole) -> None:
    again = {**whole.notice, "_id": id_of("another")}
    whole.world.documents["notifications"]["notice"].append(again)


def _reordered(whole: Whole) -> None:
    told = whole.world.told
    first, second = told.index(whole.event("fee_assessed")), told.index(whole.event("application_complete"))
    told[first], told[second] = told[second], told[first]


def _other_key(whole: Whole) -> None:
    told = whole.event("payment_received")
    whole.world.told[whole.world.told.index(told)] = Told(
        told.stream, 3, 9, DEMAND, told.envelope.model_copy(update={"case": None}), told.data
    )


def _said_twice_otherwise(whole: Whole) -> None:
    told = whole.event("decision_made")
    whole.world.told[whole.world.told.index(told)] = Told(
        told.stream, told.partition, told.offset, told.key, told.envelope, {"name": "another"}
    )


def _unknown_draft(whole: Whole) -> None:
    draft = {**whole.case, "_id": id_of("unknown"), "state": {"status": "draft", "uploads": []}, "events": []}
    whole.world.documents["applications"]["case"].append({**draft, "sequence": 0, "published": 0})


BROKEN: list[tuple[str, Callable[[Whole], object], str, str]] = [
    ("document gone", _without_case, LOST, "accepted draft"),
    ("data gone", lambda w: w.case["state"].update(data="{}"), LOST, "accepted form data"),
    ("submission gone", lambda w: w.case["state"].update(reference=None), LOST, "accepted submission"),
    ("draft made twice", _unknown_draft, DOUBLED, "draft that nobody was told of"),
    ("answers differ", lambda w: setattr(w.truth.journeys[0], "trouble", "twins"), WRONG, "a client's trouble"),
    ("nobody answers", lambda w: setattr(w.truth.journeys[0], "trouble", "gave up: x"), STUCK, "a client's trouble"),
    ("event lost at the end", lambda w: w.drop("case_closed"), LOST, "event published"),
    ("event lost in between", lambda w: w.drop("fee_assessed"), ORDER, "first occurrence"),
    ("events reordered", _reordered, ORDER, "first occurrence"),
    ("key changed", _other_key, ORDER, "key or partition of a subject changed"),
    ("another content", _said_twice_otherwise, WRONG, "event in its topic"),
    ("never published", lambda w: w.case.update(published=4), STUCK, "events said and not published"),
    ("delivery lost", lambda w: w.case["seen"].update({f"payments/{DEMAND}": [0, 1]}), LOST, "event in the case"),
    ("applied twice", lambda w: w.case.update(version=11), DOUBLED, "write of the case"),
    ("write lost", lambda w: w.case.update(version=9), LOST, "write of the case"),
    ("line twice", lambda w: w.case["state"]["entries"].append({"code": "decided"}), DOUBLED, "line in the timeline"),
    ("not read to the end", lambda w: w.positions("payments", {("applications", CASE): 4}), LOST, "event at payments"),
    ("never read", lambda w: w.positions("payments", {("applications", id_of("x")): 0}), LOST, "event at payments"),
    ("demand lost", lambda w: w.world.documents["payments"]["demand"].clear(), LOST, "demand"),
    ("demand twice", lambda w: w.world.documents["payments"]["demand"].append(w.demand), DOUBLED, "demand"),
    (
        "charged twice",
        lambda w: w.world.charges.append(Charge("t2", "a2", "RF1", 1000, paid=True)),
        DOUBLED,
        "charge at the provider",
    ),
    (
        "opened twice",
        lambda w: w.world.charges.append(Charge("t2", "a2", "RF1", 1000, paid=False)),
        DOUBLED,
        "transaction at the provider",
    ),
    ("never charged", lambda w: w.world.charges.clear(), LOST, "charge at the provider"),
    ("not settled", lambda w: w.demand["state"].update(status="open"), LOST, "accepted checkout"),
    ("booking lost", lambda w: w.world.documents["payments"]["bookings"].pop(), LOST, "booking"),
    (
        "unbalanced",
        lambda w: w.world.documents["payments"]["bookings"][0]["lines"].pop(),
        WRONG,
        "booking that isn't balanced",
    ),
    (
        "booked twice",
        lambda w: w.demand["state"]["bookings"].append({"booking_id": id_of("demand"), "occasion": "receipt"}),
        DOUBLED,
        "bookings of the demand",
    ),
    ("notice lost", lambda w: w.world.documents["notifications"]["notice"].clear(), LOST, "notice"),
    ("notice twice", _twice, DOUBLED, "notice"),
    ("not told", lambda w: w.world.mails.clear(), LOST, "mail"),
    ("case not told", lambda w: w.case["state"]["notices"].clear(), LOST, "notice in the case"),
    ("file lost", lambda w: w.world.files.clear(), LOST, "file"),
    ("file changed", lambda w: w.world.files.update({(TENANT, PDF): "0" * 64}), WRONG, "file"),
    (
        "parked",
        lambda w: w.world.documents["payments"].update(
            parked=[{"_id": "p", "status": "parked", "reason": "failed", "detail": "", "events": [1]}]
        ),
        STUCK,
        "parked at payments",
    ),
]


@pytest.mark.parametrize(("breaks", "kind", "what"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_what_is_broken_is_found(breaks: Callable[[Whole], object], kind: str, what: str) -> None:
    whole = Whole()
    breaks(whole)
    assert (kind, what) in {(finding.kind, finding.what) for finding in whole.found()}


def test_repetitions_are_no_finding() -> None:
    whole = Whole()
    whole.world.told += list(whole.world.told)
    assert whole.found() == []


def test_what_nobody_paid_does_not_go_on() -> None:
    whole = Whole()
    for name in ("application_complete", "decision_made", "case_closed"):
        whole.drop(name)
    whole.case["events"] = whole.case["events"][:2]
    whole.case |= {"sequence": 2, "published": 2, "version": 4, "seen": {f"payments/{DEMAND}": [0, 1]}}
    whole.case["state"] |= {"status": "awaiting_payment", "decisions": [], "notices": []}
    whole.case["state"]["assessments"][0]["settled"] = False
    whole.drop("payment_received")
    whole.demand["state"] |= {"status": "open", "received_cents": 0, "bookings": whole.demand["state"]["bookings"][:1]}
    whole.demand |= {"events": whole.demand["events"][:1], "sequence": 1, "published": 1}
    whole.world.documents["payments"]["bookings"].pop()
    whole.world.charges.clear()
    whole.world.documents["notifications"] = {}
    whole.world.told = [told for told in whole.world.told if told.stream != "notifications"]
    whole.positions("payments", {("applications", CASE): 2})
    whole.positions("notifications", {("applications", CASE): 2})
    whole.positions("applications", {("payments", DEMAND): 1})
    applied = whole.truth.journeys[0]
    applied.checked_out, applied.notice_id, applied.document_sha256 = False, "", ""
    applied.finished, applied.trouble = False, "gave up: the demand never came"
    assert {finding.kind for finding in whole.found()} == {STUCK}


def test_an_unanswered_draft_may_exist() -> None:
    whole = Whole()
    _unknown_draft(whole)
    whole.truth.journeys.append(Applied(2, TENANT, "x", "waste-bin-change", pays=False, data={}, finished=True))
    assert not [finding for finding in whole.found() if finding.kind == DOUBLED]


def test_files_that_nothing_names_are_counted() -> None:
    whole = Whole()
    whole.world.files[TENANT, "1" * 64] = "1" * 64
    assert checker.orphans(whole.world) == 1
