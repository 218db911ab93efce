"""Texts in German and English."""

from __future__ import annotations

from kernel.texts import Bilingual


def test_german_stands_in_for_a_missing_translation() -> None:
    assert Bilingual(de="Bescheid").in_language("en") == "Bescheid"
    assert Bilingual(de="Bescheid").complete() == Bilingual(de="Bescheid", en="Bescheid")
    both = Bilingual(de="Bescheid", en="Decision")
    assert (both.in_language("de"), both.in_language("en")) == ("Bescheid", "Decision")
    assert both.complete() == both


def test_the_schema_of_an_answer_has_both_languages() -> None:
    assert Bilingual.model_json_schema(mode="serialization")["required"] == ["de", "en"]
