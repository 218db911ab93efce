"""Characters that a document can show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.characters import DIN_91379, PRINTABLE, unprintable

STANDARD = json.loads(Path(__file__).with_name("din-91379.json").read_text(encoding="utf-8"))
GROUPS = {
    group: [bytes.fromhex("".join(point.zfill(8) for point in each.split())).decode("utf-32-be") for each in listed]
    for group, points in STANDARD["groups"].items()
    if (listed := points.split(" / "))
}
LAYOUT = {"\t", "\n", "\r"}


@pytest.mark.parametrize("group", GROUPS)
def test_every_character_and_sequence_of_the_standard_can_be_printed(group: str) -> None:
    assert [each for each in GROUPS[group] if each not in LAYOUT and unprintable(each)] == []


def test_the_ranges_are_those_of_the_standard() -> None:
    listed = {chr(point) for first, last in DIN_91379 for point in range(first, last + 1)}
    assert listed == {point for group in GROUPS.values() for each in group for point in each} - LAYOUT


@pytest.mark.parametrize("text", ["Ángela Straße-Ñandú", "Đorđević", "Łukasz Żółć", "Ünal Ğ", "„Zitat“ – 5 €", "Иван"])
def test_names_of_people_here_can_be_printed(text: str) -> None:
    assert unprintable(text) == ()


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("a\x00b", ("U+0000",)),
        ("a\nb", ("U+000A",)),
        ("😀😀", ("U+1F600",)),
        ("山", ("U+5C71",)),
        ("a\u202eb", ("U+202E",)),
        ("a\u00adb\u200b", ("U+00AD", "U+200B")),
        ("שלום", ("U+05E9", "U+05DC", "U+05D5", "U+05DD")),
    ],
)
def test_what_cannot_be_printed_is_told(text: str, points: tuple[str, ...]) -> None:
    assert unprintable(text) == points


@given(st.text(st.sampled_from(sorted(PRINTABLE))))
def test_composing_leads_to_nothing_unprintable(text: str) -> None:
    assert unprintable(text) == ()
