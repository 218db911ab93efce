"""JSON in its one canonical form (RFC 8785), and what a citizen's JSON may be at most (I-JSON, RFC 7493).

Form data is kept as canonical text: it can't be changed by accident, its hash is that of what is stored, and names of
properties that the database would read as operators (`$ref`, `a.b`) stay plain text.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chassis.errors import Invalid, TooLarge

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


def canonical(value: Any) -> str:
    """The canonical text of a JSON value (RFC 8785): sorted by UTF-16 code units, no white space, ECMAScript numbers.

    Raises:
        ValueError: not a JSON value.
    """
    match value:
        case dict():
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
        case list() | tuple():
            return "[" + ",".join(canonical(each) for each in value) + "]"
        case float():
            return _number(value)
        case None | bool() | str() | int():
            return json.dumps(value, ensure_ascii=False)
        case _:
            raise ValueError(f"{type(value).__name__} is not JSON")


def _number(value: float) -> str:
    """As ECMAScript writes it (ECMA-262, Number::toString)."""
    if not math.isfinite(value):
        raise ValueError("not a number of JSON")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    figures = "".join(map(str, digits))
    length, point = len(figures), len(figures) + int(exponent)
    minus = "-" if sign else ""
    if length <= point <= 21:
        return minus + figures + "0" * (point - length)
    if 0 < point <= 21:
        return f"{minus}{figures[:point]}.{figures[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{figures}"
    mantissa = figures[0] + ("." + figures[1:] if length > 1 else "")
    return f"{minus}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def sha256(text: str) -> str:
    """SHA-256 of the text in UTF-8, in lower-case hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


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
