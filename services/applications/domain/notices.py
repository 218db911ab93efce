"""What a notice says: the service's texts with their placeholders filled in, ready to be set and printed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.applications import DocumentKind, Outcome
from kernel.characters import composed, unprintable
from kernel.json_pointer import pointer
from kernel.texts import LANGUAGES, Bilingual, Language
from service_format.conditions import value_at
from service_format.rendering import NoticeText, Values, render
from services.applications.domain.findings import Finding
from services.applications.domain.services import Terms, result_keys

_REFUSED_TITLE = Bilingual(de="Ablehnung Ihres Antrags", en="Refusal of your application")
_REFUSED = Bilingual(
    de="Ihr Antrag „{service}“ (Aktenzeichen {reference}) wird abgelehnt.",
    en="Your application “{service}” (case reference {reference}) is refused.",
)
_PARTLY = Bilingual(
    de="Ihrem Antrag wird nur zum Teil entsprochen; im Übrigen wird er abgelehnt.",
    en="Your application is granted in part only; the rest of it is refused.",
)
_GROUNDS = Bilingual(de="Begründung: {grounds}", en="Grounds (in German, the official language): {grounds}")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided, as far as the notice contains it."""

    decision_id: str
    outcome: Outcome
    decided_on: date
    by_rule: bool
    grounds: str = ""
    """Needed for what is refused (VwVfG § 39 (1))."""
    result: Mapping[str, str] | None = None
    """By placeholder `result.<key>`."""


def document_kind(terms: Terms, outcome: Outcome) -> DocumentKind:
    """The kind of document. A refusal is a notice, also where the service's document is a certificate."""
    return DocumentKind.NOTICE if outcome is Outcome.REFUSED else terms.procedure.document_kind


def content(terms: Terms, data: Any, reference: str, ruling: Ruling) -> dict[str, Any]:
    """The ready content of a notice in German and English, as JSON: what `decision_made`'s `dataref` names."""
    values = Values(data, reference, ruling.result or {}, {each.path: each.as_format() for each in terms.shown})
    texts = {each: render(terms.notice, values, each) for each in LANGUAGES}
    automation = terms.procedure.automation if ruling.by_rule else None
    refused = ruling.outcome is Outcome.REFUSED
    return {
        "case_reference": reference,
        "decision_id": ruling.decision_id,
        "document_kind": document_kind(terms, ruling.outcome).value,
        "outcome": ruling.outcome.value,
        "title": _REFUSED_TITLE.model_dump() if refused else {each: text.title for each, text in texts.items()},
        "paragraphs": {each: _paragraphs(text, terms, reference, ruling, each) for each, text in texts.items()},
        "facts": [] if refused else _facts(terms, texts),
        "legal_basis": list(
            dict.fromkeys([*terms.procedure.legal_basis, *(automation.legal_basis if automation else ())])
        ),
        "remedy": terms.procedure.remedy.complete().model_dump() if terms.procedure.remedy else None,
        "authority": terms.authority.model_dump(exclude={"id"}),
        "service_name": terms.names.complete().model_dump(),
        "decided_on": ruling.decided_on.isoformat(),
        "decided_by_rule": ruling.by_rule,
        "sample": terms.sample,
    }


def _paragraphs(text: NoticeText, terms: Terms, reference: str, ruling: Ruling, language: Language) -> list[str]:
    grounds = (
        [_GROUNDS.in_language(language).format(grounds=composed(ruling.grounds).strip())] if ruling.grounds else []
    )
    match ruling.outcome:
        case Outcome.REFUSED:
            service = terms.names.in_language(language)
            return [_REFUSED.in_language(language).format(service=service, reference=reference), *grounds]
        case Outcome.PARTLY_GRANTED:
            return [*text.paragraphs, _PARTLY.in_language(language), *grounds]
        case Outcome.GRANTED:
            return [*text.paragraphs, *grounds]


def _facts(terms: Terms, texts: Mapping[Language, NoticeText]) -> list[dict[str, Any]]:
    """A value stands once for both languages, unless they differ."""
    rows = zip(terms.notice.facts, texts["de"].facts, texts["en"].facts, strict=True)
    return [
        {
            "label": fact.label.complete().model_dump(),
            "value": de.value if de.value == en.value else {"de": de.value, "en": en.value},
        }
        for fact, de, en in rows
    ]


def unprintable_fields(terms: Terms, data: Any) -> tuple[Finding, ...]:
    """Form fields of the notice with characters that can't be printed in it."""
    found = ((field.path.split("."), _texts(value_at(data, field.path))) for field in terms.shown)
    return tuple(
        _character_finding("data", *parts) for parts, texts in found if any(unprintable(t, lines=True) for t in texts)
    )


def check_decision(terms: Terms, outcome: Outcome, grounds: str, result: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is wrong with a decision of a person or system: grounds or results that are missing or can't be printed."""
    found: list[Finding] = []
    if outcome is not Outcome.GRANTED and not grounds.strip():
        found.append(
            Finding(
                "/grounds",
                "grounds_missing",
                Bilingual(
                    de="Eine Ablehnung ist zu begründen (§ 39 VwVfG).", en="A refusal needs grounds (VwVfG § 39)."
                ),
            )
        )
    if unprintable(grounds, lines=True):
        found.append(_character_finding("grounds"))
    needed = () if outcome is Outcome.REFUSED else result_keys(terms.notice)
    found.extend(_missing(key) for key in needed if not result.get(key, "").strip())
    found.extend(_unknown(key) for key in result if key not in result_keys(terms.notice))
    found.extend(_character_finding("result", key) for key, text in result.items() if unprintable(text, lines=True))
    return tuple(found)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _character_finding(*parts: str) -> Finding:
    return Finding(
        pointer(*parts),
        "character_not_printable",
        Bilingual(
            de="Diese Angabe enthält Zeichen, die in einem Bescheid nicht gedruckt werden können "
            "(zum Beispiel Emojis oder Steuerzeichen). Bitte entfernen Sie sie.",
            en="This contains characters that can't be printed in a notice "
            "(such as emojis or control characters). Please remove them.",
        ),
    )


def _missing(key: str) -> Finding:
    return Finding(
        pointer("result", key),
        "result_missing",
        Bilingual(de="Der Bescheid braucht diese Angabe.", en="The notice needs this."),
    )


def _unknown(key: str) -> Finding:
    return Finding(
        pointer("result", key),
        "result_unknown",
        Bilingual(de="Der Bescheid nennt diese Angabe nicht.", en="The notice doesn't name this."),
    )
