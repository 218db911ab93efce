"""A service as data: the whole format (docs/guides/service-format.md), as frozen models with a published JSON Schema.

The models check each field by itself. What needs the whole document (the form, placeholders, test cases) is checked at
publishing, by `services.catalog.domain.checks`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.values import LeikaKey, ServiceId
from service_format.channels import AuthorityDetails, Channel, ChannelKind, Responsibility
from service_format.fees import Fee
from service_format.form import Document, Form
from service_format.model import BoundedJson, Line, Model
from service_format.notice import Notice
from service_format.procedure import Deadline, Procedure
from service_format.texts import CodedTerm, ExternalId, Level, Localized, LocalizedWords, Text, TextModule


class TestCase(Model):
    """Data of the form, and what has to come of it. Invented data only."""

    __test__: ClassVar[bool] = False

    name: Line
    data: BoundedJson
    expected: Literal["valid", "invalid"]
    decided_by_rule: bool | None = None
    """Whether the rule of the automation decides it; null: not tested."""


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
