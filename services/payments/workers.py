"""Due work: asking the provider, filling the ledger, noticing that a day is over."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TypeVar

from chassis.aggregates import Snapshot, Work
from chassis.logging import get_logger
from chassis.service import Service
from services.payments import metrics
from services.payments.adapters.base import ProviderRefused, TransactionUnknown
from services.payments.adapters.registry import Providers
from services.payments.bills import bill_of
from services.payments.domain import schedule
from services.payments.domain.ledger import unbooked
from services.payments.domain.state import Attempt, Demand, Phase
from services.payments.handlers import Handlers
from services.payments.settings import Settings
from services.payments.store import Demands, Ledger

T = TypeVar("T")

log = get_logger(__name__)


class DemandWork:
    """Who does a demand's due work. Each piece may be done twice: the provider knows our request id, the ledger the
    booking's."""

    def __init__(self, handlers: Handlers, providers: Providers, ledger: Ledger, settings: Settings) -> None:
        self._handlers = handlers
        self._providers = providers
        self._ledger = ledger
        self._settings = settings

    async def open(self, work: Work[Demand]) -> None:
        """Asks the provider for a transaction. A crash, or a lost answer, repeats it with the same request id."""
        demand = work.snapshot.state
        attempt = schedule.attempt_to_open(demand)
        if attempt is None:
            return
        provider = self._providers.of(demand.tenant)
        return_url = self._settings.return_url_of(demand.tenant, demand.demand_id)
        bill = bill_of(demand, attempt, return_url, provider.max_lines)
        status = await _measured("open", provider.open(demand.tenant, bill), attempt)
        _report(attempt, await self._handlers.record_opening(work, attempt.attempt_id, status))

    async def look(self, work: Work[Demand]) -> None:
        """Asks the provider what became of a transaction: only what it says itself counts."""
        demand = work.snapshot.state
        planned = schedule.attempt_to_look_at(demand)
        if planned is None or planned[0].transaction_id is None:
            return
        attempt, transaction_id = planned[0], planned[0].transaction_id
        try:
            provider = self._providers.of(demand.tenant)
            status = await _measured("look", provider.look(demand.tenant, transaction_id), attempt)
        except TransactionUnknown:
            await self._handlers.record_miss(work, attempt.attempt_id)
        else:
            _report(attempt, await self._handlers.record_look(work, attempt.attempt_id, status))

    async def book(self, work: Work[Demand]) -> None:
        """Copies the demand's bookings into the ledger."""
        demand = work.snapshot.state
        await self._ledger.add(demand, unbooked(demand))
        await self._handlers.record_booked(work)

    async def overdue(self, work: Work[Demand]) -> None:
        """The day after the last one to pay."""
        await self._handlers.fall_overdue(work)


async def _measured(operation: str, call: Awaitable[T], attempt: Attempt) -> T:
    started, outcome = time.monotonic(), "away"
    try:
        answer = await call
    except ProviderRefused as refused:
        outcome = "refused"
        _report_refusal(operation, refused, attempt)
        raise
    except TransactionUnknown:
        outcome = "unknown"
        metrics.TRANSACTIONS_MISSED.inc()
        log.warning("the payment provider doesn't know a transaction", attempt=attempt.attempt_id)
        raise
    else:
        outcome = "ok"
        return answer
    finally:
        metrics.PROVIDER_SECONDS.labels(operation, outcome).observe(time.monotonic() - started)


def _report_refusal(operation: str, refused: ProviderRefused, attempt: Attempt) -> None:
    log.error("the payment provider refuses", operation=operation, reason=refused.reason, attempt=attempt.attempt_id)


def _report(before: Attempt, after: Snapshot[Demand] | None) -> None:
    """Alerts where an attempt is held now and wasn't before."""
    now = after.state.attempt(before.attempt_id) if after else None
    if now is None or now.phase is not Phase.HELD or before.phase is Phase.HELD:
        return
    metrics.PAYMENTS_HELD.inc()
    log.error("payment held: the provider's word doesn't fit what was asked for", attempt=before.attempt_id)


def register(service: Service, found: Demands, doing: DemandWork) -> None:
    """By the names in `domain/schedule.py`."""
    service.work(found.store, "open", doing.open)
    service.work(found.store, "look", doing.look)
    service.work(found.store, "book", doing.book)
    service.work(found.store, "overdue", doing.overdue)
