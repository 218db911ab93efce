"""Which placeholders there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_format.placeholders import Placeholder, PlaceholderKind, fill, has_stray_braces, parse, placeholder_names


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("case.reference", Placeholder(PlaceholderKind.CASE_REFERENCE, "")),
        ("form.name", Placeholder(PlaceholderKind.FORM, "name")),
        ("form.bin.size_2", Placeholder(PlaceholderKind.FORM, "bin.size_2")),
        ("result.since", Placeholder(PlaceholderKind.RESULT, "since")),
        ("result.a.b", None),
        ("form.", None),
        ("form.children[].name", None),
        (" form.name", None),
        ("form.name\n", None),
        ("form.Name", None),
        ("case.number", None),
        ("", None),
    ],
)
def test_what_braces_name(inside: str, expected: Placeholder | None) -> None:
    assert parse(inside) == expected
    if expected is not None:
        assert str(expected) == "{{" + inside + "}}"


def test_names_come_once_in_order() -> None:
    texts = ["{{form.b}} {{result.x}}", "{{form.a}} {{form.b}} {{form.B}}"]
    assert placeholder_names(texts, PlaceholderKind.FORM) == ("b", "a")
    assert placeholder_names(texts, PlaceholderKind.RESULT) == ("x",)


@pytest.mark.parametrize(("text", "stray"), [("{{form.a}} { }", False), ("{{form.a} }}", True), ("{{{{a}}", True)])
def test_braces_that_surround_nothing(text: str, stray: bool) -> None:
    assert has_stray_braces(text) is stray


@given(st.text())
def test_what_is_put_in_is_not_read_again(value: str) -> None:
    assert fill("{{form.a}}{{x}}", lambda _: value) == value + "{{x}}"
