"""What a notice says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.applications import DocumentKind, Outcome
from services.applications.domain import notices, services
from services.applications.views import DecisionContent
from tests.support.cases import changed
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

BIN = services.read(BIN_CHANGE).terms
PAPER = services.read(CERTIFICATE).terms
DATA = {"bin_size": "120", "name": "Jürgen O’Čerňý", "from": "2026-04-01"}


def _content(terms: services.Terms = BIN, data: Any = None, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"outcome": Outcome.GRANTED, "by_rule": False, **fields}
    ruling = notices.Ruling(decision_id="d", decided_on=date(2026, 3, 9), **given)
    return notices.content(terms, DATA if data is None else data, "STE-2026-0123456789", ruling)


def test_placeholders_are_filled_in_both_languages() -> None:
    made = _content()
    assert made["title"] == {"de": "Änderung Ihrer Mülltonne", "en": "Change of your waste bin"}
    assert made["paragraphs"] == {
        "de": ["Jürgen O’Čerňý, Ihre Tonne hat ab 1. April 2026 120 Liter. STE-2026-0123456789"],
        "en": ["Jürgen O’Čerňý, from 1 April 2026 your bin has 120 litres. STE-2026-0123456789"],
    }
    assert made["facts"] == [
        {"label": {"de": "Neue Größe", "en": "New size"}, "value": {"de": "120 Liter", "en": "120 litres"}}
    ]


def test_it_holds_all_that_a_notice_needs() -> None:
    made = _content()
    assert made["service_name"] == {"de": "Mülltonne tauschen", "en": "Change your waste bin"}
    assert made["authority"] == {
        "name": "Gemeinde Steinhagen",
        "street": "Musterstraße 1",
        "postal_code": "33803",
        "city": "Steinhagen",
    }
    assert made["remedy"]["de"].startswith("Klage")
    assert made["decided_on"] == "2026-03-09"
    assert made["sample"] is True


def test_a_rule_names_its_legal_basis() -> None:
    assert _content(by_rule=True)["legal_basis"] == ["Abfallsatzung (Beispieldaten)", "§ 35a VwVfG NRW (Beispieldaten)"]
    assert _content(by_rule=True)["decided_by_rule"] is True
    assert _content()["legal_basis"] == ["Abfallsatzung (Beispieldaten)"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_it_is_as_the_interface_describes_it(outcome: Outcome) -> None:
    for terms in (
        BIN,
        PAPER,
        PAPER.model_copy(update={"procedure": PAPER.procedure.model_copy(update={"remedy": None})}),
    ):
        made = _content(terms, {}, outcome=outcome, grounds="x")
        assert DecisionContent.model_validate(made).model_dump(mode="json") == made


def test_what_was_left_empty_is_a_dash() -> None:
    assert _content(data={"bin_size": "80", "name": ""})["paragraphs"]["de"][0].startswith(
        "–, Ihre Tonne hat ab – 80 Liter."
    )


def test_what_is_put_in_is_not_read_for_placeholders_again() -> None:
    made = _content(data={"name": "{{case.reference}}{grounds}"})
    assert made["paragraphs"]["de"][0].startswith("{{case.reference}}{grounds}, ")


@pytest.mark.parametrize(
    ("value", "de", "en"),
    [
        (True, "ja", "yes"),
        (False, "nein", "no"),
        (3, "3", "3"),
        (0, "0", "0"),
        (2.5, "2,5", "2.5"),
        (["a", "b"], "a, b", "a, b"),
        ({"a": 1}, "–", "–"),
        (None, "–", "–"),
        ("O\u0308", "Ö", "Ö"),
        (" a\r\nb ", "a\nb", "a\nb"),
    ],
)
def test_values_are_written_for_people(value: Any, de: str, en: str) -> None:
    made = _content(data={"name": value})["paragraphs"]
    assert made["de"][0].startswith(f"{de}, Ihre")
    assert made["en"][0].startswith(f"{en}, from")


def test_a_refusal_says_so_with_its_grounds_and_is_a_notice() -> None:
    made = _content(PAPER, {"purpose": "Bank"}, outcome=Outcome.REFUSED, grounds="Nicht gemeldet. {x}")
    assert made["document_kind"] == "notice"
    assert made["title"]["de"] == "Ablehnung Ihres Antrags"
    assert made["paragraphs"]["de"] == [
        "Ihr Antrag „Meldebescheinigung“ (Aktenzeichen STE-2026-0123456789) wird abgelehnt.",
        "Begründung: Nicht gemeldet. {x}",
    ]
    assert notices.document_kind(PAPER, Outcome.GRANTED) is DocumentKind.CERTIFICATE


def test_what_is_granted_in_part_says_which_and_why() -> None:
    result = {"registered_since": "2019"}
    made = _content(PAPER, {"purpose": "Bank"}, outcome=Outcome.PARTLY_GRANTED, grounds="Nur ab 2019.", result=result)
    assert made["paragraphs"]["de"] == [
        "Gemeldet seit 2019. Zweck: Bank",
        "Ihrem Antrag wird nur zum Teil entsprochen; im Übrigen wird er abgelehnt.",
        "Begründung: Nur ab 2019.",
    ]


@pytest.mark.parametrize(
    ("outcome", "grounds", "result", "codes"),
    [
        (Outcome.GRANTED, "", {"registered_since": "2019"}, []),
        (Outcome.GRANTED, "", {}, ["result_missing"]),
        (Outcome.GRANTED, "", {"registered_since": "  "}, ["result_missing"]),
        (Outcome.GRANTED, "", {"registered_since": "2019", "x": "y"}, ["result_unknown"]),
        (Outcome.GRANTED, "", {"registered_since": "\u0000"}, ["character_not_printable"]),
        (Outcome.REFUSED, "", {}, ["grounds_missing"]),
        (Outcome.REFUSED, " \n", {}, ["grounds_missing"]),
        (Outcome.REFUSED, "So ist es.\nPunkt.", {}, []),
        (Outcome.REFUSED, "😀", {}, ["character_not_printable"]),
        (Outcome.PARTLY_GRANTED, "", {}, ["grounds_missing", "result_missing"]),
    ],
)
def test_a_ruling_is_checked(outcome: Outcome, grounds: str, result: dict[str, str], codes: list[str]) -> None:
    assert [each.code for each in notices.check_decision(PAPER, outcome, grounds, result)] == codes


def test_only_fields_of_the_notice_are_checked_for_characters() -> None:
    assert [each.pointer for each in notices.unprintable_fields(BIN, {"name": "😀", "other": "😀"})] == ["/data/name"]
    assert notices.unprintable_fields(BIN, {"name": "a\nb"}) == ()
    nested = services.read(changed(BIN_CHANGE, notice__title={"de": "{{form.a.b}}", "en": ""})).terms
    assert [each.pointer for each in notices.unprintable_fields(nested, {"a": {"b": ["x", "山"]}})] == ["/data/a/b"]
