"""The format of a service as data: what it takes, what it refuses and where, and its committed schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kernel.canonical_json import canonical
from service_format.conditions import Condition
from service_format.schema import json_schema, rendered_schema
from service_format.service import ServiceAsData
from service_format.texts import Localized, TextModule
from services.catalog.domain.towns import TownAsData
from services.catalog.schema_file import SCHEMA_FILE
from tests.unit.catalog.samples import ABSENT, TOWNS, changed, guide_example, sample, service

BINS = sample("steinhagen", "waste-bin-change")
SERVICES = sorted(TOWNS.glob("*/services/*.json"))


def _refused(document: dict[str, Any]) -> set[str]:
    with pytest.raises(ValidationError) as refused:
        service(document)
    return {"/" + "/".join(map(str, error["loc"])) for error in refused.value.errors()}


def test_the_committed_schema_is_the_models() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == rendered_schema(), "run: python -m services.catalog.schema_file"


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.stem)
def test_sample_services_pass_models_and_published_schema(file: Path) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    read = service(document)
    assert read.service_id == file.stem
    assert read.sample, "what is invented says so"
    assert jsonschema_rs.Draft202012Validator(json_schema(), offline=True).is_valid(document)


@pytest.mark.parametrize("town", ["witten", "steinhagen"])
def test_sample_towns_pass(town: str) -> None:
    TownAsData.model_validate_json((TOWNS / town / "town.json").read_text(encoding="utf-8"))


def test_the_guide_names_every_field() -> None:
    text = (Path(__file__).parents[3] / "docs/guides/service-format.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in ServiceAsData.model_fields)
    service(guide_example())


def test_names_in_every_script_of_the_standard_are_taken() -> None:
    names = "Δήμος Киев Əliyev Sønderjylland C\u0328\u0306"
    assert service(changed(BINS, "/authority/name", names)).authority.name == names


def test_a_round_trip_changes_nothing() -> None:
    read = service(BINS)
    text = canonical(read.model_dump(mode="json"))
    assert ServiceAsData.model_validate_json(text) == read
    assert json.loads(text)["form"]["schema"] == BINS["form"]["schema"]


@pytest.mark.parametrize(
    ("pointer", "value", "found_at"),
    [
        ("/colour", "red", "/colour"),
        ("/channels/0/trust", "basic", "/channels/0/trust"),
        ("/names/en", ABSENT, "/names/en"),
        ("/names/fr", "Poubelle", "/names/fr"),
        ("/names/de", "Tonne \U0001f5d1", "/names/de"),
        ("/names/de", "Tonne\n", "/names/de"),
        ("/notice/title/de", "Bescheid\x07", "/notice/title/de"),
        ("/notice/paragraphs/de/0", "zwei\nZeilen", "/notice/paragraphs/de/0"),
        ("/notice/paragraphs/de/0", "決定", "/notice/paragraphs/de/0"),
        ("/notice/paragraphs/de/0", "a\u00adb", "/notice/paragraphs/de/0"),
        ("/service_id", "Waste Bin", "/service_id"),
        ("/valid_from", "01.01.2026", "/valid_from"),
        ("/leika_keys", ["123"], "/leika_keys/0"),
        ("/channels/0/trust_level", "very high", "/channels/0/trust_level"),
        ("/channels/-", {"kind": "link"}, "/channels/1"),
        ("/texts/0/language", "german", "/texts/0/language"),
        ("/procedure/automation/legal_basis", [], "/procedure/automation/legal_basis"),
        ("/procedure/automation/rule/outcome", "refused", "/procedure/automation/rule/outcome"),
        ("/procedure/automation/rule/conditions/0", {"path": "persons"}, "/procedure/automation/rule/conditions/0"),
        (
            "/procedure/automation/rule/conditions/0",
            {"path": "persons", "min": 1, "max": 2},
            "/procedure/automation/rule/conditions/0",
        ),
        ("/form/ui/fields/street/prefill", "account.iban", "/form/ui/fields/street/prefill"),
        ("/authority/postal_code", "3380", "/authority/postal_code"),
        (
            "/documents",
            [{"id": "plan", "labels": {"de": "Plan", "en": "Plan"}, "media_types": ["text/html"]}],
            "/documents/0/media_types/0",
        ),
    ],
)
def test_refuses_with_the_place(pointer: str, value: Any, found_at: str) -> None:
    assert found_at in _refused(changed(BINS, pointer, value))


FEE = {
    "id": "fee",
    "labels": {"de": "Gebühr", "en": "Fee"},
    "timing": "before_processing",
    "legal_basis": ["Satzung"],
    "amount": {"cents": 1, "currency": "EUR"},
}


@pytest.mark.parametrize(
    ("change", "found_at"),
    [
        ({"amount": None}, "/fees/0"),
        ({"rule": {"path": "persons", "cents_each": 100}}, "/fees/0"),
        ({"timing": "recurring"}, "/fees/0"),
        ({"interval_months": 12}, "/fees/0"),
        ({"amount": {"cents": 1, "currency": "EUR", "vat": 19}}, "/fees/0/amount/vat"),
        ({"amount": {"cents": 1.5}}, "/fees/0/amount/cents"),
        ({"amount": {"cents": -1}}, "/fees/0/amount/cents"),
        ({"legal_basis": []}, "/fees/0/legal_basis"),
    ],
)
def test_fees_are_one_sound_amount(change: dict[str, Any], found_at: str) -> None:
    service(changed(BINS, "/fees", [FEE]))
    assert found_at in _refused(changed(BINS, "/fees", [{**FEE, **change}]))


def test_nesting_and_length_are_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(30):
        deep = {"a": deep}
    assert "/test_cases/0/data" in _refused(changed(BINS, "/test_cases/0/data", deep))
    assert "/form/schema" in _refused(changed(BINS, "/form/schema", {"title": "x" * 70_000}))
    assert "/test_cases/0/data" in _refused(changed(BINS, "/test_cases/0/data", {"a": float("nan")}))
    assert "/test_cases/0/data" in _refused(changed(BINS, "/test_cases/0/data", {"a": "\ud800"}))


def test_the_town_s_own_text_stands_before_the_master_text() -> None:
    master = {**BINS["texts"][0], "text": "Vom Land.", "source": {"level": "state", "name": "Land"}}
    both = service({**BINS, "texts": [BINS["texts"][0], master]})
    assert both.text(TextModule.SHORT_DESCRIPTION, "de") == BINS["texts"][0]["text"]
    assert service({**BINS, "texts": [master]}).text(TextModule.SHORT_DESCRIPTION, "de") == "Vom Land."
    assert both.text(TextModule.SHORT_DESCRIPTION, "fr") is None


def test_a_condition_knows_its_operator() -> None:
    assert Condition(path="a", equals=False).operator == ("equals", False)
    assert Condition(path="a", present=False).operator == ("present", False)
    assert Condition(path="a", max=0).operator == ("max", 0)


@given(st.text(min_size=1, max_size=50))
def test_a_line_is_taken_as_it_is_or_refused(text: str) -> None:
    try:
        taken = Localized(de=text, en="x")
    except ValidationError:
        return
    assert taken.de == text
    assert text.isprintable() or "\u00a0" in text
    assert text == text.strip()
