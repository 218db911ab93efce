"""What is asked of a citizen, and what is handed in with it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service_format.conditions import Condition
from service_format.model import AnyFieldPath, BoundedJson, Identifier, Line, Model, Urn
from service_format.texts import Localized


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
