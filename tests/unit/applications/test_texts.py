"""Sentences for citizens."""

from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import pytest

from contracts.values import Money
from kernel.texts import Bilingual, Language
from services.applications import texts
from services.applications.domain.state import Status, TimelineEntry
from tests.support.cases import NOW

DOMAIN = Path(texts.__file__).parent / "domain"


def _codes_written() -> set[str]:
    """Every code that the domain writes, found in its source."""
    found: set[str] = set()
    for file in DOMAIN.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "with_timeline_entry"
            ):
                first = node.args[0]
                found |= {first.value} if isinstance(first, ast.Constant) else set()
    return found


def test_every_code_has_its_sentences_and_none_is_left_over() -> None:
    built = {
        "fee_before_processing",
        "fee_with_decision",
        "decided_granted",
        "decided_partly_granted",
        "decided_refused",
    }
    assert _codes_written() | built == set(texts.TIMELINE)


@pytest.mark.parametrize("code", texts.TIMELINE)
@pytest.mark.parametrize("language", ["de", "en"])
def test_sentences_are_whole(code: str, language: Language) -> None:
    text = texts.sentence(TimelineEntry(code, NOW, date(2026, 3, 9), Money(cents=1100)), language)
    assert re.fullmatch(r"[A-ZÄÖÜ].*\.", text)
    assert not set("{}_") & set(text)


@pytest.mark.parametrize("sentence", [*texts.TIMELINE.values(), *texts.STATUS.values()])
def test_no_jargon(sentence: Bilingual) -> None:
    jargon = {"bekanntgabe", "bekannt gegeben", "verwaltungsakt", "bereitstellung", "§", "case_", "kassenzeichen", "id"}
    assert not jargon & set(re.findall(r"[\w§]+", sentence.de.lower()))


def test_every_status_has_its_words() -> None:
    assert set(texts.STATUS) == set(Status)
