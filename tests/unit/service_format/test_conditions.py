"""Conditions on the data of a form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service_format.conditions import MISSING, Condition, all_hold, holds, value_at
from services.applications.domain.services import Condition as KeptCondition

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
    assert holds(Condition.model_validate(condition), DATA) is expected


def test_all_must_hold_and_none_always_do() -> None:
    right, wrong = Condition(path="persons", max=6), Condition(path="persons", max=1)
    assert all_hold([], {})
    assert not all_hold([right, wrong], DATA)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_min_and_max_include_their_limit(value: int, limit: int) -> None:
    data = {"n": value}
    assert holds(Condition(path="n", min=limit), data) == (value >= limit)
    assert holds(Condition(path="n", max=limit), data) == (value <= limit)


@pytest.mark.parametrize(
    ("condition", "true_of", "false_of"),
    [
        ({"equals": 1}, [{"a": 1}, {"a": 1.0}], [{"a": True}, {"a": "1"}, {}]),
        ({"equals": False}, [{"a": False}], [{"a": 0}, {}]),
        ({"one_of": ["x", "y"]}, [{"a": "y"}], [{"a": "z"}, {}]),
        ({"one_of": []}, [], [{"a": "z"}, {}]),
        ({"min": 2}, [{"a": 2}, {"a": 2.5}], [{"a": 1}, {"a": "3"}, {"a": True}, {}]),
        ({"max": 2, "min": None}, [{"a": 2}], [{"a": 3}, {"a": None}]),
        ({"present": True}, [{"a": 1}, {"a": None}], [{}, {"b": 1}]),
        ({"present": False}, [{}], [{"a": 1}]),
        ({}, [], [{"a": 1}, {}]),
    ],
)
def test_statements_of_versions_read_earlier(
    condition: dict[str, Any], true_of: list[Any], false_of: list[Any]
) -> None:
    made = KeptCondition(path="a", **condition)
    assert all(holds(made, each) for each in true_of)
    assert not any(holds(made, each) for each in false_of)


def test_paths_go_through_objects_only() -> None:
    assert value_at({"a": {"b": 0}}, "a.b") == 0
    assert value_at({"a": [{"b": 1}]}, "a.0") is MISSING
    assert value_at({"a.b": 1}, "a.b") is MISSING


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-10, 10), st.floats(-10, 10))
@settings(deadline=None)
def test_bounds_are_inclusive(value: float, low: float, high: float) -> None:
    assert holds(KeptCondition(path="a", min=low, max=high), {"a": value}) is (low <= value <= high)
