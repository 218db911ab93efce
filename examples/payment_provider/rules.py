"""What the provider decides: pure, with time and ids as arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit


class Status(StrEnum):
    """The standard's words, its spelling included."""

    INITIAL = "INITIAL"
    PAYED = "PAYED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Mode(StrEnum):
    NORMAL = "normal"
    FAIL = "fail"  # the transaction ends as FAILED by itself
    CANCEL = "cancel"  # the transaction ends as CANCELED by itself
    DELAY = "delay"  # it is stored, and the answer comes late
    LOST_ANSWER = "lost_answer"  # it is stored, and the connection is cut instead of an answer
    DOWN = "down"  # 503, nothing is stored
    ANSWER_TWICE = "answer_twice"  # a repeated requestId gets the same answer again instead of PAYMENT_EXISTS


@dataclass(frozen=True, slots=True)
class Switches:
    mode: Mode = Mode.NORMAL
    remaining: int | None = None  # how many more transactions the mode is for; None: until it is switched
    delay_seconds: float = 0
    auto_pay_after_seconds: float | None = None  # outlasts the mode

    def used(self) -> "Switches":
        """The switches after one more transaction."""
        if self.mode is Mode.NORMAL or self.remaining is None:
            return self
        if self.remaining <= 1:
            return replace(self, mode=Mode.NORMAL, remaining=None)
        return replace(self, remaining=self.remaining - 1)


@dataclass(frozen=True, slots=True)
class Bill:
    """What a payment request asks for, once its sums are proven."""

    request_id: str
    cents: int
    currency: str
    purpose: str
    redirect_url: str | None


@dataclass(frozen=True, slots=True)
class Address:
    originator_id: str
    end_point_id: str


@dataclass(frozen=True, slots=True)
class Payment:
    transaction_id: str
    address: Address
    bill: Bill
    request: str  # the JSON as it was sent, given back as `paymentRequest`
    created_at: datetime
    outcome: Status  # how it ends when nobody chooses otherwise, at `settles_at`
    settles_at: datetime | None
    answers_again: bool
    decision: Status | None = None
    decided_at: datetime | None = None

    def status(self, now: datetime) -> Status:
        if self.decision is not None:
            return self.decision
        if self.settles_at is not None and self.settles_at <= now:
            return self.outcome
        return Status.INITIAL

    def status_since(self, now: datetime) -> datetime:
        if self.decided_at is not None:
            return self.decided_at
        if self.settles_at is not None and self.settles_at <= now:
            return self.settles_at
        return self.created_at


class SumsWrong(Exception):
    """The amounts of a request contradict each other."""


def bill_of(request: Mapping[str, Any]) -> Bill:
    """The bill of a request that fits the schema. Raises SumsWrong.

    The published documentation names CALCULATION_ERROR without its rule. This example's: a line's total is its quantity
    times its single amount, and the gross amount is the sum of all lines' net and tax, each to the cent. What a request
    leaves out is not checked.
    """
    totals = [_line_total(number, item) for number, item in enumerate(request["items"])]
    known = None if None in totals else sum((total for total in totals if total is not None), Decimal(0))
    gross = request.get("grosAmount", known)
    if gross is None:
        raise SumsWrong("There is neither grosAmount nor an amount for each item.")
    if gross <= 0 or _cents(gross) != Decimal(gross) * 100:
        raise SumsWrong("grosAmount must be more than zero, in whole cents.")
    if known is not None and _cents(known) != _cents(gross):
        raise SumsWrong("grosAmount is not the sum of the items.")
    return Bill(
        request_id=request["requestId"],
        cents=_cents(gross),
        currency=request.get("currency", "EUR"),
        purpose=request.get("purpose", ""),
        redirect_url=request.get("redirectUrl"),
    )


def _line_total(number: int, item: Mapping[str, Any]) -> Decimal | None:
    net = _total_of(number, item, "Net")
    tax = _total_of(number, item, "Tax")
    return None if net is None else net + (tax or Decimal(0))


def _total_of(number: int, item: Mapping[str, Any], kind: str) -> Decimal | None:
    total, single = item.get(f"total{kind}Amount"), item.get(f"single{kind}Amount")
    if single is None:
        return None if total is None else Decimal(total)
    computed = Decimal(single) * item.get("quantity", 1)
    if total is not None and _cents(total) != _cents(computed):
        raise SumsWrong(f"items/{number}: total{kind}Amount is not quantity times single{kind}Amount.")
    return computed if total is None else Decimal(total)


def _cents(amount: Decimal | int) -> int:
    return int((Decimal(amount) * 100).quantize(Decimal(1), ROUND_HALF_UP))


def open_payment(
    bill: Bill, *, address: Address, request: str, transaction_id: str, switches: Switches, now: datetime
) -> Payment:
    outcome = {Mode.FAIL: Status.FAILED, Mode.CANCEL: Status.CANCELED}.get(switches.mode, Status.PAYED)
    after = switches.auto_pay_after_seconds
    if after is None and outcome is not Status.PAYED:
        after = 0
    return Payment(
        transaction_id=transaction_id,
        address=address,
        bill=bill,
        request=request,
        created_at=now,
        outcome=outcome,
        settles_at=None if after is None else now + timedelta(seconds=after),
        answers_again=switches.mode is Mode.ANSWER_TWICE,
    )


def decide(payment: Payment, wish: Status, now: datetime) -> Payment:
    """A person's choice. The first one stands: repeating it, or choosing otherwise later, changes nothing."""
    if payment.status(now) is not Status.INITIAL:
        return payment
    return replace(payment, decision=wish, decided_at=now)


def safe_redirect(url: str | None) -> str | None:
    """The address to send people back to, if it is a plain web address: never javascript:, data: and their like."""
    if url is None or any(sign.isspace() or not sign.isprintable() or sign == "\\" for sign in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None
