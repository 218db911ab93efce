"""Dates and amounts as people read them, in German and English."""

from __future__ import annotations

from datetime import date

from kernel.texts import Language

_MONTHS: dict[Language, tuple[str, ...]] = {
    "de": (
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}
_SIGNS = {"EUR": "€"}
_SWAP_SEPARATORS = str.maketrans(",.", ".,")


def written_date(day: date, language: Language) -> str:
    """As in a letter (DIN 5008): `9. März 2026`, `9 March 2026`. Doesn't depend on the machine's locale."""
    month = _MONTHS[language][day.month - 1]
    return f"{day.day}. {month} {day.year}" if language == "de" else f"{day.day} {month} {day.year}"


def written_decimal(number: float, language: Language) -> str:
    """With a decimal comma in German, a point in English: `2,5`, `2.5`."""
    return str(number).replace(".", ",") if language == "de" else str(number)


def written_amount(cents: int, currency: str, language: Language) -> str:
    """An amount of cents: `1.234,50 €`, `€1,234.50`; a currency without a sign by its code (ISO 4217)."""
    sign = _SIGNS.get(currency, currency)
    english = f"{cents // 100:,}.{cents % 100:02d}"
    if language == "en":
        return f"{sign}{english}" if currency in _SIGNS else f"{sign} {english}"
    return f"{english.translate(_SWAP_SEPARATORS)} {sign}"
