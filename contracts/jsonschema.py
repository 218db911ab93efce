"""JSON Schemas (2020-12) of the events and of the envelope's headers, made from the models."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from contracts import values
from contracts.envelope import CONTENT_TYPE, SCHEMA_BASE, SEQUENCE_DIGITS, Envelope, Event
from contracts.examples import EXAMPLES, envelope_of
from contracts.values import ValueType

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_ID = f"{SCHEMA_BASE}/envelope.json"


class _Generator(GenerateJsonSchema):
    """Leaves out titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


def value_types() -> dict[str, Any]:
    """The aliases of `contracts.values` that carry a `ValueType`, by its name."""
    return {
        mark.name: alias
        for alias in vars(values).values()
        if get_origin(alias) is Annotated
        for mark in get_args(alias)
        if isinstance(mark, ValueType)
    }


def _schema(of: Any) -> Json:
    return TypeAdapter(of).json_schema(mode="serialization", schema_generator=_Generator)


_VALUES: dict[str, Json] = {name: _schema(alias) for name, alias in value_types().items()}


def event_schema(event: type[Event]) -> Json:
    """What `data` of an event looks like. Fields may be added within a version, so none are forbidden."""
    return _document(event.schema_id(), _schema(event), EXAMPLES[event].model_dump(mode="json"))


def envelope_schema() -> Json:
    """What the Kafka headers of an event look like, each decoded from UTF-8."""
    made = _schema(Envelope)
    properties = {f"ce_{name}": _as_header(field) for name, field in made["properties"].items()}
    properties["ce_sequence"]["pattern"] = f"^[0-9]{{{SEQUENCE_DIGITS}}}$"
    made["properties"] = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        **properties,
        "content-type": {"type": "string", "const": CONTENT_TYPE},
    }
    made["required"] = ["ce_specversion", *(f"ce_{name}" for name in [*made["required"], "epoch"]), "content-type"]
    return _document(ENVELOPE_ID, made, headers_of(next(iter(EXAMPLES.values()))))


def headers_of(example: Event) -> dict[str, str]:
    """The headers of an example as text."""
    return {name: value.decode() for name, value in envelope_of(example).headers()}


def _as_header(field: Json) -> Json:
    """A header is text, and absent rather than null."""
    kept = {name: value for name, value in field.items() if name not in {"anyOf", "default"}}
    first = field.get("anyOf", [{}])[0]
    merged = {**first, **kept}
    if merged.get("type") != "integer":
        return merged
    text = {name: value for name, value in merged.items() if name != "minimum"}
    return {**text, "type": "string", "pattern": "^[0-9]+$"}


def _document(schema_id: str, made: Json, example: Json) -> Json:
    """In reading order: what it is, its fields, an example, the definitions."""
    definitions: Json = {}
    parts = {name: _name_values(part, definitions) for name, part in made.pop("$defs", {}).items()}
    body = _name_values(made, definitions)
    leading = {key: body.pop(key) for key in ("title", "description", "type", "properties", "required")}
    definitions |= parts
    return {
        "$schema": DIALECT,
        "$id": schema_id,
        **leading,
        **body,
        "examples": [example],
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def _name_values(node: Any, definitions: Json) -> Any:
    """Replaces each value type that is spelled out in a field by a reference to its definition."""
    if isinstance(node, list):
        return [_name_values(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get("title")
    if not isinstance(name, str) or name not in _VALUES:
        return {key: _name_values(value, definitions) for key, value in node.items()}
    value = _VALUES[name]
    if any(node.get(key) != value[key] for key in value if key != "description"):
        return node  # narrowed in the field: it stays spelled out
    definitions[name] = value
    own = {key: kept for key, kept in node.items() if value.get(key) != kept}
    return {"$ref": f"#/$defs/{name}", **own}
