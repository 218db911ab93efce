"""The form of a service: which JSON Schemas are accepted, which fields there are, what holds of its data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernel.json_pointer import pointer
from service_format.form_schema import resolved
from service_format.model import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MOST_FIELDS = 500
DEEPEST_DATA = 20
LONGEST_STRING = 10_000
MOST_ITEMS = 1_000

_MAPS = ("properties", "$defs", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    "items",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
)
_ABOUT = ("$schema", "$comment", "$ref", "title", "description", "default", "examples", "deprecated")
_ACCESS = ("readOnly", "writeOnly", "x-fim", "x-code-list")
_ANY = ("type", "enum", "const", "format", "required", "dependentRequired")
_LENGTHS = ("minProperties", "maxProperties", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains")
_VALUES = (
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
)
KEYWORDS = frozenset({*_MAPS, *_LISTS, *_SINGLE, *_ABOUT, *_ACCESS, *_ANY, *_LENGTHS, *_VALUES})
"""What a schema may say. Left out on purpose: whatever changes where references lead ($id, $anchor, $dynamicRef)."""
TYPES = frozenset({"string", "integer", "number", "boolean", "object", "array"})
FORMATS = frozenset({"date", "time", "date-time", "email", "uuid", "uri"})
SHORT_FORMATS = frozenset({"date", "time", "date-time", "uuid"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form."""

    path: str
    """Names joined by dots; `[]` after a repeatable group."""
    pointer: str
    """Where its schema stands, within the form's."""
    schema: Json
    """References followed."""

    @property
    def repeated(self) -> bool:
        """Whether it is inside a repeatable group."""
        return "[]" in self.path

    @property
    def scalar(self) -> bool:
        """Whether its value is one string, number or bool."""
        return self.schema.get("type") not in {"object", "array"}

    @property
    def numeric(self) -> bool:
        """Whether its value is a number."""
        return self.schema.get("type") in {"integer", "number"}


class TooManyFields(ValueError):
    """References multiply into more fields than a form may have."""


def children(schema: Json) -> Iterator[tuple[str, Any]]:
    """The schemas directly within a schema, by pointer."""
    for keyword in _MAPS:
        named = schema.get(keyword)
        if isinstance(named, dict):
            yield from ((pointer(keyword, name), child) for name, child in named.items())
    for keyword in _LISTS:
        listed = schema.get(keyword)
        if isinstance(listed, list):
            yield from ((pointer(keyword, n), child) for n, child in enumerate(listed))
    yield from ((f"/{keyword}", schema[keyword]) for keyword in _SINGLE if keyword in schema)


def schemas(root: Json, at: str = "") -> Iterator[tuple[str, Json]]:
    """Every schema within a schema, itself first, by pointer."""
    yield at, root
    for place, child in children(root):
        if isinstance(child, dict):
            yield from schemas(child, at + place)


def goes_round(root: Json) -> bool:
    """Whether references lead back to where they come from: data could then be nested without end."""
    waiting = {f"#/$defs/{name}": _references(each) for name, each in root.get("$defs", {}).items()}
    while waiting:
        free = [name for name, wanted in waiting.items() if not wanted & waiting.keys()]
        if not free:
            return True
        for name in free:
            del waiting[name]
    return False


def _references(schema: Any) -> set[str]:
    return {str(each["$ref"]) for _, each in schemas(schema) if "$ref" in each} if isinstance(schema, dict) else set()


def fields(root: Json) -> tuple[Field, ...]:
    """Every field, groups too. For schemas that don't go round.

    Raises:
        TooManyFields: more than 500, or nested more than 20 deep.
    """
    found: list[Field] = []

    def _collect(path: str, place: str, schema: Json, depth: int) -> None:
        schema = resolved(root, schema)
        if path:
            found.append(Field(path, place, schema))
        if len(found) > MOST_FIELDS or depth > DEEPEST_DATA:
            raise TooManyFields
        properties = schema.get("properties")
        if isinstance(properties, dict):
            for name, child in properties.items():
                if isinstance(child, dict):
                    _collect(f"{path}.{name}" if path else name, place + pointer("properties", name), child, depth + 1)
        items = schema.get("items")
        if isinstance(items, dict) and path:
            _collect(f"{path}[]", f"{place}/items", items, depth + 1)

    _collect("", "", root, 0)
    return tuple(found)
