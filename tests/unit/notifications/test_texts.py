"""What can't be shown is replaced, so that everybody sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.texts import one_line, showable


@pytest.mark.parametrize(
    "text",
    [
        "Größe Straße ÄÖÜ ẞ € „so“ ‚so‘ – — … § ½ ²",
        "Đorđević Łukasz Ñuñez Þórður Čapek Ştefan Nguyễn Žižek Ŵ",  # DIN 91379
        "Ελλάδα Київ",
    ],
)
def test_european_names_stay(text: str) -> None:
    assert showable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Gut 😀", "Gut [U+1F600]"),
        ("a\x00b\x07c", "a[U+0000]b[U+0007]c"),
        ("漢", "[U+6F22]"),
        ("שלום", "[U+05E9][U+05DC][U+05D5][U+05DD]"),
        ("100\u202e001", "100[U+202E]001"),  # would turn the digits round
        ("a\u200bb", "a[U+200B]b"),
        ("\ud800", "[U+D800]"),
        ("\ufffd", "[U+FFFD]"),
    ],
)
def test_what_cannot_be_shown_is_replaced_visibly(text: str, shown: str) -> None:
    assert showable(text) == shown


def test_letters_are_composed() -> None:
    assert showable("Mu\u0308ller") == "Müller"


def test_lines_stay_lines_and_one_line_is_one() -> None:
    assert showable("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd e"
    assert one_line(" a\nb \t c\u2029") == "a b c"


def test_blanks_of_other_widths_are_blanks() -> None:
    assert showable("§\u202f5\u2003Abs.\u2009\u00a01") == "§ 5 Abs. \u00a01"


@given(st.text())
def test_nothing_else_is_left(text: str) -> None:
    shown = showable(text)
    assert showable(shown) == shown
    assert len(shown) >= len(shown.strip())
