"""Statements about form data (docs/guides/service-format.md), and what follows from them: rules, documents, fees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from chassis.errors import Invalid
from contracts.applications import FeeItem, FeeTiming, Outcome
from contracts.values import Money
from service_format.conditions import all_hold, holds, is_number, value_at
from services.applications.domain.services import Document, Fee, FeeRule, Rule, Terms

_MOST_CENTS = 99_999_999


def decides(terms: Terms, data: Any) -> Rule | None:
    """The rule that decides this application (VwVfG § 35a); None where a person has to.

    Only what favours the applicant in full is decided by rule: anything else needs grounds (§ 39 (1)).
    """
    automation = terms.procedure.automation
    if automation is None or not automation.legal_basis or automation.rule.outcome is not Outcome.GRANTED:
        return None
    return automation.rule if all_hold(automation.rule.conditions, data) else None


def documents_needed(terms: Terms, data: Any) -> tuple[Document, ...]:
    """The documents without which the application can't be submitted."""
    return tuple(each for each in terms.documents if _needed(each, data))


def _needed(document: Document, data: Any) -> bool:
    if not document.required or document.may_follow or document.signed_paper:
        return False
    return document.condition is None or holds(document.condition, data)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed together."""

    amount: Money
    items: tuple[FeeItem, ...]
    days_to_pay: int


def owed(terms: Terms, timing: FeeTiming, data: Any, day: date) -> Owed | None:
    """The fees of that timing that are owed on that day; None where nothing is.

    Raises:
        Invalid: an amount beyond what can be charged, or of several currencies.
    """
    due = [each for each in terms.fees if each.timing is timing and _is_owed(each, data, day)]
    amounts = [(each, _amount(each, data)) for each in due]
    charged = [(fee, amount) for fee, amount in amounts if amount.cents > 0]
    if not charged:
        return None
    if len({amount.currency for _, amount in charged}) > 1:
        raise Invalid("the service's fees are of several currencies")
    total = sum(amount.cents for _, amount in charged)
    items = tuple(FeeItem(fee=fee.id.replace("-", "_"), amount=amount) for fee, amount in charged)
    return Owed(_money(total, charged[0][1].currency), items, min(fee.days_to_pay for fee, _ in charged))


def _is_owed(fee: Fee, data: Any, day: date) -> bool:
    begun = fee.valid_from is None or fee.valid_from <= day
    ended = fee.valid_to is not None and fee.valid_to < day
    return begun and not ended and all_hold(fee.conditions, data)


def _amount(fee: Fee, data: Any) -> Money:
    if fee.amount is not None:
        return fee.amount
    return _ruled(fee.rule, data) if fee.rule is not None else Money(cents=0)


def _ruled(rule: FeeRule, data: Any) -> Money:
    number = value_at(data, rule.path)
    if not is_number(number):
        number = 0
    if abs(number) > _MOST_CENTS:
        raise Invalid("the fee is higher than can be charged online")
    cents = int((Decimal(str(number)) * rule.cents_each).quantize(Decimal(1), ROUND_HALF_UP))
    if rule.max_cents is not None:
        cents = min(cents, rule.max_cents)
    return _money(max(cents, rule.min_cents or 0), rule.currency)


def _money(cents: int, currency: str) -> Money:
    if cents > _MOST_CENTS:
        raise Invalid("the fee is higher than can be charged online")
    return Money(cents=cents, currency=currency)
