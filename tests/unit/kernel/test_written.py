"""Dates and amounts as people read them."""

from __future__ import annotations

from datetime import date

import pytest

from kernel.written import written_amount, written_date, written_decimal


@pytest.mark.parametrize(
    ("day", "de", "en"),
    [
        (date(2026, 3, 9), "9. März 2026", "9 March 2026"),
        (date(2026, 12, 31), "31. Dezember 2026", "31 December 2026"),
        (date(1950, 1, 1), "1. Januar 1950", "1 January 1950"),
    ],
)
def test_dates(day: date, de: str, en: str) -> None:
    assert (written_date(day, "de"), written_date(day, "en")) == (de, en)


@pytest.mark.parametrize(
    ("cents", "currency", "de", "en"),
    [
        (1100, "EUR", "11,00 €", "€11.00"),
        (5, "EUR", "0,05 €", "€0.05"),
        (12_345_678, "EUR", "123.456,78 €", "€123,456.78"),
        (100, "CHF", "1,00 CHF", "CHF 1.00"),
    ],
)
def test_amounts(cents: int, currency: str, de: str, en: str) -> None:
    assert (written_amount(cents, currency, "de"), written_amount(cents, currency, "en")) == (de, en)


def test_decimals() -> None:
    assert (written_decimal(2.5, "de"), written_decimal(2.5, "en")) == ("2,5", "2.5")
