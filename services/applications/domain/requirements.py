"""What a version's terms require of an application: documents and fees."""

from __future__ import annotations

from datetime import date
from typing import Any

from chassis.errors import Invalid
from contracts.applications import FeeTiming
from service_format import pricing
from service_format.conditions import holds
from service_format.pricing import NotChargeable, Owed
from services.applications.domain.services import Document, Terms


def documents_needed(terms: Terms, data: Any) -> tuple[Document, ...]:
    """The documents without which the application can't be submitted."""
    return tuple(each for each in terms.documents if _needed(each, data))


def _needed(document: Document, data: Any) -> bool:
    if not document.required or document.may_follow or document.signed_paper:
        return False
    return document.condition is None or holds(document.condition, data)


def owed(terms: Terms, timing: FeeTiming, data: Any, day: date) -> Owed | None:
    """The fees of a timing that are owed on a legal day; None where nothing is.

    Raises:
        Invalid: an amount beyond what can be charged, or of several currencies.
    """
    try:
        return pricing.owed(terms.fees, timing, data, day)
    except NotChargeable as error:
        raise Invalid(str(error)) from error
