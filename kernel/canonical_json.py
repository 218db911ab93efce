"""JSON in its one canonical form (RFC 8785), and hashes of it.

Form data and services as data are stored as canonical text: it can't be changed by accident, its hash is that of what
is stored, and names of properties that a database would read as operators (`$ref`, `a.b`) stay plain text.
"""

from __future__ import annotations

import hashlib
import json
import math
from decimal import Decimal
from typing import Any

_encoded = json.JSONEncoder(ensure_ascii=False).encode


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
            return _encoded(value)
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


def content_hash(value: Any) -> str:
    """SHA-256 of the canonical text of a JSON value, in lower-case hexadecimal.

    Raises:
        ValueError: not a JSON value.
    """
    return sha256(canonical(value))
