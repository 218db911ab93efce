"""The JSON Schema of a form: its validator, and what it says of a field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import jsonschema_rs

from service_format.model import Json

MAX_DEFINITIONS = 200
"""Of one schema; as many references to one another are followed."""


class KnownCodeList(Protocol):
    """What is read of a code list to find it."""

    @property
    def urn(self) -> str: ...
    @property
    def version(self) -> str: ...


L = TypeVar("L", bound=KnownCodeList)


def validator(schema: Json) -> jsonschema_rs.Draft202012Validator:
    """Nothing is fetched, formats count, patterns take linear time, and messages don't quote the data.

    Raises:
        jsonschema_rs.ValidationError: it isn't a valid schema.
    """
    return jsonschema_rs.Draft202012Validator(
        schema, offline=True, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions(), mask="…"
    )


def definition(root: Json, reference: Any) -> Json | None:
    """What `#/$defs/<name>` names."""
    if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
        return None
    named = root.get("$defs")
    found = named.get(reference.removeprefix("#/$defs/")) if isinstance(named, dict) else None
    return found if isinstance(found, dict) else None


def resolved(root: Json, schema: Json) -> Json:
    """A schema with the reference that it consists of followed; what stands beside the reference wins."""
    for _ in range(MAX_DEFINITIONS):
        referred = definition(root, schema.get("$ref"))
        if referred is None:
            break
        own = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = {**referred, **own}
    return schema


def schema_at(root: Json, path: str) -> Json | None:
    """The schema of a field outside repeatable groups, references followed. Also of drafts that aren't sound."""
    schema = resolved(root, root)
    for name in path.split("."):
        properties = schema.get("properties")
        child = properties.get(name) if isinstance(properties, dict) else None
        if not isinstance(child, dict):
            return None
        schema = resolved(root, child)
    return schema


def code_list_of(schema: Json | None, code_lists: Iterable[L]) -> L | None:
    """The code list that a field's schema names by `x-code-list`."""
    named = schema.get("x-code-list") if schema else None
    if not isinstance(named, dict):
        return None
    wanted = named.get("urn"), named.get("version")
    return next((each for each in code_lists if (each.urn, each.version) == wanted), None)


def is_date(schema: Json | None) -> bool:
    """Whether a field's values are dates."""
    return schema is not None and schema.get("format") == "date"
