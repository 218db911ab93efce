"""The use cases of payments. Each loads a demand, decides, and saves it with one atomic write.

The order of writes is explained in docs/decisions/0009-booking.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chassis.aggregates import Answer, Change, Received, Request, Snapshot, Work
from chassis.mongo import utc_floor
from contracts.applications import ApplicationWithdrawn, FeeAssessed
from services.payments.adapters.registry import Providers
from services.payments.domain import attempts, demands, ledger, provider_status, schedule
from services.payments.domain.attempts import StartAttempt
from services.payments.domain.demands import RequestPayment
from services.payments.domain.provider_status import ProviderStatus
from services.payments.domain.state import Demand
from services.payments.settings import Settings
from services.payments.store import Demands

_GRACE = timedelta(seconds=1)


class Handlers:
    """The use cases."""

    def __init__(self, demand_store: Demands, providers: Providers, settings: Settings) -> None:
        self._demands = demand_store
        self._providers = providers
        self._store = demand_store.store
        self._settings = settings

    # Events

    async def request_payment(self, event: Received[FeeAssessed]) -> None:
        """Cancels the demand that the assessment replaces, then creates its own: two writes, each idempotent."""
        if event.data.replaces:
            replaced = demands.demand_id_of(event.tenant, event.data.replaces)
            await self._store.on_event(event, replaced, demands.replace_demand)
        booking_data = self._settings.booking_data.get(event.tenant, {})
        command = RequestPayment(event.tenant, event.envelope.authority, booking_data, event.data)
        demand_id = demands.demand_id_of(event.tenant, event.data.assessment_id)

        def _transition(existing: Demand | None, now: datetime) -> Change[Demand]:
            return Change(existing) if existing else demands.request_payment(demands.demand_of(command, now))

        await self._store.upsert_on_event(event, demand_id, _transition)

    async def withdraw_demands(self, event: Received[ApplicationWithdrawn]) -> None:
        """Cancels the open demands of the case: one write for each demand, each idempotent."""
        for snapshot in await self._demands.of_case(event.tenant, event.data.case_id):
            await self._store.on_event(event, snapshot.id, demands.withdraw_demand)

    # Requests

    async def start_attempt(self, request: Request, tenant: str, demand_id: str, account_id: str) -> str:
        """Records an attempt before the provider is called. Returns the id of the live attempt.

        Raises:
            NotFound: the demand isn't this account's to pay.
            NotPayable: see `attempts.start_attempt`.
        """
        command = StartAttempt(
            account_id=account_id,
            attempt_id=request.new_id("attempt"),
            retry_after=timedelta(seconds=self._settings.provider_timeout_seconds) + _GRACE,
            expires_after=timedelta(seconds=self._settings.attempt_expiry_seconds),
            max_cents=self._providers.of(tenant).max_cents,
        )

        def _answer(after: Snapshot[Demand]) -> Answer:
            own = after.state.attempt(command.attempt_id)
            return Answer(202, {"attempt_id": (own or after.state.live_attempts[0]).attempt_id})

        answer = await self._store.on_request(
            request, tenant, demand_id, lambda demand, now: attempts.start_attempt(demand, command, now), _answer
        )
        return str(answer.body["attempt_id"])

    async def due_opening(self, tenant: str, demand_id: str) -> Work[Demand] | None:
        """Returns the due work `open` of a demand, for a request that does it at once; None where none is due."""
        snapshot = await self._store.require(tenant, demand_id)
        at = schedule.due(snapshot.state).get("open")
        return Work("open", utc_floor(at), 0, snapshot) if at else None

    async def redirect_url(self, tenant: str, demand_id: str, attempt_id: str) -> str | None:
        """Returns the URL where the payer pays; None while the provider hasn't answered.

        Raises:
            NotPayable: see `attempts.redirect_of`.
        """
        snapshot = await self._store.require(tenant, demand_id)
        return attempts.redirect_of(snapshot.state, attempt_id)

    async def request_look(
        self,
        request: Request,
        tenant: str,
        demand_id: str,
        require_access: Callable[[Demand], None],
        answer: Callable[[Snapshot[Demand]], Answer],
    ) -> Answer:
        """Makes a look at the provider due at once. `require_access` raises where the caller has no access."""

        def _transition(demand: Demand, now: datetime) -> Change[Demand]:
            require_access(demand)
            return attempts.request_look(demand, now)

        return await self._store.on_request(request, tenant, demand_id, _transition, answer)

    # Due work

    async def record_opening(
        self, work: Work[Demand], attempt_id: str, status: ProviderStatus
    ) -> Snapshot[Demand] | None:
        """Records the transaction that the provider returned for an attempt."""
        return await self._store.on_due(
            work, lambda demand, now: provider_status.record_opening(demand, attempt_id, status, now)
        )

    async def apply_provider_status(
        self, work: Work[Demand], attempt_id: str, status: ProviderStatus
    ) -> Snapshot[Demand] | None:
        """Applies what the provider says of an attempt."""
        return await self._store.on_due(
            work, lambda demand, now: provider_status.apply_provider_status(demand, attempt_id, status, now)
        )

    async def record_unknown_transaction(self, work: Work[Demand], attempt_id: str) -> Snapshot[Demand] | None:
        """Records that the provider has no transaction for an attempt."""
        return await self._store.on_due(
            work, lambda demand, now: provider_status.record_unknown_transaction(demand, attempt_id, now)
        )

    async def record_booked(self, work: Work[Demand]) -> None:
        """Records that the bookings which the work has read are in the ledger."""
        count = len(work.snapshot.state.bookings)
        await self._store.on_due(work, lambda demand, _: ledger.record_booked(demand, count))

    async def mark_overdue(self, work: Work[Demand]) -> None:
        """Marks a demand as overdue."""
        await self._store.on_due(work, lambda demand, _: demands.mark_overdue(demand))
