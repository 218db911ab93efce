"""The rule of announcement, by the days of the calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.applications import ProceduralLaw
from services.notifications.rules import RULES, VWVFG_41_2A, AnnouncementRule, rule_for, rule_named


@pytest.mark.parametrize(
    ("retrieved", "announced"),
    [
        (date(2026, 3, 9), date(2026, 3, 10)),
        (date(2026, 12, 31), date(2027, 1, 1)),
        (date(2028, 2, 28), date(2028, 2, 29)),
        (date(2028, 2, 29), date(2028, 3, 1)),
        (date(2026, 3, 28), date(2026, 3, 29)),  # the day that summer time begins
        (date(2026, 3, 6), date(2026, 3, 7)),  # a Saturday: it stays
    ],
)
def test_announced_on_the_day_after_retrieval(retrieved: date, announced: date) -> None:
    assert VWVFG_41_2A.announced_on(retrieved) == announced


@pytest.mark.parametrize(
    ("sent", "last"),
    [
        (date(2026, 3, 9), date(2026, 3, 19)),
        (date(2026, 12, 24), date(2027, 1, 3)),
        (date(2028, 2, 20), date(2028, 3, 1)),
        (date(2026, 10, 20), date(2026, 10, 30)),
    ],
)
def test_provision_lasts_ten_days_after_the_day_of_sending(sent: date, last: date) -> None:
    assert VWVFG_41_2A.provision_ends_on(sent) == last


@given(st.dates(date(2017, 1, 1), date(2100, 1, 1)))
def test_days_are_counted_by_the_calendar_whatever_the_year(day: date) -> None:
    assert VWVFG_41_2A.announced_on(day) - day == timedelta(days=1)
    assert VWVFG_41_2A.provision_ends_on(day) - day == timedelta(days=10)


def test_only_the_law_that_has_a_rule_here_gets_one() -> None:
    assert rule_for(ProceduralLaw.VWVFG, date(2026, 3, 9)) is VWVFG_41_2A
    assert rule_for(ProceduralLaw.SGB_X, date(2026, 3, 9)) is None
    assert rule_for(ProceduralLaw.KAG_AO, date(2026, 3, 9)) is None


def test_no_rule_before_it_was_in_force() -> None:
    assert rule_for(ProceduralLaw.VWVFG, date(2016, 12, 31)) is None
    assert rule_for(ProceduralLaw.VWVFG, date(2017, 1, 1)) is VWVFG_41_2A


def test_a_change_of_law_is_a_new_version_and_the_old_one_stays() -> None:
    old = AnnouncementRule("a", 1, ProceduralLaw.VWVFG, date(2017, 1, 1), date(2029, 12, 31), 10, 1, "test")
    new = AnnouncementRule("a", 2, ProceduralLaw.VWVFG, date(2030, 1, 1), None, 14, 1, "test")
    rules = (old, new)
    assert rule_for(ProceduralLaw.VWVFG, date(2029, 12, 31), rules) is old
    assert rule_for(ProceduralLaw.VWVFG, date(2030, 1, 1), rules) is new
    assert rule_named("a", 1, rules) is old
    with pytest.raises(LookupError):
        rule_named("a", 3, rules)


def test_rules_of_one_law_do_not_overlap() -> None:
    for one in RULES:
        for other in RULES:
            if one is not other and one.law is other.law:
                assert not other.in_force(one.valid_from)
