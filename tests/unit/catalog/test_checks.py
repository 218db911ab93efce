"""What is found before publishing, and where."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.catalog.domain.checks import findings
from services.catalog.domain.preview import notice_preview
from tests.unit.catalog.samples import ABSENT, TOWNS, changed, guide_example, sample, service

TODAY = date(2026, 11, 2)
BINS = sample("steinhagen", "waste-bin-change")
CERTIFICATE = sample("witten", "registration-certificate")
SERVICES = sorted(TOWNS.glob("*/services/*.json"))


def _found(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding.pointer, finding.code) for finding in findings(service(document), TODAY)}


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.stem)
def test_nothing_is_wrong_in_the_samples(file: Path) -> None:
    assert _found(sample(file.parts[-3], file.stem)) == set()


def test_nothing_is_wrong_in_the_guide() -> None:
    assert _found(guide_example()) == set()


SCHEMA = "/form/schema"
STREET = f"{SCHEMA}/properties/street"
RULE = "/procedure/automation/rule/conditions/0"
STRING = {"type": "string", "maxLength": 100}


@pytest.mark.parametrize(
    ("pointer", "value", "where", "code"),
    [
        # validity
        ("/valid_to", "2025-12-31", "/valid_to", "ends_before_it_begins"),
        ("/valid_to", "2026-11-01", "/valid_to", "already_over"),
        ("/responsibilities/0/valid_from", "2027-01-01", None, None),
        # online
        ("/form", None, "/form", "needed_online"),
        ("/notice", None, "/notice", "needed_online"),
        ("/procedure", None, "/procedure", "needed_online"),
        ("/test_cases", [], "/test_cases", "needed_online"),
        ("/channels/-", {"kind": "online"}, "/channels/1", "repeated"),
        ("/texts", [], "/texts", "short_description_missing"),
        ("/texts/-", BINS["texts"][0], "/texts/7", "repeated"),
        # schema
        (f"{SCHEMA}/$schema", "http://json-schema.org/draft-07/schema#", f"{SCHEMA}/$schema", "other_dialect"),
        (f"{SCHEMA}/type", ABSENT, f"{SCHEMA}/type", "not_an_object"),
        (f"{SCHEMA}/additionalProperties", ABSENT, f"{SCHEMA}/additionalProperties", "not_closed"),
        (f"{SCHEMA}/$id", "https://elsewhere.example/", f"{SCHEMA}/$id", "unknown_keyword"),
        (f"{STREET}/maxlength", 5, f"{STREET}/maxlength", "unknown_keyword"),
        (f"{STREET}/maxLength", ABSENT, f"{STREET}/maxLength", "unbounded"),
        (f"{STREET}/type", ABSENT, f"{STREET}/type", "type_missing"),
        (f"{STREET}/type", ["string", "null"], f"{STREET}/type", "type_missing"),
        (f"{STREET}/type", "text", f"{STREET}/type", "not_a_schema"),
        (f"{STREET}/format", "phone", f"{STREET}/format", "unknown_format"),
        (f"{STREET}/pattern", "(", f"{SCHEMA}", "not_a_schema"),
        (f"{STREET}/pattern", r"(a)\1", f"{SCHEMA}", "not_a_schema"),
        (STREET, True, STREET, "type_missing"),
        (STREET, {"$ref": "https://elsewhere.example/x"}, f"{STREET}/$ref", "reference_leads_nowhere"),
        (STREET, {"$ref": "file:///etc/passwd"}, f"{STREET}/$ref", "reference_leads_nowhere"),
        (STREET, {"$ref": "#/$defs/nothing"}, f"{STREET}/$ref", "reference_leads_nowhere"),
        (STREET, {"type": "object", "properties": {}}, f"{STREET}/additionalProperties", "not_closed"),
        (STREET, {"type": "array", "items": STRING}, f"{STREET}/maxItems", "unbounded"),
        (STREET, {"type": "array", "maxItems": 3}, f"{STREET}/items", "items_missing"),
        (f"{SCHEMA}/properties/Straße", STRING, f"{SCHEMA}/properties/Straße", "name_not_accepted"),
        (f"{SCHEMA}/properties/a~1b", STRING, f"{SCHEMA}/properties/a~1b", "name_not_accepted"),
        (f"{STREET}/x-fim", "F60000227", f"{STREET}/x-fim", "malformed"),
        # code lists, hints
        ("/form/code_lists", [], f"{SCHEMA}/properties/new_size/x-code-list", "code_list_missing"),
        (f"{SCHEMA}/properties/new_size/enum", ["60"], f"{SCHEMA}/properties/new_size/enum", "codes_differ"),
        ("/form/ui/fields/street", ABSENT, "/form/ui/fields/street", "labels_missing"),
        ("/form/ui/fields/road", BINS["form"]["ui"]["fields"]["street"], "/form/ui/fields/road", "no_such_field"),
        ("/form/ui/groups/0/fields/0", "road", "/form/ui/groups/0/fields/0", "no_such_field"),
        ("/form/ui/groups/1/fields/-", "street", "/form/ui/groups/1/fields/1", "repeated"),
        # conditions
        (RULE, {"path": "road", "present": True}, f"{RULE}/path", "no_such_field"),
        (RULE, {"path": "street", "min": 1}, f"{RULE}/min", "not_a_number"),
        (RULE, {"path": "new_size", "equals": "7"}, f"{RULE}/equals", "never_true"),
        (RULE, {"path": "persons", "equals": "7"}, f"{RULE}/equals", "never_true"),
        # notice
        ("/notice/title/de", "{{form.road}}", "/notice/title/de", "no_such_field"),
        ("/notice/title/en", "{{ form.street }}", "/notice/title/en", "unknown_placeholder"),
        ("/notice/title/en", "{{account.iban}}", "/notice/title/en", "unknown_placeholder"),
        ("/notice/title/de", "{{form.street", "/notice/title/de", "braces_left_open"),
        ("/notice/title/de", "{{{{form.street}}}}", "/notice/title/de", "braces_left_open"),
        ("/notice/paragraphs/en/0", "{{result.key}}", "/notice/paragraphs/en/0", "no_result_by_rule"),
        ("/notice/facts/0/value", "{{form.street.name}}", "/notice/facts/0/value", "no_such_field"),
        # test cases
        ("/test_cases/0/expected", "invalid", "/test_cases/0/expected", "came_out_otherwise"),
        ("/test_cases/3/expected", "valid", "/test_cases/3/expected", "came_out_otherwise"),
        ("/test_cases/0/decided_by_rule", False, "/test_cases/0/decided_by_rule", "came_out_otherwise"),
        ("/test_cases/1/decided_by_rule", True, "/test_cases/1/decided_by_rule", "came_out_otherwise"),
        ("/test_cases/1/name", "usual size", "/test_cases/1", "repeated"),
    ],
)
def test_finds_what_is_wrong(pointer: str, value: Any, where: str | None, code: str | None) -> None:
    found = _found(changed(BINS, pointer, value))
    if where is None:
        assert found == set()
    else:
        assert any(at.startswith(where) and what == code for at, what in found), found


@pytest.mark.parametrize(
    ("pointer", "value", "where", "code"),
    [
        ("/channels/0/payment_methods", [], "/channels/0/payment_methods", "payment_method_missing"),
        ("/fees/-", CERTIFICATE["fees"][0], "/fees/1", "repeated"),
        ("/fees/0/amount/cents", 0, "/fees/0/amount/cents", "no_fee"),
        ("/fees/0/conditions", [{"path": "plan", "present": True}], "/fees/0/conditions/0/path", "no_such_field"),
        (
            "/fees/-",
            {**CERTIFICATE["fees"][0], "id": "other", "amount": {"cents": 1, "currency": "CHF"}},
            "/fees/1",
            "currencies_differ",
        ),
        (
            "/fees/-",
            {**CERTIFICATE["fees"][0], "id": "copies", "amount": None, "rule": {"path": "purpose", "cents_each": 1}},
            "/fees/1/rule/path",
            "no_such_number",
        ),
        (
            "/documents",
            [{"id": "plan", "labels": {"de": "Plan", "en": "Plan"}, "condition": {"path": "x", "present": True}}],
            "/documents/0/condition/path",
            "no_such_field",
        ),
    ],
)
def test_finds_what_is_wrong_in_fees_and_documents(pointer: str, value: Any, where: str, code: str) -> None:
    assert (where, code) in _found(changed(CERTIFICATE, pointer, value))


def test_a_text_without_an_end_does_not_hide_what_else_is_wrong() -> None:
    unbounded = changed(BINS, f"{STREET}/maxLength", ABSENT)
    assert _found(unbounded) == {(f"{STREET}/maxLength", "unbounded")}
    both = changed(unbounded, "/notice/facts/0/value", "{{form.nothing}}")
    assert _found(both) == {(f"{STREET}/maxLength", "unbounded"), ("/notice/facts/0/value", "no_such_field")}


def test_a_reference_that_goes_round_is_found() -> None:
    there = changed(
        changed(BINS, f"{SCHEMA}/$defs", {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}),
        STREET,
        {"$ref": "#/$defs/a"},
    )
    assert (SCHEMA, "goes_round") in _found(there)


def test_a_form_that_nests_itself_is_found() -> None:
    person = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"child": {"$ref": "#/$defs/person"}},
    }
    assert (SCHEMA, "goes_round") in _found(changed(BINS, f"{SCHEMA}/$defs", {"person": person}))


def test_references_that_multiply_are_found() -> None:
    """Each definition names the next one ten times: ten to the power of twelve fields."""
    levels = {
        f"l{n}": {
            "type": "object",
            "additionalProperties": False,
            "properties": {f"f{m}": {"$ref": f"#/$defs/l{n + 1}"} for m in range(10)},
        }
        for n in range(12)
    }
    there = changed(BINS, f"{SCHEMA}/$defs", {**levels, "l12": STRING})
    assert (SCHEMA, "too_many_fields") in _found(changed(there, STREET, {"$ref": "#/$defs/l0"}))


def test_a_long_chain_of_references_is_found() -> None:
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(199)} | {"d199": STRING}
    assert _found(changed(changed(BINS, f"{SCHEMA}/$defs", chain), STREET, {"$ref": "#/$defs/d0"})) == set()
    longer = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(1500)} | {"d1500": STRING}
    assert (f"{SCHEMA}/$defs", "too_many_definitions") in _found(changed(BINS, f"{SCHEMA}/$defs", longer))


def test_repeatable_groups_can_be_asked_for_but_not_printed() -> None:
    group = {
        "type": "array",
        "maxItems": 5,
        "items": {"type": "object", "additionalProperties": False, "properties": {"name": STRING}},
    }
    labels = {"labels": {"de": "Name", "en": "Name"}}
    there = changed(changed(BINS, f"{SCHEMA}/properties/children", group), "/form/ui/fields/children[].name", labels)
    assert _found(there) == set()
    assert ("/notice/title/de", "no_such_field") in _found(changed(there, "/notice/title/de", "{{form.children}}"))


def test_the_preview_reads_as_the_notice_will() -> None:
    preview = notice_preview(service(BINS))
    assert preview is not None
    assert preview["de"]["facts"][1] == {"label": "Neue Größe", "value": "120 Liter"}
    assert preview["en"]["facts"][1] == {"label": "New size", "value": "120 litres"}
    assert "{{case.reference}}" in preview["de"]["paragraphs"][1], "not known before there is a case"
    assert notice_preview(service(sample("witten", "bulky-waste"))) is None


def test_the_preview_of_a_broken_draft_still_shows_something() -> None:
    broken = changed(changed(BINS, f"{SCHEMA}/properties", 5), "/test_cases", [])
    preview = notice_preview(service(broken))
    assert preview is not None
    assert preview["de"]["facts"][1]["value"] == "–"
