"""Texts for people: German first, English second."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
"""German first: it is the official language (VwVfG § 23 (1))."""


class Bilingual(BaseModel):
    """The same in German and English."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)

    de: str = Field(examples=["Mülltonne tauschen"])
    en: str = Field("", examples=["Change your waste bin"])
    """Empty where there is no translation."""

    def in_language(self, language: Language) -> str:
        """The text in a language; German where it isn't translated."""
        return (self.en or self.de) if language == "en" else self.de

    def complete(self) -> Bilingual:
        """With German in place of a missing translation."""
        return Bilingual(de=self.de, en=self.in_language("en"))
