"""A payment provider in memory, behind the same port as the real one: for what an honest provider never does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from services.payments.adapters.base import Bill, ProviderAway, TransactionUnknown
from services.payments.domain.provider_status import ProviderStatus, TransactionState


@dataclass
class FakeProvider:
    """Keeps transactions by request id; `lies` change what it says of all of them."""

    words: dict[str, ProviderStatus] = field(default_factory=dict)
    bills: list[Bill] = field(default_factory=list)
    lies: dict[str, Any] = field(default_factory=dict)
    away: bool = False

    max_cents = 99_999_900
    max_lines = 99

    async def check(self) -> None:
        """Needs no settings."""

    async def open(self, tenant: str, bill: Bill) -> ProviderStatus:
        """See `Provider.open`."""
        self._present()
        if bill.request_id not in self.words:
            self.bills.append(bill)
            transaction_id = f"{tenant}-{len(self.bills)}"
            self.words[bill.request_id] = ProviderStatus(
                state=TransactionState.OPEN,
                transaction_id=transaction_id,
                redirect_url=f"https://provider.example/pay/{transaction_id}",
                request_id=bill.request_id,
                cents=bill.cents,
                currency=bill.currency,
                purpose=bill.purpose,
            )
        return replace(self.words[bill.request_id], **self.lies)

    async def look(self, tenant: str, transaction_id: str) -> ProviderStatus:
        """See `Provider.look`."""
        self._present()
        for word in self.words.values():
            if word.transaction_id == transaction_id and transaction_id.startswith(f"{tenant}-"):
                return replace(word, **self.lies)
        raise TransactionUnknown("the provider knows no such transaction")

    async def close(self) -> None:
        """Nothing is open."""

    def end(self, said: TransactionState) -> None:
        """All transactions end so."""
        self.words = {name: replace(word, state=said) for name, word in self.words.items()}

    def _present(self) -> None:
        if self.away:
            raise ProviderAway("the payment provider does not answer")
