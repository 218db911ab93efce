"""The texts of a notice with their placeholders filled in: for the citizen's notice and for the reviewer's preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from kernel.characters import composed
from kernel.texts import Bilingual, Language
from kernel.written import written_date, written_decimal
from service_format.conditions import MISSING, value_at
from service_format.placeholders import Placeholder, PlaceholderKind, fill

EMPTY = "–"
"""What was left empty."""
_YES, _NO = Bilingual(de="ja", en="yes"), Bilingual(de="nein", en="no")


class ParagraphsTemplate(Protocol):
    """Paragraphs in both languages; without English ones, the German ones stand for them."""

    @property
    def de(self) -> Sequence[str]: ...
    @property
    def en(self) -> Sequence[str]: ...


class FactTemplate(Protocol):
    """A line of the notice's table."""

    @property
    def label(self) -> Bilingual: ...
    @property
    def value(self) -> str: ...


class NoticeTemplate(Protocol):
    """The texts of a notice, with placeholders."""

    @property
    def title(self) -> Bilingual: ...
    @property
    def paragraphs(self) -> ParagraphsTemplate: ...
    @property
    def facts(self) -> Sequence[FactTemplate]: ...


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """How the values of a form's field are written."""

    is_date: bool = False
    labels: Mapping[str, Bilingual] = field(default_factory=dict)
    """Of the codes of its code list."""


@dataclass(frozen=True, slots=True)
class Values:
    """What placeholders are replaced by."""

    data: Any
    """Of the form."""
    case_reference: str
    results: Mapping[str, str]
    """By key; what is missing is empty."""
    formats: Mapping[str, FieldFormat]
    """By the path of the field."""


@dataclass(frozen=True, slots=True)
class FactText:
    """A line of the notice's table in one language."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a notice says in one language."""

    title: str
    paragraphs: tuple[str, ...]
    facts: tuple[FactText, ...]


def templates_of(notice: NoticeTemplate) -> tuple[str, ...]:
    """Every text of a notice that may hold placeholders."""
    return (
        notice.title.de,
        notice.title.en,
        *notice.paragraphs.de,
        *notice.paragraphs.en,
        *(fact.value for fact in notice.facts),
    )


def render(notice: NoticeTemplate, values: Values, language: Language) -> NoticeText:
    """The texts of a notice in a language, with their placeholders filled in."""

    def _filled(text: str) -> str:
        return fill(text, lambda placeholder: _value(placeholder, values, language))

    paragraphs = (notice.paragraphs.en or notice.paragraphs.de) if language == "en" else notice.paragraphs.de
    return NoticeText(
        title=_filled(notice.title.in_language(language)),
        paragraphs=tuple(_filled(each) for each in paragraphs),
        facts=tuple(FactText(each.label.in_language(language), _filled(each.value)) for each in notice.facts),
    )


def _value(placeholder: Placeholder, values: Values, language: Language) -> str:
    match placeholder.kind:
        case PlaceholderKind.CASE_REFERENCE:
            return values.case_reference
        case PlaceholderKind.RESULT:
            return composed(values.results.get(placeholder.name, "")).strip() or EMPTY
        case PlaceholderKind.FORM:
            how = values.formats.get(placeholder.name, FieldFormat())
            return _written(value_at(values.data, placeholder.name), how, language)


def _written(value: Any, how: FieldFormat, language: Language) -> str:
    match value:
        case _ if value is MISSING or value is None or value in ("", [], {}):
            return EMPTY
        case bool():
            return (_YES if value else _NO).in_language(language)
        case list():
            return ", ".join(_written(each, how, language) for each in value)
        case float():
            return written_decimal(value, language)
        case str() | int():
            return _text(str(value), how, language)
        case _:
            return EMPTY


def _text(text: str, how: FieldFormat, language: Language) -> str:
    label = how.labels.get(text)
    if label is not None:
        return label.in_language(language)
    return _date(text, language) if how.is_date else composed(text).strip()


def _date(text: str, language: Language) -> str:
    """An ISO date as people read it; anything else as it is."""
    try:
        return written_date(date.fromisoformat(text), language)
    except ValueError:
        return text
