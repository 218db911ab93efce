"""What a service costs: which fees are owed by the data of a form, and how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

from contracts.applications import FeeItem, FeeTiming
from contracts.values import Money
from kernel.money import MAX_CENTS
from service_format.conditions import Statement, all_hold, is_number, value_at


class KnownFeeRule(Protocol):
    """What is read of an amount by a number in the form."""

    @property
    def path(self) -> str: ...
    @property
    def cents_each(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def min_cents(self) -> int | None: ...
    @property
    def max_cents(self) -> int | None: ...


class KnownFee(Protocol):
    """What is read of a fee."""

    @property
    def id(self) -> str: ...
    @property
    def timing(self) -> FeeTiming: ...
    @property
    def amount(self) -> Money | None: ...
    @property
    def rule(self) -> KnownFeeRule | None: ...
    @property
    def days_to_pay(self) -> int: ...
    @property
    def valid_from(self) -> date | None: ...
    @property
    def valid_to(self) -> date | None: ...
    @property
    def conditions(self) -> Sequence[Statement]: ...


class NotChargeable(ValueError):
    """The fees can't be charged together: too high, or of several currencies."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed together."""

    amount: Money
    items: tuple[FeeItem, ...]
    days_to_pay: int
    """The shortest of its fees."""


def owed(fees: Iterable[KnownFee], timing: FeeTiming, data: Any, day: date) -> Owed | None:
    """The fees of a timing that are owed on a legal day; None where nothing is.

    Raises:
        NotChargeable: an amount beyond what can be charged, or of several currencies.
    """
    due = [fee for fee in fees if fee.timing is timing and _is_owed(fee, data, day)]
    charged = [(fee, amount) for fee in due if (amount := _amount(fee, data)).cents > 0]
    if not charged:
        return None
    if len({amount.currency for _, amount in charged}) > 1:
        raise NotChargeable("the service's fees are of several currencies")
    total = sum(amount.cents for _, amount in charged)
    items = tuple(FeeItem(fee=fee_code(fee), amount=amount) for fee, amount in charged)
    return Owed(_money(total, charged[0][1].currency), items, min(fee.days_to_pay for fee, _ in charged))


def fee_code(fee: KnownFee) -> str:
    """A fee's id as a code, as events name it."""
    return fee.id.replace("-", "_")


def _is_owed(fee: KnownFee, data: Any, day: date) -> bool:
    begun = fee.valid_from is None or fee.valid_from <= day
    ended = fee.valid_to is not None and fee.valid_to < day
    return begun and not ended and all_hold(fee.conditions, data)


def _amount(fee: KnownFee, data: Any) -> Money:
    if fee.amount is not None:
        return Money(cents=fee.amount.cents, currency=fee.amount.currency)
    return _by_rule(fee.rule, data) if fee.rule is not None else Money(cents=0)


def _by_rule(rule: KnownFeeRule, data: Any) -> Money:
    """The number times the amount, half a cent rounded up, within the rule's limits; without a number, of none."""
    given = value_at(data, rule.path)
    number = given if is_number(given) else 0
    if abs(number) > MAX_CENTS:
        raise NotChargeable("the fee is higher than can be charged online")
    cents = int((Decimal(str(number)) * rule.cents_each).quantize(Decimal(1), ROUND_HALF_UP))
    if rule.max_cents is not None:
        cents = min(cents, rule.max_cents)
    return _money(max(cents, rule.min_cents or 0), rule.currency)


def _money(cents: int, currency: str) -> Money:
    if cents > MAX_CENTS:
        raise NotChargeable("the fee is higher than can be charged online")
    return Money(cents=cents, currency=currency)
