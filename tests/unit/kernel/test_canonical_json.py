"""Canonical JSON (RFC 8785)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.canonical_json import canonical, content_hash, sha256

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [  # RFC 8785 appendix B, and ECMA-262
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1e21, "1e+21"),
        (999999999999999900000.0, "999999999999999900000"),
        (333333333.3333333, "333333333.3333333"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (-3.5, "-3.5"),
        (4.50, "4.5"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(value: float, text: str) -> None:
    assert canonical(value) == text


def test_the_example_of_rfc_8785() -> None:
    given_ = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(given_) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_names_are_sorted_by_utf16_code_units() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(canonical(dict.fromkeys(names, 0)))) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


def test_the_hash_is_of_utf8() -> None:
    assert sha256("ä") == "33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc"


@given(JSON)
@settings(deadline=None)
def test_canonical_text_is_the_same_value_and_stays_the_same(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text, parse_int=float) == json.loads(json.dumps(value), parse_int=float)  # as ECMAScript reads
    assert canonical(json.loads(text)) == text


def test_a_content_hash_is_that_of_the_canonical_text() -> None:
    assert content_hash({"b": ["ü", None], "a": True}) == sha256('{"a":true,"b":["ü",null]}')


EVERYDAY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.integers(1, 10**9).map(lambda number: number + 0.5)
    | st.text(st.characters(max_codepoint=0xD7FF)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=0xD7FF), max_size=5), inner, max_size=4)
    ),
)


@given(EVERYDAY)
@settings(deadline=None)
def test_documents_hashed_before_rfc_8785_keep_their_bytes(value: Any) -> None:
    """Service versions and evidence were once written by Python's own sorting and numbers.

    Only numbers such as 1.0 or 1e-5, and names beyond the Basic Multilingual Plane, were written otherwise.
    """
    earlier = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical(value) == earlier


def test_only_json_has_a_canonical_form() -> None:
    with pytest.raises(ValueError, match="object"):
        canonical(object())
