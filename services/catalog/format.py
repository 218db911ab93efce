"""A service as data: the whole format (docs/guides/service-format.md), as frozen models with a published JSON Schema.

The models check each field by itself. What needs the whole document (the form, placeholders, test cases) is checked at
publishing, by `services.catalog.domain.checks`.

`python -m services.catalog.format` writes `service-format.schema.json` beside this file.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.applications import DocumentKind, FeeTiming, Outcome, ProceduralLaw
from contracts.values import (
    Authority,
    Cents,
    Code,
    Currency,
    LeikaKey,
    Money,
    RegionalKey,
    ServiceId,
    Term,
    TrustLevel,
)
from kernel.canonical_json import canonical

SCHEMA_ID = "https://rathaus.example/catalog/service-format.json"
SCHEMA_FILE = Path(__file__).with_name("service-format.schema.json")

# Texts

_SIGNS = "‐‑‒–—―‘’‚‛“”„†‡•…‰‹›€™"
_LATIN = r"\u0020-\u007e\u00a0-\u00ac\u00ae-\u024f\u1e00-\u1eff"
_NOT_PRINTABLE = re.compile(f"[^{_LATIN}{re.escape(_SIGNS)}]")
"""What isn't surely in the documents' fonts: control characters, other scripts, emoji (near to DIN 91379)."""


def _line(value: str) -> str:
    found = _NOT_PRINTABLE.search(value)
    if found:
        raise ValueError(f"the character U+{ord(found[0]):04X} can't be printed in our documents")
    if value != value.strip():
        raise ValueError("no blanks at the beginning or end")
    return value


def _prose(value: str) -> str:
    for line in value.split("\n"):
        found = _NOT_PRINTABLE.search(line)
        if found:
            raise ValueError(f"the character U+{ord(found[0]):04X} can't be printed in our documents")
    return value


Line = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_line)]
"""One line of printable text."""
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_line)]
"""One paragraph of printable text, without line breaks."""
Prose = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(_prose)]
"""Printable text with line breaks."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?(-x-[a-z0-9]{1,8})?$")]
"""BCP 47; `de-x-leicht` for plain German."""
Url = Annotated[str, StringConstraints(pattern=r"^https://[a-zA-Z0-9.-]+(/[!-~]*)?$", max_length=500)]
"""An address on the web, https only."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
"""A slug within its list."""
Urn = Annotated[str, StringConstraints(pattern=r"^urn:[a-z0-9][a-z0-9-]{1,31}:[!-~]+$", max_length=200)]
"""RFC 8141."""

NAME = r"[a-z][a-z0-9_]*"
"""The name of a form's field."""
FieldPath = Annotated[str, StringConstraints(pattern=rf"^{NAME}(\.{NAME})*$", max_length=200)]
"""A field of the form outside repeatable groups."""
AnyFieldPath = Annotated[str, StringConstraints(pattern=rf"^{NAME}(\[\])?(\.{NAME}(\[\])?)*$", max_length=200)]
"""A field of the form; `[]` after the name of a repeatable group."""


class Model(BaseModel):
    """Frozen, and it refuses what it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, serialize_by_alias=True)


class Localized(Model):
    """One line in both languages."""

    de: Line
    en: Line


class LocalizedText(Model):
    """A longer text in both languages."""

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


# Identity and texts


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


# Responsibility and channels


class Unit(Model):
    """An organisational unit."""

    id: Identifier
    names: Localized


class Responsibility(Model):
    """Who is responsible for what, where and when: service x area x unit x role."""

    area: RegionalKey
    unit: Unit
    role: Literal["decides", "receives", "advises", "collects", "supervises"]
    valid_from: date | None = None
    valid_to: date | None = None


class AuthorityDetails(Model):
    """Who decides, as it stands on the notice."""

    id: Authority
    name: Line
    street: Line
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
    city: Line


class ChannelKind(Term):
    """By which way one gets the service."""

    ONLINE = "online"
    APPOINTMENT = "appointment"
    PAPER_FORM = "paper_form"
    LINK = "link"
    INFORMATION = "information"


class Channel(Model):
    """A way to get the service."""

    kind: ChannelKind
    trust_level: TrustLevel = TrustLevel.NONE
    """The lowest trust level with which it can be used."""
    payment_methods: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """`creditcard`, `paypal`, `giropay`, `paydirect`, `other` (XBezahldienste); elsewhere `cash`, `transfer`."""
    areas: Annotated[tuple[RegionalKey, ...], Field(max_length=100)] = ()
    """Where it is offered; empty: everywhere in the town."""
    url: Url | None = None
    """Where it leads; a link needs one."""
    labels: Localized | None = None

    @model_validator(mode="after")
    def _link_leads_somewhere(self) -> Channel:
        if self.kind is ChannelKind.LINK and (self.url is None or self.labels is None):
            raise ValueError("a link needs url and labels")
        return self


# Form

Json = dict[str, Any]

DEEPEST = 24
LONGEST_JSON_BYTES = 65_536


def _bounded(value: Json) -> Json:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        nested = [each for each in level if isinstance(each, dict | list)]
        level = [child for each in nested for child in (each.values() if isinstance(each, dict) else each)]
    if any(isinstance(each, dict | list) for each in level):
        raise ValueError(f"nested more than {DEEPEST} deep")
    if len(canonical(value).encode()) > LONGEST_JSON_BYTES:
        raise ValueError(f"longer than {LONGEST_JSON_BYTES} bytes")
    return value


BoundedJson = Annotated[Json, AfterValidator(_bounded)]
"""A JSON object of bounded depth and length."""


class UiGroup(Model):
    """A page or section of the form."""

    id: Identifier
    labels: Localized
    fields: Annotated[tuple[AnyFieldPath, ...], Field(min_length=1, max_length=200)]


class UiField(Model):
    """How a field is shown."""

    labels: Localized
    help: Localized | None = None
    widget: (
        Literal["text", "textarea", "radio", "select", "checkbox", "date", "number", "email", "phone", "group"] | None
    ) = None
    prefill: (
        Literal[
            "account.given_name",
            "account.family_name",
            "account.street",
            "account.house_number",
            "account.postal_code",
            "account.city",
            "account.email",
        ]
        | None
    ) = None
    """Where a value may be filled in from."""


class Ui(Model):
    """Hints for those who show the form."""

    groups: Annotated[tuple[UiGroup, ...], Field(max_length=50)] = ()
    fields: Annotated[dict[AnyFieldPath, UiField], Field(max_length=500)] = Field(default_factory=dict)


class CodeListEntry(Model):
    """A code and what it is called."""

    code: Line
    labels: Localized


class CodeList(Model):
    """A list of codes by URN and version."""

    urn: Urn
    version: Line
    codes: Annotated[tuple[CodeListEntry, ...], Field(min_length=1, max_length=1000)]


class Form(Model):
    """What is asked."""

    schema_: Annotated[BoundedJson, Field(alias="schema")]
    """JSON Schema 2020-12."""
    ui: Ui = Ui()
    code_lists: Annotated[tuple[CodeList, ...], Field(max_length=50)] = ()


class Condition(Model):
    """Something that holds of the data of a form, or doesn't. Exactly one operator."""

    path: FieldPath
    equals: bool | int | float | Annotated[str, Field(max_length=200)] | None = None
    one_of: Annotated[tuple[bool | int | float | str, ...], Field(min_length=1, max_length=200)] | None = None
    min: int | float | None = None
    max: int | float | None = None
    present: bool | None = None

    OPERATORS: ClassVar[tuple[str, ...]] = ("equals", "one_of", "min", "max", "present")

    @property
    def operator(self) -> tuple[str, Any]:
        """Its name and operand."""
        return next((name, value) for name in self.OPERATORS if (value := getattr(self, name)) is not None)

    @model_validator(mode="after")
    def _one_operator(self) -> Condition:
        if sum(getattr(self, name) is not None for name in self.OPERATORS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.OPERATORS)}")
        return self


class Document(Model):
    """Something handed in with the application."""

    id: Identifier
    labels: Localized
    help: Localized | None = None
    required: bool = True
    condition: Condition | None = None
    """Where it doesn't hold, the document isn't required."""
    media_types: Annotated[
        tuple[Literal["application/pdf", "image/jpeg", "image/png"], ...], Field(min_length=1, max_length=3)
    ] = ("application/pdf", "image/jpeg", "image/png")
    original: Literal["copy", "original", "certified_copy"] = "copy"
    may_follow: bool = False
    """Whether it may be handed in after the application."""
    signed_paper: bool = False
    """A signed sheet of paper beside the online part."""


# Fees, deadlines, procedure, notice


class Amount(Money):
    """Cents of a currency (ISO 4217)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FeeRule(Model):
    """An amount by a number in the form."""

    path: FieldPath
    cents_each: Cents
    currency: Currency = "EUR"
    min_cents: Cents = 0
    max_cents: Cents | None = None


class Exemption(Model):
    """Who doesn't pay."""

    id: Identifier
    labels: Localized
    legal_basis: Line
    conditions: tuple[Condition, ...] = ()
    """Decided by the form where these hold; empty: decided by a clerk."""


class Fee(Model):
    """What the service costs."""

    id: Code
    labels: Localized
    timing: FeeTiming
    legal_basis: Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]
    amount: Amount | None = None
    rule: FeeRule | None = None
    days_to_pay: int = Field(14, ge=0, le=365)
    """Days after the assessment."""
    conditions: tuple[Condition, ...] = ()
    """It is owed where these hold."""
    exemptions: tuple[Exemption, ...] = ()
    interval_months: int | None = Field(None, ge=1, le=120)
    """Of a recurring fee."""
    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Fee:
        if (self.amount is None) == (self.rule is None):
            raise ValueError("needs exactly one of amount and rule")
        if (self.timing is FeeTiming.RECURRING) != (self.interval_months is not None):
            raise ValueError("interval_months belongs to a recurring fee, and only to that")
        return self


class Deadline(Model):
    """A period that the law sets."""

    kind: Literal["application", "processing", "fiction", "retention"]
    """By when to apply; how long it takes; after which approval is deemed given (VwVfG § 42a); how long it is kept."""
    period: Annotated[str, StringConstraints(pattern=r"^P([1-9][0-9]{0,3}[DWMY])$")]
    """ISO 8601: one number and unit."""
    legal_basis: Line | None = None
    labels: Localized | None = None


class AutomationRule(Model):
    """When the rule decides, and how. Where a condition doesn't hold, a clerk decides."""

    outcome: Literal[Outcome.GRANTED]
    """Never against the citizen: who refuses hears first (VwVfG § 28)."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=50)]


class Automation(Model):
    """Decision without a person (VwVfG § 35a)."""

    legal_basis: Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]
    rule: AutomationRule


class Procedure(Model):
    """How it is decided."""

    procedural_law: ProceduralLaw
    document_kind: DocumentKind
    written_form: Literal["none", "text", "written", "in_person"] = "none"
    """What the law asks of the application."""
    legal_basis: Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]
    automation: Automation | None = None
    remedy: LocalizedText
    """The instruction on remedies (VwGO § 58)."""
    remedy_kind: Literal["action", "objection", "none"]
    """Where a certificate decides nothing: none."""
    process_reference: Urn | None = None
    """The process model (FIM, BPMN)."""


class Fact(Model):
    """A line of the notice's table."""

    label: Localized
    value: Line
    """Text with placeholders."""


class Notice(Model):
    """The document's text, set into the platform's own layout: text with placeholders, never markup."""

    title: Localized
    paragraphs: LocalizedParagraphs
    facts: Annotated[tuple[Fact, ...], Field(max_length=50)] = ()


class TestCase(Model):
    """Data of the form, and what has to come of it. Invented data only."""

    __test__: ClassVar[bool] = False

    name: Line
    data: BoundedJson
    expected: Literal["valid", "invalid"]
    decided_by_rule: bool | None = None
    """Whether the rule of the automation decides it; null: not tested."""


# The whole


class ServiceAsData(Model):
    """A service as data: one version of what a town offers."""

    service_id: ServiceId
    sample: bool
    """Invented: every document made from it says so."""
    names: Localized
    authority: AuthorityDetails
    valid_from: date
    """First day in force, Europe/Berlin; may lie ahead."""
    valid_to: date | None = None
    """Last day in force; null: open-ended."""

    leika_keys: Annotated[tuple[LeikaKey, ...], Field(max_length=20)] = ()
    external_ids: Annotated[tuple[ExternalId, ...], Field(max_length=20)] = ()
    types: Annotated[tuple[Line, ...], Field(max_length=10)] = ()
    """Typisierung in the LeiKa: by whom it is regulated and carried out."""
    life_situations: Annotated[tuple[CodedTerm, ...], Field(max_length=50)] = ()
    categories: Annotated[tuple[CodedTerm, ...], Field(max_length=50)] = ()
    synonyms: LocalizedWords = LocalizedWords()
    keywords: LocalizedWords = LocalizedWords()

    texts: Annotated[tuple[Text, ...], Field(max_length=200)] = ()
    responsibilities: Annotated[tuple[Responsibility, ...], Field(max_length=500)] = ()
    channels: Annotated[tuple[Channel, ...], Field(max_length=20)] = ()
    form: Form | None = None
    documents: Annotated[tuple[Document, ...], Field(max_length=50)] = ()
    fees: Annotated[tuple[Fee, ...], Field(max_length=50)] = ()
    deadlines: Annotated[tuple[Deadline, ...], Field(max_length=20)] = ()
    procedure: Procedure | None = None
    notice: Notice | None = None
    test_cases: Annotated[tuple[TestCase, ...], Field(max_length=100)] = ()

    @property
    def online(self) -> Channel | None:
        """The online channel, if there is one."""
        return next((channel for channel in self.channels if channel.kind is ChannelKind.ONLINE), None)

    def text(self, module: TextModule, language: str) -> str | None:
        """The text in force: the town's own before the master texts of those above."""
        levels = list(Level)
        found = [text for text in self.texts if (text.module, text.language) == (module, language)]
        return max(found, key=lambda text: levels.index(text.source.level)).text if found else None


def json_schema() -> Json:
    """The published JSON Schema (2020-12)."""
    made = ServiceAsData.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **made}


def rendered_schema() -> str:
    """As it stands in the file."""

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(rendered_schema(), encoding="utf-8")
