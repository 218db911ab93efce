"""The port to a payment provider: what we ask for, what it answers, and how that fails. Adapters implement it.

PeerAway
└── ProviderAway            no answer, or an error of its own: tried again
    └── ProviderRefused     it rejects our request: tried again, and a person has to act
NotFound
└── TransactionUnknown      it has no such transaction
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.errors import NotFound, PeerAway
from services.payments.domain.provider_status import ProviderStatus


class ProviderAway(PeerAway):
    """The provider can't be reached, or has an error of its own. Whether it carried out the request isn't known."""

    code = "provider_away"
    title = "The payment provider can't be reached at present"


class ProviderRefused(ProviderAway):
    """The provider rejects our request: something is configured wrongly, here or there, and a person has to correct it.

    `reason` is the provider's own code. The request is tried again, so that it succeeds once that is corrected.
    """

    code = "provider_refused"
    title = "Paying online isn't possible at present"

    def __init__(self, reason: str) -> None:
        super().__init__("the payment provider refuses our requests at present")
        self.reason = reason


class TransactionUnknown(NotFound):
    """The provider answers that it has no such transaction."""


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
    """The payment reference: at most 25 characters."""
    return_url: str
    lines: tuple[BillLine, ...]
    """1 to the provider's `max_lines`, which sum to `cents`."""


class Provider(Protocol):
    """A payment provider, for all towns that use it."""

    @property
    def max_cents(self) -> int:
        """The largest amount of a bill. Larger demands can't be paid online."""
        ...

    @property
    def max_lines(self) -> int:
        """The largest number of lines of a bill. A demand with more is billed as one sum."""
        ...

    async def check(self) -> None:
        """Checks the provider's settings, when the service starts. Doesn't call the provider.

        Raises:
            ConfigurationError: the provider can't be used with these settings.
        """
        ...

    async def open(self, tenant: str, bill: Bill) -> ProviderStatus:
        """Returns the transaction of a bill: a new one, or the one made earlier for the same `request_id`.

        An open transaction has a `redirect_url`, where the payer pays.

        Raises:
            ProviderAway, ProviderRefused.
        """
        ...

    async def look(self, tenant: str, transaction_id: str) -> ProviderStatus:
        """Returns the present status of a transaction.

        Raises:
            TransactionUnknown, ProviderAway, ProviderRefused.
        """
        ...

    async def close(self) -> None:
        """Closes its connections."""
        ...
