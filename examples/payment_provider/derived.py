"""The derived OpenAPI description as the one source of shapes: this program has no second copy of its patterns.

OpenAPI 3.0's schemas differ from JSON Schema in a few keywords (`nullable`, a boolean `exclusiveMinimum`) that this
file does not use, so that its schemas are JSON Schemas as they stand.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

DOCUMENT: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "xbezahldienste-derived-openapi.json").read_text(encoding="utf-8")
)
LARGEST: Final = Decimal(10**9)


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


_payment_request = jsonschema_rs.validator_for(schema("PaymentRequest"), offline=True, validate_formats=True)
_identifier = jsonschema_rs.validator_for(DOCUMENT["components"]["parameters"]["originatorId"]["schema"], offline=True)


def is_identifier(value: str) -> bool:
    """Whether the value can be an originatorId, an endPointId or a requestId: the three share one pattern."""
    return _identifier.is_valid(value)


def faults(request: object) -> list[str]:
    """Where a payment request breaks the derived schema. Names places and rules, and never quotes what was sent."""
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'request'}: {error.kind.name}"
        for error in _payment_request.iter_errors(request)
    ]


def parse(text: str) -> Any:
    """JSON with its numbers as written, so that sums are exact. Raises ValueError for anything else."""
    try:
        return json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(text: str) -> Decimal | int:
    if len(text) > 32:
        raise ValueError("a number is too long")
    number = Decimal(text)
    if not number.is_finite() or not -LARGEST <= number <= LARGEST:
        raise ValueError("a number is out of range")
    return int(number) if text.lstrip("-").isdigit() else number
