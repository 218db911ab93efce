"""Texts about a service, in its languages, with who wrote them and who answers for them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from contracts.values import Term
from kernel.texts import Bilingual
from service_format.model import STRICT, Language, Line, Model, Paragraph, Prose, Url, Urn


class Localized(Bilingual):
    """One line in both languages."""

    model_config = STRICT

    de: Line
    en: Line


class LocalizedText(Bilingual):
    """A longer text in both languages."""

    model_config = STRICT

    de: Prose
    en: Prose


class LocalizedParagraphs(Model):
    """Paragraphs in both languages."""

    de: Annotated[tuple[Paragraph, ...], Field(min_length=1, max_length=50)]
    en: Annotated[tuple[Paragraph, ...], Field(min_length=1, max_length=50)]


class LocalizedWords(Model):
    """Words by which people search, in both languages."""

    de: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    en: Annotated[tuple[Line, ...], Field(max_length=100)] = ()


class ExternalId(Model):
    """The service's id elsewhere."""

    scheme: Line
    """Such as `urn:de:fim:leika:leistung` or the name of a portal."""
    id: Line


class CodedTerm(Model):
    """A term of a published list, by its code."""

    list: Urn
    code: Line
    labels: Localized | None = None


class TextModule(Term):
    """What a text tells (the modules of XZuFi; its code numbers are mapped on import)."""

    SHORT_DESCRIPTION = "short_description"
    FULL_DESCRIPTION = "full_description"
    REQUIREMENTS = "requirements"
    DOCUMENTS = "documents"
    COSTS = "costs"
    PROCEDURE = "procedure"
    DURATION = "duration"
    DEADLINES = "deadlines"
    LEGAL_BASES = "legal_bases"
    REMEDY = "remedy"
    NOTES = "notes"


class Level(Term):
    """Who wrote a text. The later in this list, the nearer: it stands before the master texts of those above."""

    FEDERATION = "federation"
    STATE = "state"
    DISTRICT = "district"
    TOWN = "town"


class TextSource(Model):
    """Where a text is from."""

    level: Level
    name: Line
    id: Line | None = None
    """Of the master text in its own catalogue."""
    url: Url | None = None


class TextApproval(Model):
    """Who answers for a text."""

    status: Literal["sample", "draft", "approved"]
    by: Line | None = None
    """The body that approved, not a person."""
    on: date | None = None


class Text(Model):
    """One module in one language from one source."""

    module: TextModule
    language: Language
    text: Prose
    source: TextSource
    approval: TextApproval
