"""Bounds and rounding of amounts, which are whole cents everywhere."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

MAX_CENTS = 99_999_999
"""The highest amount that an event, a fee or a payment can have."""


def times(number: float, cents: int) -> int:
    """A number times an amount, in whole cents; half a cent is rounded away from zero."""
    return int((Decimal(str(number)) * cents).quantize(Decimal(1), ROUND_HALF_UP))
