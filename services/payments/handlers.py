"""What payments does with a demand: one atomic write each. docs/decisions/0009-booking.md tells the order."""

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

    def __init__(self, found: Demands, providers: Providers, settings: Settings) -> None:
        self._demands = found
        self._providers = providers
        self._store = found.store
        self._settings = settings

    # Events

    async def request_payment(self, event: Received[FeeAssessed]) -> None:
        """Cancels the demand that the assessment replaces, then makes its own: two writes, each idempotent."""
        if event.data.replaces:
            replaced = demands.demand_id_of(event.tenant, event.data.replaces)
            await self._store.on_event(event, replaced, demands.replace_demand)
        booking_data = self._settings.booking_data.get(event.tenant, {})
        command = RequestPayment(event.tenant, event.envelope.authority, booking_data, event.data)
        demand_id = demands.demand_id_of(event.tenant, event.data.assessment_id)

        def _request(known: Demand | None, now: datetime) -> Change[Demand]:
            return Change(known) if known else demands.request_payment(demands.demand_of(command, now))

        await self._store.upsert_on_event(event, demand_id, _request)

    async def withdraw(self, event: Received[ApplicationWithdrawn]) -> None:
        """Cancels what is open of the case: a write for each demand, each idempotent."""
        for found in await self._demands.of_case(event.tenant, event.data.case_id):
            await self._store.on_event(event, found.id, demands.withdraw_demand)

    # Requests

    async def start_attempt(self, request: Request, tenant: str, demand_id: str, account_id: str) -> str:
        """Records the wish to pay before anybody outside is asked; the id of the attempt to follow.

        Raises:
            NotFound: not this account's. NotPayable: see `attempts.start_attempt`.
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

        given = await self._store.on_request(
            request, tenant, demand_id, lambda demand, now: attempts.start_attempt(demand, command, now), _answer
        )
        return str(given.body["attempt_id"])

    async def opening(self, tenant: str, demand_id: str) -> Work[Demand] | None:
        """The due work of asking the provider for a transaction, to be done now by who waits for it."""
        found = await self._store.require(tenant, demand_id)
        at = schedule.due(found.state).get("open")
        return Work("open", utc_floor(at), 0, found) if at else None

    async def redirect(self, tenant: str, demand_id: str, attempt_id: str) -> str | None:
        """Where the payer pays; None while the provider hasn't answered.

        Raises:
            NotPayable: see `attempts.redirect_of`.
        """
        found = await self._store.require(tenant, demand_id)
        return attempts.redirect_of(found.state, attempt_id)

    async def hurry(
        self,
        request: Request,
        tenant: str,
        demand_id: str,
        may: Callable[[Demand], None],
        answer: Callable[[Snapshot[Demand]], Answer],
    ) -> Answer:
        """The payer is back: the provider is asked at once. `may` raises for those who may not."""

        def _hurry(demand: Demand, now: datetime) -> Change[Demand]:
            may(demand)
            return attempts.request_look(demand, now)

        return await self._store.on_request(request, tenant, demand_id, _hurry, answer)

    # Due work

    async def record_opening(
        self, work: Work[Demand], attempt_id: str, status: ProviderStatus
    ) -> Snapshot[Demand] | None:
        """The provider has a transaction for the attempt."""
        return await self._store.on_due(
            work, lambda demand, now: provider_status.record_opening(demand, attempt_id, status, now)
        )

    async def record_look(self, work: Work[Demand], attempt_id: str, status: ProviderStatus) -> Snapshot[Demand] | None:
        """What the provider says of the attempt."""
        return await self._store.on_due(
            work, lambda demand, now: provider_status.apply_provider_status(demand, attempt_id, status, now)
        )

    async def record_miss(self, work: Work[Demand], attempt_id: str) -> Snapshot[Demand] | None:
        """The provider knows nothing of the attempt."""
        return await self._store.on_due(
            work, lambda demand, now: provider_status.record_unknown_transaction(demand, attempt_id, now)
        )

    async def record_booked(self, work: Work[Demand]) -> None:
        """All bookings that the work knew are in the ledger."""
        count = len(work.snapshot.state.bookings)
        await self._store.on_due(work, lambda demand, _: ledger.record_booked(demand, count))

    async def fall_overdue(self, work: Work[Demand]) -> None:
        """The due day is over."""
        await self._store.on_due(work, lambda demand, _: demands.mark_overdue(demand))
