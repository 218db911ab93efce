"""What a notice says: the service's texts with their placeholders filled in, ready to be set and printed. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.applications import DocumentKind, Outcome
from kernel.texts import LANGUAGES, Bilingual, Language
from kernel.written import written_date
from service_format.conditions import MISSING, value_at
from services.applications.domain.characters import unshowable
from services.applications.domain.findings import Finding, pointer
from services.applications.domain.services import PLACEHOLDER, ShownField, Terms, result_keys

EMPTY = "–"

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
_YES, _NO = Bilingual(de="ja", en="yes"), Bilingual(de="nein", en="no")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided, as far as the notice tells it."""

    decision_id: str
    outcome: Outcome
    decided_on: date
    by_rule: bool
    grounds: str = ""
    """Needed for what is refused (VwVfG § 39 (1))."""
    result: Mapping[str, str] | None = None
    """By placeholder `result.<key>`."""


def document_kind(terms: Terms, outcome: Outcome) -> DocumentKind:
    """A refusal is a notice, also where the service's document is a certificate."""
    return DocumentKind.NOTICE if outcome is Outcome.REFUSED else terms.procedure.document_kind


def content(terms: Terms, data: Any, reference: str, ruling: Ruling) -> dict[str, Any]:
    """The ready content of a notice in German and English, as JSON: what `decision_made`'s `dataref` names."""
    writer = _Writer(terms, data, reference, ruling.result or {})
    automation = terms.procedure.automation if ruling.by_rule else None
    return {
        "case_reference": reference,
        "decision_id": ruling.decision_id,
        "document_kind": document_kind(terms, ruling.outcome).value,
        "outcome": ruling.outcome.value,
        "title": _title(writer, terms, ruling),
        "paragraphs": {each: _paragraphs(writer, terms, ruling, each) for each in LANGUAGES},
        "facts": [] if ruling.outcome is Outcome.REFUSED else _facts(writer, terms),
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


def _title(writer: _Writer, terms: Terms, ruling: Ruling) -> dict[str, str]:
    if ruling.outcome is Outcome.REFUSED:
        return _REFUSED_TITLE.complete().model_dump()
    return {each: writer.filled(terms.notice.title.in_language(each), each) for each in LANGUAGES}


def _paragraphs(writer: _Writer, terms: Terms, ruling: Ruling, language: Language) -> list[str]:
    given = terms.notice.paragraphs
    template = (given.en or given.de) if language == "en" else given.de
    grounds = [_GROUNDS.in_language(language).format(grounds=_composed(ruling.grounds))] if ruling.grounds else []
    match ruling.outcome:
        case Outcome.REFUSED:
            service = terms.names.in_language(language)
            refusal = _REFUSED.in_language(language).format(service=service, reference=writer.reference)
            return [refusal, *grounds]
        case Outcome.PARTLY_GRANTED:
            return [*(writer.filled(each, language) for each in template), _PARTLY.in_language(language), *grounds]
        case Outcome.GRANTED:
            return [*(writer.filled(each, language) for each in template), *grounds]


def _facts(writer: _Writer, terms: Terms) -> list[dict[str, Any]]:
    return [
        {"label": fact.label.complete().model_dump(), "value": writer.value(fact.value)} for fact in terms.notice.facts
    ]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Fills placeholders. What is put in isn't read for placeholders again."""

    terms: Terms
    data: Any
    reference: str
    result: Mapping[str, str]

    def filled(self, text: str, language: Language) -> str:
        return PLACEHOLDER.sub(lambda found: self._named(found[1], language), text)

    def value(self, text: str) -> str | dict[str, str]:
        """Once for both languages, unless they differ."""
        written: dict[str, str] = {each: self.filled(text, each) for each in LANGUAGES}
        return written["de"] if written["de"] == written["en"] else written

    def _named(self, name: str, language: Language) -> str:
        if name == "case.reference":
            return self.reference
        kind, _, rest = name.partition(".")
        if kind == "result":
            return _composed(self.result.get(rest, "")) or EMPTY
        field = next((each for each in self.terms.shown if each.path == rest), ShownField(path=rest))
        return _written(value_at(self.data, rest), field, language)


def _written(value: Any, field: ShownField, language: Language) -> str:
    match value:
        case _ if value is MISSING or value is None or value in ("", [], {}):
            return EMPTY
        case bool():
            return (_YES if value else _NO).in_language(language)
        case list():
            return ", ".join(_written(each, field, language) for each in value)
        case float():
            return str(value).replace(".", ",") if language == "de" else str(value)
        case str() | int():
            return _figure_or_text(str(value), field, language)
        case _:
            return EMPTY


def _figure_or_text(text: str, field: ShownField, language: Language) -> str:
    label = field.label(text)
    if label is not None:
        return label.in_language(language)
    return _date(text, language) if field.format == "date" else _composed(text)


def _date(text: str, language: Language) -> str:
    """An ISO date as people read it; anything else as it is."""
    try:
        return written_date(date.fromisoformat(text), language)
    except ValueError:
        return text


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())


def unprintable(terms: Terms, data: Any) -> tuple[Finding, ...]:
    """Form fields of the notice with characters that it can't show."""
    found = ((field.path.split("."), _texts(value_at(data, field.path))) for field in terms.shown)
    return tuple(
        _character_finding("data", *parts) for parts, texts in found if any(unshowable(t, lines=True) for t in texts)
    )


def wrong_ruling(terms: Terms, outcome: Outcome, grounds: str, result: Mapping[str, str]) -> tuple[Finding, ...]:
    """What a person's or system's decision lacks, or has that can't be printed."""
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
    if unshowable(grounds, lines=True):
        found.append(_character_finding("grounds"))
    needed = () if outcome is Outcome.REFUSED else result_keys(terms.notice)
    found.extend(_missing(key) for key in needed if not result.get(key, "").strip())
    found.extend(_unknown(key) for key in result if key not in result_keys(terms.notice))
    found.extend(_character_finding("result", key) for key, text in result.items() if unshowable(text, lines=True))
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
