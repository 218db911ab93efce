"""The port to a payment provider: what we ask for, what we hear, and how it can go wrong. Adapters implement it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.errors import NotFound, PeerAway
from services.payments.domain.demands import Attempt, Demand, Word

MOST_LINES = 99
"""XBezahldienste: 1 to 99 items."""


class ProviderAway(PeerAway):
    """It can't be reached, or has trouble of its own: try again. Whether it did what we asked isn't known."""

    code = "provider_away"
    title = "The payment provider can't be reached at present"


class ProviderRefused(ProviderAway):
    """It says no to what we ask: something is set up wrongly, here or there, and a person has to mend it.

    `reason` is the provider's own code. Tried again, since after mending it goes on by itself.
    """

    code = "provider_refused"
    title = "Paying online isn't possible at present"

    def __init__(self, reason: str) -> None:
        super().__init__("the payment provider refuses our requests at present")
        self.reason = reason


class TransactionUnknown(NotFound):
    """It says that it knows no such transaction."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill."""

    fee: str
    cents: int
    booking_data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bill:
    """What the provider is asked to collect. Holds no personal data."""

    request_id: str
    """The attempt's id: the same bill asked for twice is one transaction."""
    at: datetime
    cents: int
    currency: str
    purpose: str
    """The payment reference."""
    return_url: str
    lines: tuple[BillLine, ...]
    """1 to 99, which sum to `cents`."""


class Provider(Protocol):
    """A payment provider, for all towns."""

    async def open(self, tenant: str, bill: Bill) -> Word:
        """The transaction of a bill, made now or, if its answer was lost, before. Always with a `redirect_url`
        where the payer can pay.

        Raises:
            ProviderAway, ProviderRefused.
        """
        ...

    async def look(self, tenant: str, transaction_id: str) -> Word:
        """What it says of a transaction now.

        Raises:
            TransactionUnknown, ProviderAway, ProviderRefused.
        """
        ...

    async def close(self) -> None:
        """Closes its connections."""
        ...


def bill_of(demand: Demand, attempt: Attempt, return_url: str) -> Bill:
    """The bill for an attempt: line by line where the whole is owed, else in one sum."""
    return Bill(
        request_id=attempt.attempt_id,
        at=attempt.started_at,
        cents=attempt.cents,
        currency=demand.amount.currency,
        purpose=demand.payment_reference,
        return_url=return_url,
        lines=_lines(demand, attempt.cents),
    )


def _lines(demand: Demand, cents: int) -> tuple[BillLine, ...]:
    if cents != demand.amount.cents or not 1 <= len(demand.items) <= MOST_LINES:
        return (BillLine("fees", cents, demand.booking_data),)
    return tuple(BillLine(item.fee, item.amount.cents, demand.booking_data) for item in demand.items)
