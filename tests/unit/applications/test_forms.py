"""Findings: exact pointers, our own words, never the citizen's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernel.canonical_json import canonical
from kernel.json_pointer import pointer
from services.applications.domain import forms

SECRET = "Geheimnis"


def _check(schema: dict[str, Any], data: Any) -> list[tuple[str, str]]:
    return [(each.pointer, each.code) for each in forms.check(canonical(schema), data)]


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


@pytest.mark.parametrize(
    ("schema", "value", "code"),
    [
        ({"type": "string"}, 1, "type"),
        ({"type": "string", "format": "date"}, SECRET, "format"),
        ({"type": "string", "format": "email"}, SECRET, "format"),
        ({"type": "string", "pattern": "^[0-9]+$"}, SECRET, "pattern"),
        ({"type": "string", "minLength": 20}, SECRET, "minLength"),
        ({"type": "string", "minLength": 1}, "", "minLength"),
        ({"type": "string", "maxLength": 3}, SECRET, "maxLength"),
        ({"type": "integer", "minimum": 3}, 1, "minimum"),
        ({"type": "integer", "maximum": 3}, 4, "maximum"),
        ({"type": "number", "exclusiveMinimum": 3}, 3, "exclusiveMinimum"),
        ({"type": "number", "exclusiveMaximum": 3}, 3, "exclusiveMaximum"),
        ({"type": "array", "maxItems": 1}, [1, 2], "maxItems"),
        ({"type": "array", "minItems": 1}, [], "minItems"),
        ({"type": "array", "uniqueItems": True}, [1, 1], "uniqueItems"),
        ({"enum": ["a", "b"]}, SECRET, "enum"),
        ({"const": "a"}, SECRET, "const"),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, SECRET, "anyOf"),
        ({"not": {"type": "string"}}, SECRET, "not"),
        (False, SECRET, "falseSchema"),
        ({"type": "number", "multipleOf": 5}, 3, "multipleOf"),
    ],
)
def test_each_kind_of_error_has_our_own_message(schema: Any, value: Any, code: str) -> None:
    (found,) = forms.check(canonical(_object(field=schema)), {"field": value})
    assert (found.pointer, found.code) == ("/data/field", code)
    assert found.message.de
    assert found.message.en
    assert SECRET not in json.dumps(found.as_json())
    assert "{" not in found.message.de + found.message.en


def test_what_is_missing_or_unexpected_is_pointed_at() -> None:
    schema = _object(a=_object(b={"type": "string"}) | {"required": ["b", "c/d"]})
    assert set(_check(schema, {"a": {"x~y": 1, "z": 2}})) == {
        ("/data/a/x~0y", "additionalProperties"),
        ("/data/a/z", "additionalProperties"),
        ("/data/a/b", "required"),
        ("/data/a/c~1d", "required"),
    }


def test_places_in_arrays_are_numbers() -> None:
    schema = _object(rows={"type": "array", "items": {"type": "integer"}})
    assert _check(schema, {"rows": [1, "x", 2, "y"]}) == [("/data/rows/1", "type"), ("/data/rows/3", "type")]


def test_pointers_escape() -> None:
    assert pointer("a/b", "c~d", 0) == "/a~1b/c~0d/0"


def test_findings_are_bounded() -> None:
    schema = _object(rows={"type": "array", "items": {"type": "integer"}})
    assert len(_check(schema, {"rows": ["x"] * 1000})) == 100


@pytest.mark.parametrize("target", ["https://example.org/schema.json", "file:///etc/passwd"])
def test_a_form_that_points_outside_is_not_usable(target: str) -> None:
    assert not forms.usable(canonical(_object(a={"$ref": target})))


def test_a_form_with_a_pattern_that_could_take_forever_is_not_usable() -> None:
    assert not forms.usable(canonical(_object(a={"type": "string", "pattern": "^(?=a)b"})))
    assert forms.usable(canonical(_object(a={"type": "string", "pattern": "^(a+)+$"})))
