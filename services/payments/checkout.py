"""Checkout: an attempt is recorded first, then the provider is asked where the payer pays.

The request does the due work `open` itself, because the payer is waiting. Where that fails, the work stays due and
workers repeat it. The same request with the same Idempotency-Key returns what became of the attempt.
"""

from __future__ import annotations

from chassis.aggregates import Request
from chassis.errors import NotYet
from services.payments.handlers import Handlers
from services.payments.workers import DemandWork


class Checkout:
    """The use case in which a person waits for the provider."""

    def __init__(self, handlers: Handlers, work: DemandWork) -> None:
        self._handlers = handlers
        self._work = work

    async def begin(self, request: Request, tenant: str, demand_id: str, account_id: str) -> tuple[str, str]:
        """Returns the id of the live attempt, and the URL where the payer pays.

        Raises:
            NotFound: not this account's to pay.
            NotPayable: nothing to pay, or not online.
            ProviderAway, NotYet: the provider hasn't answered yet; ask again with the same key.
        """
        attempt_id = await self._handlers.start_attempt(request, tenant, demand_id, account_id)
        opening = await self._handlers.due_opening(tenant, demand_id)
        if opening:
            await self._work.open(opening)
        url = await self._handlers.redirect_url(tenant, demand_id, attempt_id)
        if url is None:
            raise NotYet("the payment provider hasn't answered yet: ask again with the same Idempotency-Key")
        return attempt_id, url
