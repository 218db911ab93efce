"""Texts for people: German first, English second."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
"""German is the official language (VwVfG § 23 (1))."""


class Bilingual(BaseModel):
    """The same in German and English."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    de: str
    en: str = ""
    """Empty where there is no translation."""

    def in_language(self, language: Language) -> str:
        """The text in a language; German where it isn't translated."""
        return (self.en or self.de) if language == "en" else self.de

    def in_both(self) -> dict[str, str]:
        """As JSON, with German where it isn't translated."""
        return {each: self.in_language(each) for each in LANGUAGES}

    def format(self, **values: str) -> Bilingual:
        """With the same values put into both languages; what is put in isn't read for braces."""
        return Bilingual(de=self.de.format(**values), en=self.en.format(**values))
