"""Legal days and stored instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.legal_days import legal_date, start_of
from kernel.timestamps import rfc3339

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 3, 2, 22, 59, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(2026, 3, 2, 23, 0, tzinfo=UTC), date(2026, 3, 3)),
        (datetime(2026, 7, 2, 22, 0, tzinfo=UTC), date(2026, 7, 3)),
    ],
)
def test_a_day_begins_at_midnight_in_berlin(at: datetime, day: date) -> None:
    assert legal_date(at) == day


@given(DAYS)
def test_days_follow_each_other_without_a_gap(day: date) -> None:
    assert legal_date(start_of(day)) == day
    assert legal_date(start_of(day) - timedelta(microseconds=1)) == day - timedelta(days=1)


@given(INSTANTS, INSTANTS)
def test_stored_texts_sort_in_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) is (one < other)


def test_stored_texts_are_in_utc() -> None:
    there = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 3, 9, 9, 30, tzinfo=there)) == "2026-03-09T07:30:00.000000Z"
