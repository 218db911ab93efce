"""Legal days: calendar days in Europe/Berlin, on which deadlines, validity and receipt are counted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
"""Legal days are days in this zone."""


def legal_date(at: datetime) -> date:
    """The calendar day in Europe/Berlin of an instant."""
    return at.astimezone(BERLIN).date()


def start_of(day: date) -> datetime:
    """The first instant of a legal day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
