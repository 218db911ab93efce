"""A service's version as this service reads it from the catalog. Tolerant: what isn't read here may be added there."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from contracts.applications import DocumentKind, FeeTiming, Outcome, ProceduralLaw
from contracts.values import LegalDate, Money, TrustLevel
from kernel.canonical_json import canonical
from kernel.texts import Bilingual
from service_format.form_schema import code_list_of, is_date, schema_at
from service_format.placeholders import PlaceholderKind, placeholder_names
from service_format.rendering import FieldFormat, templates_of


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Channel(_Read):
    """A way to apply."""

    kind: str
    trust_level: TrustLevel = TrustLevel.NONE
    """Needed to apply, and to read what comes back."""


class Condition(_Read):
    """A statement about the form data, with one operator."""

    path: str
    """Names joined by dots."""
    equals: JsonValue = None
    one_of: tuple[JsonValue, ...] | None = None
    min: float | None = None
    max: float | None = None
    present: bool | None = None


class Document(_Read):
    """Something to hand in."""

    id: str
    labels: Bilingual
    required: bool = False
    condition: Condition | None = None
    """Where it is required only then."""
    media_types: tuple[str, ...] = ("application/pdf", "image/jpeg", "image/png")
    may_follow: bool = False
    """Need not be there at submission."""
    signed_paper: bool = False
    """Comes on paper, beside the online part."""


class FeeRule(_Read):
    """An amount for each of a number in the form."""

    path: str
    cents_each: int
    currency: str = "EUR"
    min_cents: int | None = None
    max_cents: int | None = None


class Fee(_Read):
    """What the service costs: an amount or a rule, owed where the conditions hold and within its validity."""

    id: str
    timing: FeeTiming
    amount: Money | None = None
    rule: FeeRule | None = None
    labels: Bilingual
    days_to_pay: int = Field(14, ge=0, le=3650)
    valid_from: LegalDate | None = None
    valid_to: LegalDate | None = None
    conditions: tuple[Condition, ...] = ()


class Rule(_Read):
    """A decision that needs nobody, where every condition holds."""

    outcome: Outcome
    conditions: tuple[Condition, ...]


class Automation(_Read):
    """What allows a decision by rule (VwVfG § 35a)."""

    legal_basis: tuple[str, ...]
    rule: Rule


class Procedure(_Read):
    """How the service is decided."""

    procedural_law: ProceduralLaw
    document_kind: DocumentKind = DocumentKind.NOTICE
    automation: Automation | None = None
    remedy: Bilingual | None = None
    legal_basis: tuple[str, ...] = ()


class Paragraphs(_Read):
    """Texts in order."""

    de: tuple[str, ...]
    en: tuple[str, ...] = ()


class Fact(_Read):
    """A line of a notice's table."""

    label: Bilingual
    value: str


class NoticeTemplate(_Read):
    """What a notice says, with placeholders (see `service_format/placeholders.py`)."""

    title: Bilingual
    paragraphs: Paragraphs
    facts: tuple[Fact, ...] = ()


class Authority(_Read):
    """Who decides."""

    id: str
    name: str
    street: str
    postal_code: str
    city: str


class Code(_Read):
    """An entry of a code list."""

    code: str
    labels: Bilingual


class ShownField(_Read):
    """How a form field that the notice names is written there."""

    path: str
    format: str = ""
    """`date`, or empty."""
    codes: tuple[Code, ...] = ()

    def as_format(self) -> FieldFormat:
        """For the renderer."""
        return FieldFormat(self.format == "date", {each.code: each.labels for each in self.codes})


class Terms(_Read):
    """What a version of a service says apart from its form: kept in each case, as evidence of what applied."""

    service_id: str
    version: int = Field(ge=1)
    sample: bool = False
    names: Bilingual
    channels: tuple[Channel, ...] = ()
    documents: tuple[Document, ...] = ()
    fees: tuple[Fee, ...] = ()
    procedure: Procedure
    notice: NoticeTemplate
    authority: Authority
    shown: tuple[ShownField, ...] = ()
    """The form fields that the notice names."""

    @property
    def online(self) -> Channel | None:
        """The online channel, if there is one."""
        return next((each for each in self.channels if each.kind == "online"), None)

    @property
    def trust_level(self) -> TrustLevel:
        """Needed to apply online, and to read what comes back."""
        return self.online.trust_level if self.online else TrustLevel.NONE

    def document(self, document_id: str) -> Document | None:
        """One of the documents asked for."""
        return next((each for each in self.documents if each.id == document_id), None)


class _CodeList(_Read):
    urn: str
    version: str
    codes: tuple[Code, ...]


class _Form(_Read):
    form_schema: dict[str, Any] = Field(alias="schema")
    ui: dict[str, Any] = Field(default_factory=dict)
    code_lists: tuple[_CodeList, ...] = ()


class _Version(Terms):
    form: _Form


class ServiceVersion(_Read):
    """A version as it is kept: the form as canonical text, since names such as `$ref` mean something to a database."""

    terms: Terms
    form: str
    """JSON Schema 2020-12."""
    ui: str
    """Hints for portals, with the code lists."""


def read(given: dict[str, Any]) -> ServiceVersion:
    """Reads what the catalog's `dataref` names (docs/guides/service-format.md).

    Raises:
        ValueError: it has another shape.
    """
    found = _Version.model_validate(given)
    notice = Terms.model_validate(found.model_dump(exclude={"form"}))
    terms = notice.model_copy(update={"shown": tuple(_shown(found.form, path) for path in form_paths(notice.notice))})
    lists = [each.model_dump(mode="json") for each in found.form.code_lists]
    ui = canonical({**found.form.ui, "code_lists": lists})
    return ServiceVersion(terms=terms, form=canonical(found.form.form_schema), ui=ui)


def form_paths(notice: NoticeTemplate) -> tuple[str, ...]:
    """The form fields that a notice names."""
    return placeholder_names(templates_of(notice), PlaceholderKind.FORM)


def result_keys(notice: NoticeTemplate) -> tuple[str, ...]:
    """What the deciding person or system has to give."""
    return placeholder_names(templates_of(notice), PlaceholderKind.RESULT)


def _shown(form: _Form, path: str) -> ShownField:
    schema = schema_at(form.form_schema, path)
    known = code_list_of(schema, form.code_lists)
    return ShownField(path=path, format="date" if is_date(schema) else "", codes=known.codes if known else ())


def in_force(valid_from: LegalDate, valid_to: LegalDate | None, retired_on: LegalDate | None, day: date) -> bool:
    """Whether a version takes applications on that legal day."""
    ends = [each for each in (valid_to, retired_on) if each is not None]
    return valid_from <= day and all(day <= end for end in ends)
