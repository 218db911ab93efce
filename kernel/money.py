"""Bounds of amounts, which are whole cents everywhere."""

MAX_CENTS = 99_999_999
"""The highest amount that an event, a fee or a payment can have."""
