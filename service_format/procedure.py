"""How a service is decided, and which periods the law sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.applications import DocumentKind, Outcome, ProceduralLaw
from service_format.conditions import Condition
from service_format.model import Line, Model, Urn
from service_format.texts import Localized, LocalizedText


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
