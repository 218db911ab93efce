"""What a service costs."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from contracts.applications import FeeTiming
from contracts.values import Cents, Code, Currency, Money
from service_format.conditions import Condition
from service_format.model import FieldPath, Identifier, Line, Model
from service_format.texts import Localized


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
