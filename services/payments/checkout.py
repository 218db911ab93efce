"""Leading a payer to the provider: recorded first, then asked for.

The request does the due work `open` itself, since somebody is waiting. Where it fails, the work stays due and goes on
by itself; the same request again, with the same Idempotency-Key, finds what came of it.
"""

from __future__ import annotations

from chassis.aggregates import Request
from chassis.errors import NotYet
from services.payments.handlers import Handlers
from services.payments.workers import DemandWork


class Checkout:
    """The one use case in which a person waits for somebody outside."""

    def __init__(self, handlers: Handlers, doing: DemandWork) -> None:
        self._handlers = handlers
        self._doing = doing

    async def begin(self, request: Request, tenant: str, demand_id: str, account_id: str) -> tuple[str, str]:
        """The attempt, and where the payer pays. While an attempt is live, that one's.

        Raises:
            NotFound: not this account's to pay.
            NotPayable: nothing to pay, or not online.
            ProviderAway, NotYet: the provider hasn't answered yet; ask again with the same key.
        """
        attempt_id = await self._handlers.start_attempt(request, tenant, demand_id, account_id)
        work = await self._handlers.opening(tenant, demand_id)
        if work:
            await self._doing.open(work)
        url = await self._handlers.redirect(tenant, demand_id, attempt_id)
        if url is None:
            raise NotYet("the payment provider hasn't answered yet: ask again with the same Idempotency-Key")
        return attempt_id, url
