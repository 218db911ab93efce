"""Reading what the catalog publishes, and what follows from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Conflict, Invalid, NotFound, NotYet
from contracts.applications import FeeTiming
from kernel.texts import Bilingual
from service_format.automation import decides
from services.applications.domain import forms, offers, services
from services.applications.domain.attachments import required_documents
from services.applications.domain.fees import fee_owed
from tests.support.cases import NOW, changed, offer
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

DAY = date(2026, 3, 2)


def _terms(**fields: Any) -> services.Terms:
    return services.read(changed(CERTIFICATE, **fields)).terms


SAMPLES = sorted((Path(__file__).parents[3] / "deploy" / "towns").glob("*/services/*.json"))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_the_sample_towns_can_be_read(file: Path) -> None:
    given_ = json.loads(file.read_text())
    if not any(each["kind"] == "online" for each in given_["channels"]):
        return
    content = services.read({"version": 1, **given_})
    assert forms.usable(content.form)
    for case in given_.get("test_cases", ()):
        found = forms.check(content.form, case["data"])
        assert (not found) is (case["expected"] == "valid"), case["name"]
        if case.get("decided_by_rule") is not None:
            assert decides(content.terms.procedure.automation, case["data"]) is case["decided_by_rule"], case["name"]


def test_what_is_added_to_the_format_does_no_harm() -> None:
    assert services.read({**BIN_CHANGE, "new": 1}) == services.read(BIN_CHANGE)


def test_the_fields_that_the_notice_names_are_known_with_their_labels() -> None:
    shown = {each.path: each for each in services.read(BIN_CHANGE).terms.shown}
    assert set(shown) == {"name", "from", "bin_size"}
    assert shown["from"].format == "date"
    assert shown["bin_size"].as_format().labels["80"] == Bilingual(de="80 Liter", en="80 litres")


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, {"x"}),
        ({"required": False}, set()),
        ({"may_follow": True}, set()),
        ({"signed_paper": True}, set()),
        ({"condition": {"path": "copies", "min": 5}}, set()),
        ({"condition": {"path": "copies", "max": 5}}, {"x"}),
    ],
)
def test_documents_needed(fields: dict[str, Any], needed: set[str]) -> None:
    document = {"id": "x", "labels": {"de": "X", "en": "X"}, "required": True, **fields}
    assert {each.id for each in required_documents(_terms(documents=[document]), {"copies": 1})} == needed


def test_an_amount_beyond_what_can_be_charged_is_refused() -> None:
    fee = {**CERTIFICATE["fees"][0], "amount": None, "rule": {"path": "n", "cents_each": 250}}
    with pytest.raises(Invalid, match="higher than can be charged"):
        fee_owed(_terms(fees=[fee]), FeeTiming.BEFORE_PROCESSING, {"n": 10**6}, DAY)


# Which version is in force


def _versions(*rows: tuple[int, str, str | None, str | None]) -> list[offers.Offer]:
    return [
        replace(
            offer(),
            version=number,
            valid_from=date.fromisoformat(begins),
            valid_to=date.fromisoformat(ends) if ends else None,
            retired_on=date.fromisoformat(retired) if retired else None,
        )
        for number, begins, ends, retired in rows
    ]


@pytest.mark.parametrize(
    ("day", "version"), [("2026-01-01", 1), ("2026-03-31", 1), ("2026-04-01", 2), ("2027-01-01", 2)]
)
def test_the_newest_version_in_force_is_chosen(day: str, version: int) -> None:
    known = _versions(
        (2, "2026-04-01", None, None), (1, "2026-01-01", None, None), (3, "2026-01-01", None, "2025-12-31")
    )
    assert offers.choose(known, "bin-change", date.fromisoformat(day)).version == version


@pytest.mark.parametrize(
    "row",
    [(1, "2026-03-03", None, None), (1, "2026-01-01", "2026-03-01", None), (1, "2026-01-01", None, "2026-03-01")],
)
def test_outside_its_time_a_service_takes_no_applications(row: tuple[int, str, str | None, str | None]) -> None:
    with pytest.raises(Conflict):
        offers.choose(_versions(row), "bin-change", DAY)


def test_the_last_day_counts() -> None:
    assert offers.choose(_versions((1, "2026-03-02", "2026-03-02", "2026-03-02")), "bin-change", DAY).version == 1


def test_what_cannot_be_applied_for_says_why() -> None:
    with pytest.raises(NotFound):
        offers.choose([offer()], "another", DAY)
    with pytest.raises(Conflict):
        offers.choose([replace(offer(), online=False)], "bin-change", DAY)
    with pytest.raises(NotYet):
        offers.choose([replace(offer(), content=None)], "bin-change", DAY)


def test_a_version_is_fetched_until_it_is_there() -> None:
    empty = replace(offer(), content=None)
    assert offers.due(empty) == {offers.OfferWork.FETCH_CONTENT: NOW}
    assert offers.due(replace(empty, online=False)) == {}
    filled, events = offers.fill(empty, services.read(BIN_CHANGE))
    assert offers.due(filled) == {}
    assert events == ()
