"""Conditions on the data of a form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.forms import holds, value_at
from services.catalog.format import Condition

DATA: dict[str, Any] = {"size": "80", "persons": 3, "owner": True, "bin": {"litres": 80.0}, "nothing": None}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"path": "size", "equals": "80"}, True),
        ({"path": "size", "equals": 80}, False),
        ({"path": "size", "one_of": ["60", "80"]}, True),
        ({"path": "size", "one_of": ["60"]}, False),
        ({"path": "persons", "min": 3}, True),
        ({"path": "persons", "min": 4}, False),
        ({"path": "persons", "max": 3}, True),
        ({"path": "persons", "max": 2.5}, False),
        ({"path": "size", "min": 1}, False),
        ({"path": "owner", "equals": True}, True),
        ({"path": "owner", "equals": 1}, False),
        ({"path": "owner", "min": 0}, False),
        ({"path": "bin.litres", "equals": 80}, True),
        ({"path": "bin.colour", "equals": "grey"}, False),
        ({"path": "bin.colour", "present": False}, True),
        ({"path": "bin.litres", "present": True}, True),
        ({"path": "size.x", "present": True}, False),
        ({"path": "nothing", "present": True}, True),
    ],
)
def test_conditions(condition: dict[str, Any], expected: bool) -> None:
    assert holds([Condition.model_validate(condition)], DATA) is expected


def test_all_must_hold_and_none_always_do() -> None:
    right, wrong = Condition(path="persons", max=6), Condition(path="persons", max=1)
    assert holds([], {})
    assert not holds([right, wrong], DATA)


def test_missing_values_are_none() -> None:
    assert value_at(DATA, "bin.litres") == 80
    assert value_at(DATA, "bin.colour.shade") is None


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_min_and_max_include_their_limit(value: int, limit: int) -> None:
    data = {"n": value}
    assert holds([Condition(path="n", min=limit)], data) == (value >= limit)
    assert holds([Condition(path="n", max=limit)], data) == (value <= limit)
