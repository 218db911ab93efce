"""One renderer: what a reviewer sees is what the citizen gets."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.applications import Outcome
from kernel.texts import LANGUAGES, Language
from service_format.placeholders import PlaceholderKind, placeholder_names
from service_format.rendering import templates_of
from services.applications.domain import notices, services
from services.catalog.domain.preview import notice_preview
from tests.unit.catalog.samples import guide_example, service

CODES = [
    {"code": "a", "labels": {"de": "Größe A", "en": "size A"}},
    {"code": "1", "labels": {"de": "eins", "en": "one"}},
]
CODED = {"$ref": "#/$defs/coded"}
PROPERTIES: dict[str, Any] = {
    "text": {"type": "string"},
    "day": {"type": "string", "format": "date"},
    "number": {"type": "number"},
    "whole": {"type": "integer"},
    "flag": {"type": "boolean"},
    "coded": CODED,
    "coded_number": {"type": "integer", "x-code-list": {"urn": "urn:de:rathaus:sample", "version": "1"}},
    "texts": {"type": "array", "items": {"type": "string"}},
    "group": {"type": "object", "properties": {"inner": {"type": "string"}, "since": {"$ref": "#/$defs/day"}}},
}
SCHEMA = {
    "type": "object",
    "properties": PROPERTIES,
    "$defs": {
        "coded": {"type": "string", "x-code-list": {"urn": "urn:de:rathaus:sample", "version": "1"}},
        "day": {"type": "string", "format": "date"},
    },
}
NAMES = [
    *(f"form.{name}" for name in PROPERTIES),
    "form.group.inner",
    "form.group.since",
    "form.unknown",
    "result.since",
    "case.reference",
    "no placeholder",
    "form.texts[].x",
    "",
]

# What a form's data may hold: also what doesn't fit its field, since a test case may say anything.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.dates().map(str)
    | st.sampled_from(["", "a", "1", "–", "{{case.reference}}", " A\u0308\r\nb "])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from(["inner", "since", "x"]), SCALARS)
DATA = st.dictionaries(st.sampled_from(list(PROPERTIES)), VALUES)
WORDS = st.sampled_from(["Ihre Tonne", "Grüße:", "{", "}}", "ab"])
TEMPLATES = st.lists(WORDS | st.sampled_from(NAMES).map(lambda name: "{{" + name + "}}"), min_size=1, max_size=4).map(
    " ".join
)


def _document(data: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    title, other_title, paragraph, other_paragraph, fact = texts
    return {
        **guide_example(),
        "form": {
            "schema": SCHEMA,
            "code_lists": [{"urn": "urn:de:rathaus:sample", "version": "1", "codes": CODES}],
        },
        "notice": {
            "title": {"de": title, "en": other_title},
            "paragraphs": {"de": [paragraph, title], "en": [other_paragraph]},
            "facts": [{"label": {"de": "Angabe", "en": "Detail"}, "value": fact}],
        },
        "test_cases": [{"name": "any", "data": data, "expected": "valid"}],
    }


def _notice(document: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The citizen's notice, with the names of what the preview can't know in place of it."""
    terms = services.read({"version": 1, **service(document).model_dump(mode="json")}).terms
    results = {
        key: "{{result." + key + "}}" for key in placeholder_names(templates_of(terms.notice), PlaceholderKind.RESULT)
    }
    ruling = notices.Ruling("d", Outcome.GRANTED, date(2026, 3, 9), by_rule=False, result=results)
    return notices.content(terms, data, "{{case.reference}}", ruling)


def _in(value: str | dict[str, str], language: Language) -> str:
    return value if isinstance(value, str) else value[language]


@given(DATA, st.lists(TEMPLATES, min_size=5, max_size=5))
@settings(deadline=None)
def test_the_preview_is_the_notice(data: dict[str, Any], texts: list[str]) -> None:
    document = _document(data, texts)
    preview, notice = notice_preview(service(document)), _notice(document, data)
    assert preview is not None
    for language in LANGUAGES:
        assert preview[language] == {
            "title": notice["title"][language],
            "paragraphs": notice["paragraphs"][language],
            "facts": [
                {"label": row["label"][language], "value": _in(row["value"], language)} for row in notice["facts"]
            ],
        }


@pytest.mark.parametrize(
    ("name", "value", "de", "en"),
    [
        ("day", "2026-03-09", "9. März 2026", "9 March 2026"),
        ("day", "soon", "soon", "soon"),
        ("number", 2.5, "2,5", "2.5"),
        ("texts", ["a", "b"], "a, b", "a, b"),
        ("flag", True, "ja", "yes"),
        ("coded", "a", "Größe A", "size A"),
        ("coded_number", 1, "eins", "one"),
        ("group.since", "2026-03-09", "9. März 2026", "9 March 2026"),
        ("group", {}, "–", "–"),
    ],
)
def test_a_reviewer_sees_values_as_people_read_them(name: str, value: Any, de: str, en: str) -> None:
    outer, _, inner = name.partition(".")
    data = {outer: {inner: value} if inner else value}
    preview = notice_preview(service(_document(data, ["t", "t", "t", "t", "{{form." + name + "}}"])))
    assert preview is not None
    assert [preview[each]["facts"][0]["value"] for each in LANGUAGES] == [de, en]
