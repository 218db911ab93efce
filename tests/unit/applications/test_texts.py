"""Sentences for citizens."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from contracts.values import Money
from kernel.texts import Bilingual, Language
from services.applications import texts
from services.applications.domain.state import Status
from services.applications.domain.timeline import TimelineCode, TimelineEntry
from tests.support.cases import NOW


def test_every_code_has_its_sentences() -> None:
    assert set(texts.TIMELINE) == set(TimelineCode)


def test_every_code_is_used() -> None:
    source = "".join(file.read_text() for file in (Path(texts.__file__).parent / "domain").glob("*.py"))
    assert [code for code in TimelineCode if f"TimelineCode.{code.name}" not in source] == []


@pytest.mark.parametrize("code", TimelineCode)
@pytest.mark.parametrize("language", ["de", "en"])
def test_sentences_are_whole(code: TimelineCode, language: Language) -> None:
    text = texts.sentence(TimelineEntry(code.value, NOW, date(2026, 3, 9), Money(cents=1100)), language)
    assert re.fullmatch(r"[A-ZÄÖÜ].*\.", text)
    assert not set("{}_") & set(text)


@pytest.mark.parametrize("sentence", [*texts.TIMELINE.values(), *texts.STATUS.values()])
def test_no_jargon(sentence: Bilingual) -> None:
    jargon = {"bekanntgabe", "bekannt gegeben", "verwaltungsakt", "bereitstellung", "§", "case_", "kassenzeichen", "id"}
    assert not jargon & set(re.findall(r"[\w§]+", sentence.de.lower()))


def test_every_status_has_its_words() -> None:
    assert set(texts.STATUS) == set(Status)
