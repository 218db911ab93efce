"""What the notice says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service_format.model import Line, Model
from service_format.texts import Localized, LocalizedParagraphs


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
