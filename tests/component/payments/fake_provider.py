"""A payment provider in memory, behind the same port as the real one: for what an honest provider never does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from services.payments.adapters.base import Bill, ProviderAway, TransactionUnknown
from services.payments.domain.provider_status import ProviderStatus, TransactionState


@dataclass
class FakeProvider:
    """Keeps transactions by request id; `lies` change what it says of all of them."""

    transactions: dict[str, ProviderStatus] = field(default_factory=dict)
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
        if bill.request_id not in self.transactions:
            self.bills.append(bill)
            transaction_id = f"{tenant}-{len(self.bills)}"
            self.transactions[bill.request_id] = ProviderStatus(
                state=TransactionState.OPEN,
                transaction_id=transaction_id,
                redirect_url=f"https://provider.example/pay/{transaction_id}",
                request_id=bill.request_id,
                cents=bill.cents,
                currency=bill.currency,
                purpose=bill.purpose,
            )
        return replace(self.transactions[bill.request_id], **self.lies)

    async def look(self, tenant: str, transaction_id: str) -> ProviderStatus:
        """See `Provider.look`."""
        self._present()
        for transaction in self.transactions.values():
            if transaction.transaction_id == transaction_id and transaction_id.startswith(f"{tenant}-"):
                return replace(transaction, **self.lies)
        raise TransactionUnknown("the provider knows no such transaction")

    async def close(self) -> None:
        """Nothing is open."""

    def end(self, said: TransactionState) -> None:
        """All transactions end so."""
        self.transactions = {name: replace(transaction, state=said) for name, transaction in self.transactions.items()}

    def _present(self) -> None:
        if self.away:
            raise ProviderAway("the payment provider does not answer")
