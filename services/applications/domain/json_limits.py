"""What JSON from outside may be at most (I-JSON, RFC 7493), so that it means the same everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from chassis.errors import Invalid, TooLarge
from kernel.canonical_json import canonical

LARGEST_INTEGER = 2**53 - 1
"""Beyond it a number isn't the same everywhere (RFC 7493 § 2.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What JSON from outside may be at most."""

    depth: int = 16
    """Levels of objects and arrays."""
    values: int = 5_000
    """Values in all."""
    characters: int = 200_000
    """Of the canonical text."""


def admit(value: Any, limits: Limits) -> str:
    """The canonical text of JSON from outside.

    Raises:
        TooLarge: nested too deeply, too many values, or too long.
        Invalid: a number or text that isn't the same everywhere (RFC 7493).
    """
    _check(value, limits)
    text = canonical(value)
    if len(text) > limits.characters:
        raise TooLarge(f"at most {limits.characters} characters are accepted", limit=limits.characters)
    return text


def _check(value: Any, limits: Limits) -> None:
    """Level by level, so that the depth of what is checked is no matter."""
    level, depth, count = [value], 0, 0
    while level:
        count += len(level)
        if count > limits.values:
            raise TooLarge(f"at most {limits.values} values are accepted", limit=limits.values)
        below: list[Any] = []
        for each in level:
            below.extend(_within(each))
        depth += 1 if below else 0
        if depth > limits.depth:
            raise TooLarge(f"at most {limits.depth} levels of nesting are accepted", limit=limits.depth)
        level = below


def _within(value: Any) -> list[Any]:
    match value:
        case bool() | None:
            return []
        case str():
            return _text(value)
        case int() | float():
            return _figure(value)
        case dict():
            return [*value, *value.values()]
        case _:
            return list(value)


def _text(value: str) -> list[Any]:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid("a text holds half of a character (RFC 7493 § 2.1)") from None
    return []


def _figure(value: float) -> list[Any]:
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise Invalid("a whole number is too large to be the same everywhere (RFC 7493 § 2.2)")
    if not math.isfinite(value):
        raise Invalid("a number is not one of JSON (RFC 8259 § 6)")
    return []
