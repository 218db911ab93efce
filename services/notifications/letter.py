"""A decision's content and an address, as a PDF/A-2a and PDF/UA-1 document. The same input gives the same bytes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import typst
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chassis.errors import Rejected
from kernel.canonical_json import content_hash as hash_of
from kernel.legal_days import start_of
from kernel.texts import Bilingual, Language
from kernel.written import written_date
from services.notifications.texts import one_line, showable

TEMPLATE = Path(__file__).parent / "templates" / "notice.typ"
STANDARDS: list[Any] = ["a-2a", "ua-1"]

_BY_RULE = (
    "Dieses Dokument wurde vollständig durch automatische Einrichtungen erlassen (§ 35a VwVfG) "
    "und ist ohne Unterschrift gültig (§ 37 Abs. 5 VwVfG)."
)
_BY_CLERK = "Dieses Dokument wurde mit Hilfe automatischer Einrichtungen erstellt und ist ohne Unterschrift gültig."
_UNTITLED = "Schreiben"
"""PDF/UA-1 asks for a heading that isn't empty."""
_NO_ADDRESS = ("[Anschrift wird beim Versand", "ergänzt / address to be added", "when it is sent]")


M = TypeVar("M", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Paragraphs(_Part):
    """Texts in order."""

    de: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class Fact(_Part):
    """One line of the table of facts."""

    label: Bilingual
    value: str | Bilingual


class Authority(_Part):
    """Who decided."""

    name: str
    street: str
    postal_code: str
    city: str


class DecisionContent(_Part):
    """What `decision_made`'s dataref names: all that a notice says, apart from the address."""

    case_reference: str
    decision_id: str
    document_kind: str
    title: Bilingual
    paragraphs: Paragraphs
    facts: tuple[Fact, ...] = ()
    legal_basis: tuple[str | Bilingual, ...] = ()
    remedy: Bilingual | None = None
    authority: Authority
    service_name: Bilingual
    decided_on: date
    decided_by_rule: bool = False
    sample: bool = False


class Address(_Part):
    """To whom: from identity, never kept here but in the document."""

    given_name: str = ""
    family_name: str
    street: str
    house_number: str = ""
    postal_code: str
    city: str
    email: str | None = Field(None, repr=False)


def read_content(given: dict[str, Any], content_hash: str) -> DecisionContent:
    """Parses a decision's content, once it is sure to be what was decided.

    Raises:
        Rejected: it has another hash than `decision_made` named, or another shape; says where, never what.
    """
    if hash_of(given) != content_hash:
        raise Rejected("the decision's content isn't what was decided: its hash differs")
    return _parsed(DecisionContent, given, "the decision's content")


def read_address(given: dict[str, Any]) -> Address:
    """Parses an account as identity shows it. Raises as `read_content`."""
    return _parsed(Address, given, "the account")


def _parsed(model: type[M], given: dict[str, Any], what: str) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        places = sorted({"/" + "/".join(map(str, each["loc"])) for each in error.errors(include_input=False)})
        raise Rejected(f"{what} has another shape than expected at {', '.join(places)}") from None


def compose(content: DecisionContent, address: Address | None, notice_id: str) -> dict[str, Any]:
    """The letter as the template reads it: every text showable, dates written out."""
    authority = content.authority
    place = one_line(f"{authority.postal_code} {authority.city}")
    name, street = one_line(authority.name), one_line(authority.street)
    service = one_line(content.service_name.de)
    title = one_line(content.title.de) or _UNTITLED
    return {
        "notice_id": notice_id,
        "case_reference": one_line(content.case_reference),
        "title": title,
        "subject": service if service != title else "",
        "authority": {"name": name, "street": street, "place": place},
        "sender_line": f"{name} · {street} · {place}",
        "address": _address_lines(address),
        "reference": [
            {"label": "Aktenzeichen", "value": one_line(content.case_reference)},
            {"label": "Leistung", "value": service},
            {"label": "Datum", "value": written_date(content.decided_on, "de")},
        ],
        "paragraphs": [showable(each) for each in content.paragraphs.de],
        "facts": [{"label": one_line(row.label.de), "value": showable(_in(row.value, "de"))} for row in content.facts],
        "legal_basis": [showable(_in(each, "de")) for each in content.legal_basis],
        "remedy": showable(content.remedy.de) if content.remedy else "",
        "closing": _BY_RULE if content.decided_by_rule else _BY_CLERK,
        "translation": _translation(content),
        "sample": content.sample,
    }


def _translation(content: DecisionContent) -> dict[str, Any] | None:
    if not content.paragraphs.en:
        return None
    return {
        "title": one_line(content.title.en) or one_line(content.title.de) or _UNTITLED,
        "paragraphs": [showable(each) for each in content.paragraphs.en],
        "facts": [
            {"label": one_line(row.label.in_language("en")), "value": showable(_in(row.value, "en"))}
            for row in content.facts
        ],
        "legal_basis": [showable(_in(each, "en")) for each in content.legal_basis],
        "remedy": showable(content.remedy.en) if content.remedy else "",
    }


def _in(text: str | Bilingual, language: Language) -> str:
    return text if isinstance(text, str) else text.in_language(language)


def _address_lines(address: Address | None) -> Sequence[str]:
    if address is None:
        return list(_NO_ADDRESS)
    rows = (
        f"{address.given_name} {address.family_name}",
        f"{address.street} {address.house_number}",
        f"{address.postal_code} {address.city}",
    )
    return [one_line(row) for row in rows]


class Printer:
    """Renders letters in a few threads, so that the event loop isn't held up; one compiler a thread."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="typst")
        self._source = TEMPLATE.read_bytes()
        self._own = threading.local()

    async def warm(self) -> None:
        """Loads typefaces and layout, so that the first letter is as fast as the others."""
        content = DecisionContent(
            case_reference="WARM-UP",
            decision_id="",
            document_kind="notice",
            title=Bilingual(de="Muster", en="Sample"),
            paragraphs=Paragraphs(de=("Guten Tag,",), en=("Good day,",)),
            authority=Authority(name="Muster", street="", postal_code="", city=""),
            service_name=Bilingual(de="Muster"),
            decided_on=date(2026, 1, 1),
            sample=True,
        )
        letter = compose(content, None, "")
        await asyncio.gather(*(self.print(letter, content.decided_on) for _ in range(self._threads)))

    async def print(self, letter: dict[str, Any], decided_on: date) -> bytes:
        """The PDF. Its creation date is the start of the day of the decision, so that a repetition is the same.

        Raises:
            Rejected: typst refuses it; without its words, which may quote the letter.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._printed, letter, decided_on)

    def _printed(self, letter: dict[str, Any], decided_on: date) -> bytes:
        compiler = getattr(self._own, "compiler", None)
        if compiler is None:
            compiler = self._own.compiler = typst.Compiler(ignore_system_fonts=True)
        try:
            made = compiler.compile(
                self._source,
                format="pdf",
                sys_inputs={"letter": json.dumps(letter, sort_keys=True)},
                pdf_standards=STANDARDS,
                timestamp=int(start_of(decided_on).timestamp()),
            )
        except typst.TypstError:
            raise Rejected("the document can't be rendered") from None
        if not isinstance(made, bytes):
            raise Rejected("the document can't be rendered")
        return made

    def close(self) -> None:
        """Ends the threads once they are done."""
        self._pool.shutdown(wait=False)
