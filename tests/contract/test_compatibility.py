"""The checker finds each kind of break, and lets additions pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from contracts.compatibility import breaks
from contracts.generate import schemas

Json = dict[str, Any]
Change = Callable[[Json], object]

RELEASED: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://rathaus.example/contracts/paid.v1.json",
    "title": "Paid",
    "description": "Somebody paid.",
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]{4}$"},
        "on": {"type": "string", "format": "date"},
        "amount": {"$ref": "#/$defs/Money"},
        "earlier": {"anyOf": [{"$ref": "#/$defs/Money"}, {"type": "null"}], "default": None},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "default": []},
        "level": {"$ref": "#/$defs/Level"},
    },
    "required": ["id", "amount", "level"],
    "$defs": {
        "Money": {
            "type": "object",
            "properties": {"cents": {"type": "integer", "minimum": 0, "maximum": 99}, "currency": {"type": "string"}},
            "required": ["cents"],
        },
        "Item": {
            "type": "object",
            "properties": {"amount": {"$ref": "#/$defs/Money"}, "parts": {"items": {"$ref": "#/$defs/Item"}}},
        },
        "Level": {"type": "string", "enum": ["low", "high"]},
    },
}


def changed(change: Change) -> Json:
    current = copy.deepcopy(RELEASED)
    change(current)
    return current


def found(change: Change) -> list[str]:
    return [str(finding) for finding in breaks(RELEASED, changed(change))]


def _rename_definition(s: Json) -> None:
    s["$defs"]["Amount"] = s["$defs"].pop("Money")
    s["properties"]["amount"]["$ref"] = "#/$defs/Amount"
    s["properties"]["earlier"]["anyOf"][0]["$ref"] = "#/$defs/Amount"
    s["$defs"]["Item"]["properties"]["amount"]["$ref"] = "#/$defs/Amount"


ADDITIONS: dict[str, Change] = {
    "nothing": lambda s: None,
    "optional property": lambda s: s["properties"].update(note={"type": "string"}),
    "optional property of a part": lambda s: s["$defs"]["Money"]["properties"].update(scale={"type": "integer"}),
    "words": lambda s: s.update(title="Was paid", description="They paid.", examples=[{}]),
    "words of a field": lambda s: s["properties"]["id"].update(description="Of the payment.", deprecated=True),
    "definition that nothing uses": lambda s: s["$defs"].update(New={"type": "string"}),
    "definition renamed": _rename_definition,
    "definition written out": lambda s: s["properties"].update(level={"type": "string", "enum": ["low", "high"]}),
    "order": lambda s: (s["required"].reverse(), s["$defs"]["Level"]["enum"].reverse()),
}

MONEY = "$.properties.amount.properties"
BREAKS: dict[str, tuple[Change, str]] = {
    "property removed": (lambda s: s["properties"].pop("on"), "$.properties.on: the property was removed"),
    "property renamed": (
        lambda s: s["properties"].update(day=s["properties"].pop("on")),
        "$.properties.on: the property was removed",
    ),
    "type changed": (
        lambda s: s["properties"]["id"].update(type="integer"),
        '$.properties.id.type: "string" became "integer"',
    ),
    "pattern changed": (
        lambda s: s["properties"]["id"].update(pattern="^[0-9]{5}$"),
        '$.properties.id.pattern: "^[0-9]{4}$" became "^[0-9]{5}$"',
    ),
    "pattern removed": (
        lambda s: s["properties"]["id"].pop("pattern"),
        '$.properties.id.pattern: "^[0-9]{4}$" was removed',
    ),
    "pattern added": (
        lambda s: s["properties"]["on"].update(pattern="^2"),
        '$.properties.on.pattern: "^2" was added',
    ),
    "format changed": (
        lambda s: s["properties"]["on"].update(format="date-time"),
        '$.properties.on.format: "date" became "date-time"',
    ),
    "limit raised": (
        lambda s: s["$defs"]["Money"]["properties"]["cents"].update(maximum=100),
        f"{MONEY}.cents.maximum: 99 became 100",
    ),
    "limit lowered": (
        lambda s: s["$defs"]["Money"]["properties"]["cents"].update(minimum=-1),
        f"{MONEY}.cents.minimum: 0 became -1",
    ),
    "length limited": (
        lambda s: s["properties"]["id"].update(maxLength=3),
        "$.properties.id.maxLength: 3 was added",
    ),
    "optional became required": (
        lambda s: s["required"].append("on"),
        "$.required: on was optional and became required: events told before lack it",
    ),
    "optional of a part became required": (
        lambda s: s["$defs"]["Money"]["required"].append("currency"),
        "$.properties.amount.required: currency was optional and became required: events told before lack it",
    ),
    "required became optional": (
        lambda s: s["required"].remove("amount"),
        "$.required: amount is no longer required: readers count on it",
    ),
    "new property required": (
        lambda s: (s["properties"].update(note={"type": "string"}), s["required"].append("note")),
        "$.required: note is new and must be optional: events told before lack it",
    ),
    "term added": (
        lambda s: s["$defs"]["Level"]["enum"].append("middle"),
        '$.properties.level.enum: "middle" was added: the list is closed',
    ),
    "term removed": (
        lambda s: s["$defs"]["Level"]["enum"].remove("high"),
        '$.properties.level.enum: "high" was removed',
    ),
    "list opened": (
        lambda s: s["$defs"]["Level"].pop("enum"),
        "$.properties.level.enum: a closed list was removed",
    ),
    "list closed": (
        lambda s: s["$defs"]["Money"]["properties"]["currency"].update(enum=["EUR"]),
        f"{MONEY}.currency.enum: a closed list was added",
    ),
    "may be null now": (
        lambda s: s["properties"].update(on={"anyOf": [s["properties"]["on"], {"type": "null"}]}),
        '$.properties.on.type: "string" was removed',
    ),
    "may be null no more": (
        lambda s: s["properties"]["earlier"]["anyOf"].pop(),
        "$.properties.earlier.anyOf: 2 alternatives became 1",
    ),
    "alternative changed": (
        lambda s: s["properties"]["earlier"]["anyOf"][0].update({"$ref": "#/$defs/Item"}),
        "$.properties.earlier.anyOf[0].properties.cents: the property was removed",
    ),
    "items changed": (
        lambda s: s["properties"]["items"].update(items={"type": "string"}),
        '$.properties.items.items.type: "object" became "string"',
    ),
    "other definition": (
        lambda s: s["properties"]["amount"].update({"$ref": "#/$defs/Level"}),
        "$.properties.amount.properties.cents: the property was removed",
    ),
    "default changed": (
        lambda s: s["properties"]["items"].update(default=None),
        "$.properties.items.default: [] became null",
    ),
    "additions forbidden": (
        lambda s: s.update(additionalProperties=False),
        "$.additionalProperties: false was added",
    ),
    "other dialect": (
        lambda s: s.update({"$schema": "http://json-schema.org/draft-07/schema#"}),
        '$.$schema: "https://json-schema.org/draft/2020-12/schema" became "http://json-schema.org/draft-07/schema#"',
    ),
    "other id": (
        lambda s: s.update({"$id": "urn:other"}),
        '$.$id: "https://rathaus.example/contracts/paid.v1.json" became "urn:other"',
    ),
}


@pytest.mark.parametrize("change", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_an_addition_passes(change: Change) -> None:
    assert found(change) == []


@pytest.mark.parametrize(("change", "finding"), BREAKS.values(), ids=BREAKS.keys())
def test_a_break_is_found(change: Change, finding: str) -> None:
    assert finding in found(change)


def test_a_break_in_a_part_is_found_wherever_the_part_is_used() -> None:
    paths = {line.split(":")[0] for line in found(lambda s: s["$defs"]["Money"]["properties"].pop("currency"))}
    assert paths == {
        "$.properties.amount.properties.currency",
        "$.properties.earlier.anyOf[0].properties.currency",
        "$.properties.items.items.properties.amount.properties.currency",
    }


def test_references_out_of_the_document_are_refused() -> None:
    with pytest.raises(ValueError, match="same document"):
        found(lambda s: s["properties"]["amount"].update({"$ref": "https://elsewhere.example/money.json"}))


@pytest.mark.parametrize("name", schemas())
def test_our_own_schemas_stand_by_themselves_and_miss_each_property(name: str) -> None:
    schema = schemas()[name]
    assert breaks(schema, copy.deepcopy(schema)) == []
    for field in schema["properties"]:
        current = copy.deepcopy(schema)
        del current["properties"][field]
        assert [finding.path for finding in breaks(schema, current)] == [f"$.properties.{field}"]
