"""The bill that a payment provider gets for an attempt to pay."""

from __future__ import annotations

from services.payments.adapters.base import Bill, BillLine
from services.payments.domain.state import Attempt, Demand


def bill_of(demand: Demand, attempt: Attempt, return_url: str, max_lines: int) -> Bill:
    """Returns the bill for an attempt.

    It has the demand's items as lines where the whole amount is owed and the provider takes so many lines, else one
    line with the sum.
    """
    return Bill(
        request_id=attempt.attempt_id,
        at=attempt.started_at,
        cents=attempt.cents,
        currency=demand.amount.currency,
        purpose=demand.payment_reference,
        return_url=return_url,
        lines=_lines(demand, attempt.cents, max_lines),
    )


def _lines(demand: Demand, cents: int, max_lines: int) -> tuple[BillLine, ...]:
    if cents != demand.amount.cents or not 1 <= len(demand.items) <= max_lines:
        return (BillLine("fees", cents, demand.booking_data),)
    return tuple(BillLine(item.fee, item.amount.cents, demand.booking_data) for item in demand.items)
