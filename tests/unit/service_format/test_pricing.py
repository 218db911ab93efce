"""Which fees are owed, and how much."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.applications import FeeTiming
from service_format.fees import Fee
from service_format.pricing import NotChargeable, owed
from services.applications.domain.services import Fee as KeptFee
from tests.support.service_data import CERTIFICATE

DAY = date(2026, 3, 2)


def _fees(*given: dict[str, Any]) -> tuple[KeptFee, ...]:
    return tuple(map(KeptFee.model_validate, given))


def _fee(**fields: Any) -> dict[str, Any]:
    return {**CERTIFICATE["fees"][0], **fields}


def test_fees_of_a_timing_are_owed_together() -> None:
    by_copy = {"path": "copies", "cents_each": 250, "currency": "EUR", "min_cents": None, "max_cents": 1000}
    fees = _fees(
        _fee(),
        _fee(id="copies", amount=None, rule=by_copy, days_to_pay=7),
        _fee(id="later", timing="with_decision"),
        _fee(id="past", valid_to="2026-03-01"),
        _fee(id="ahead", valid_from="2026-03-03"),
        _fee(id="not_theirs", conditions=[{"path": "copies", "min": 9}]),
    )
    found = owed(fees, FeeTiming.BEFORE_PROCESSING, {"copies": 3}, DAY)
    assert found is not None
    assert found.amount.cents == 1850
    assert [(each.fee, each.amount.cents) for each in found.items] == [("certificate_fee", 1100), ("copies", 750)]
    assert found.days_to_pay == 7
    assert owed(fees, FeeTiming.RECURRING, {}, DAY) is None


@pytest.mark.parametrize(
    ("number", "cents"), [(0, 100), (1, 250), (3, 750), (9, 1000), (1.5, 375), ("many", 100), (True, 100), (None, 100)]
)
def test_a_fee_by_rule_stays_within_its_limits(number: Any, cents: int) -> None:
    rule = {"path": "n", "cents_each": 250, "currency": "EUR", "min_cents": 100, "max_cents": 1000}
    found = owed(_fees(_fee(amount=None, rule=rule)), FeeTiming.BEFORE_PROCESSING, {"n": number}, DAY)
    assert found is not None
    assert found.amount.cents == cents


def test_nothing_is_owed_where_the_amount_is_nothing() -> None:
    rule = {"path": "n", "cents_each": 250}
    assert owed(_fees(_fee(amount=None, rule=rule)), FeeTiming.BEFORE_PROCESSING, {}, DAY) is None


def test_an_amount_beyond_what_can_be_charged_is_refused() -> None:
    rule = {"path": "n", "cents_each": 250}
    for number in (10**6, 10**12, 1e300):
        with pytest.raises(NotChargeable):
            owed(_fees(_fee(amount=None, rule=rule)), FeeTiming.BEFORE_PROCESSING, {"n": number}, DAY)


def test_fees_of_several_currencies_are_not_charged_together() -> None:
    fees = _fees(_fee(), _fee(amount={"cents": 100, "currency": "CHF"}))
    with pytest.raises(NotChargeable, match="currencies"):
        owed(fees, FeeTiming.BEFORE_PROCESSING, {}, DAY)


def test_a_draft_is_priced_like_a_published_version() -> None:
    document = {**_fee(id="certificate_fee", legal_basis=["Satzung"]), "amount": None}
    rule = {"path": "n", "cents_each": 250, "max_cents": 1000}
    draft = (Fee.model_validate({**document, "rule": rule}),)
    kept = _fees({**document, "rule": rule})
    for number in (0, 1, 2.5, 9):
        data = {"n": number}
        assert owed(draft, FeeTiming.BEFORE_PROCESSING, data, DAY) == owed(kept, FeeTiming.BEFORE_PROCESSING, data, DAY)
