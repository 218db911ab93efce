"""What the models of the format have in common: the base class, and the kinds of texts, names and JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from kernel.canonical_json import canonical
from kernel.characters import unprintable


def _line(value: str) -> str:
    if value != value.strip():
        raise ValueError("no blanks at the beginning or end")
    return _printable(value)


def _printable(value: str, *, lines: bool = False) -> str:
    found = unprintable(value, lines=lines)
    if found:
        raise ValueError(f"the character {found[0]} can't be printed in our documents")
    return value


def _prose(value: str) -> str:
    return _printable(value, lines=True)


Line = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_line)]
"""One line of printable text."""
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_line)]
"""One paragraph of printable text, without line breaks."""
Prose = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(_prose)]
"""Printable text with line breaks."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?(-x-[a-z0-9]{1,8})?$")]
"""BCP 47; `de-x-leicht` for plain German."""
Url = Annotated[str, StringConstraints(pattern=r"^https://[a-zA-Z0-9.-]+(/[!-~]*)?$", max_length=500)]
"""An address on the web, https only."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
"""A slug within its list."""
Urn = Annotated[str, StringConstraints(pattern=r"^urn:[a-z0-9][a-z0-9-]{1,31}:[!-~]+$", max_length=200)]
"""RFC 8141."""

NAME = r"[a-z][a-z0-9_]*"
"""The name of a form's field."""
FieldPath = Annotated[str, StringConstraints(pattern=rf"^{NAME}(\.{NAME})*$", max_length=200)]
"""A field of the form outside repeatable groups."""
AnyFieldPath = Annotated[str, StringConstraints(pattern=rf"^{NAME}(\[\])?(\.{NAME}(\[\])?)*$", max_length=200)]
"""A field of the form; `[]` after the name of a repeatable group."""


STRICT = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, serialize_by_alias=True)
"""What isn't known is refused."""


class Model(BaseModel):
    """Frozen, and it refuses what it doesn't know."""

    model_config = STRICT


Json = dict[str, Any]

DEEPEST = 24
LONGEST_JSON_BYTES = 65_536


def _bounded(value: Json) -> Json:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        nested = [each for each in level if isinstance(each, dict | list)]
        level = [child for each in nested for child in (each.values() if isinstance(each, dict) else each)]
    if any(isinstance(each, dict | list) for each in level):
        raise ValueError(f"nested more than {DEEPEST} deep")
    if len(canonical(value).encode()) > LONGEST_JSON_BYTES:
        raise ValueError(f"longer than {LONGEST_JSON_BYTES} bytes")
    return value


BoundedJson = Annotated[Json, AfterValidator(_bounded)]
"""A JSON object of bounded depth and length."""
