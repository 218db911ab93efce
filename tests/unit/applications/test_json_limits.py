"""The limits for JSON from outside."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Invalid, TooLarge
from kernel.canonical_json import canonical
from services.applications.domain.json_limits import Limits, admit

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@settings(deadline=None)
def test_what_is_within_the_limits_is_admitted_as_it_is(value: Any) -> None:
    assert admit(value, Limits(depth=40, values=1000, characters=100_000)) == canonical(value)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_is_limited_without_running_out_of_stack() -> None:
    assert admit(_nested(16), Limits()) == "[" * 16 + "1" + "]" * 16
    with pytest.raises(TooLarge):
        admit(_nested(17), Limits())
    with pytest.raises(TooLarge):
        admit(_nested(900_000 // 10), Limits())


@pytest.mark.parametrize("value", [list(range(5_001)), ["x" * 200_001]])
def test_size_is_limited(value: Any) -> None:
    with pytest.raises(TooLarge):
        admit(value, Limits())


@pytest.mark.parametrize("value", [2**53, -(2**53), 10**400, float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_is_not_the_same_everywhere_is_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        admit([value], Limits())
