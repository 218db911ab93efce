"""Due work: asking the provider, filling the ledger, marking demands as overdue."""

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
    """Does a demand's due work.

    Each piece may be done twice: the provider recognises our request id, and the ledger the booking's id.
    """

    def __init__(self, handlers: Handlers, providers: Providers, ledger: Ledger, settings: Settings) -> None:
        self._handlers = handlers
        self._providers = providers
        self._ledger = ledger
        self._settings = settings

    async def open(self, work: Work[Demand]) -> None:
        """Asks the provider for a transaction. A repetition has the same request id."""
        demand = work.snapshot.state
        attempt = schedule.attempt_to_open(demand)
        if attempt is None:
            return
        provider = self._providers.of(demand.tenant)
        return_url = self._settings.return_url_of(demand.tenant, demand.demand_id)
        bill = bill_of(demand, attempt, return_url, provider.max_lines)
        status = await _measured("open", provider.open(demand.tenant, bill), attempt)
        _alert_if_held(attempt, await self._handlers.record_opening(work, attempt.attempt_id, status))

    async def look(self, work: Work[Demand]) -> None:
        """Asks the provider for the status of a transaction."""
        demand = work.snapshot.state
        planned = schedule.attempt_to_look_at(demand)
        if planned is None or planned[0].transaction_id is None:
            return
        attempt, transaction_id = planned[0], planned[0].transaction_id
        try:
            provider = self._providers.of(demand.tenant)
            status = await _measured("look", provider.look(demand.tenant, transaction_id), attempt)
        except TransactionUnknown:
            await self._handlers.record_unknown_transaction(work, attempt.attempt_id)
        else:
            _alert_if_held(attempt, await self._handlers.apply_provider_status(work, attempt.attempt_id, status))

    async def book(self, work: Work[Demand]) -> None:
        """Copies the demand's bookings into the ledger."""
        demand = work.snapshot.state
        await self._ledger.add(demand, unbooked(demand))
        await self._handlers.record_booked(work)

    async def overdue(self, work: Work[Demand]) -> None:
        """Marks the demand as overdue, on the day after the last day to pay."""
        await self._handlers.mark_overdue(work)


async def _measured(operation: str, call: Awaitable[T], attempt: Attempt) -> T:
    started, outcome = time.monotonic(), "away"
    try:
        answer = await call
    except ProviderRefused as refused:
        outcome = "refused"
        _log_refusal(operation, refused, attempt)
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


def _log_refusal(operation: str, refused: ProviderRefused, attempt: Attempt) -> None:
    log.error("the payment provider refuses", operation=operation, reason=refused.reason, attempt=attempt.attempt_id)


def _alert_if_held(before: Attempt, after: Snapshot[Demand] | None) -> None:
    """Counts and logs an attempt that is held now and wasn't before."""
    now = after.state.attempt(before.attempt_id) if after else None
    if now is None or now.phase is not Phase.HELD or before.phase is Phase.HELD:
        return
    metrics.PAYMENTS_HELD.inc()
    log.error("payment held: the provider's word doesn't fit what was asked for", attempt=before.attempt_id)


def register(service: Service, demands: Demands, work: DemandWork) -> None:
    """Registers each piece of due work under its name in `domain/schedule.py`."""
    service.work(demands.store, "open", work.open)
    service.work(demands.store, "look", work.look)
    service.work(demands.store, "book", work.book)
    service.work(demands.store, "overdue", work.overdue)
