"""What payments does with a demand: one atomic write each. docs/decisions/0009-booking.md tells the order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chassis.aggregates import Answer, Decide, Received, Request, Snapshot, Work
from chassis.clock import Clock
from chassis.errors import Conflict, NotFound
from chassis.mongo import utc_floor
from contracts.applications import ApplicationWithdrawn, FeeAssessed
from services.payments.domain import demands
from services.payments.domain.demands import Decided, Demand, StartAttempt, Town, Word
from services.payments.settings import Settings
from services.payments.store import Demands

_TRIES = 10
_GRACE = timedelta(seconds=1)


class Handlers:
    """The use cases."""

    def __init__(self, found: Demands, settings: Settings, clock: Clock) -> None:
        self._demands = found
        self._store = found.store
        self._settings = settings
        self._clock = clock

    # Events

    async def request_payment(self, event: Received[FeeAssessed]) -> None:
        """Cancels the demand that the assessment replaces, then makes its own: two writes, each idempotent."""
        now = self._clock.now()
        if event.data.replaces:
            replaced = demands.demand_id_of(event.tenant, event.data.replaces)
            await self._store.on_event(event, replaced, _where_known(lambda demand: demands.give_way(demand, now)))
        town = Town(event.tenant, event.envelope.authority, self._settings.booking_data.get(event.tenant, {}))
        demand_id = demands.demand_id_of(event.tenant, event.data.assessment_id)
        await self._store.on_event(
            event,
            demand_id,
            lambda known: (known, ()) if known else demands.request_payment(demands.demand_of(event.data, town, now)),
        )

    async def withdraw(self, event: Received[ApplicationWithdrawn]) -> None:
        """Cancels what is open of the case: a write for each demand, each idempotent."""
        now = self._clock.now()
        for found in await self._demands.of_case(event.tenant, event.data.case_id):
            await self._store.on_event(event, found.id, _where_known(lambda demand: demands.withdraw(demand, now)))

    # Requests

    async def start_attempt(self, request: Request, tenant: str, demand_id: str, account_id: str) -> str:
        """Records the wish to pay before anybody outside is asked; the id of the attempt to follow.

        Raises:
            NotFound: not this account's. NotPayable: see `demands.start_attempt`.
        """
        now = self._clock.now()
        command = StartAttempt(
            account_id=account_id,
            attempt_id=request.new_id("attempt"),
            retry_after=timedelta(seconds=self._settings.provider_timeout_seconds) + _GRACE,
            expires_after=timedelta(seconds=self._settings.attempt_expiry_seconds),
        )

        def _answer(after: Snapshot[Demand]) -> Answer:
            own = after.state.attempt(command.attempt_id)
            return Answer(202, {"attempt_id": (own or after.state.live_attempts[0]).attempt_id})

        decide = _there(lambda demand: demands.start_attempt(demand, command, now))
        given = await self._requested(request, tenant, demand_id, decide, _answer)
        return str(given.body["attempt_id"])

    async def opening(self, tenant: str, demand_id: str) -> Work[Demand] | None:
        """The due work of asking the provider for a transaction, to be done now by who waits for it."""
        found = await self._store.require(tenant, demand_id)
        at = demands.due(found.state).get("open")
        return Work("open", utc_floor(at), 0, found) if at else None

    async def redirect(self, tenant: str, demand_id: str, attempt_id: str) -> str | None:
        """Where the payer pays; None while the provider hasn't answered.

        Raises:
            NotPayable: see `demands.redirect_of`.
        """
        found = await self._store.require(tenant, demand_id)
        return demands.redirect_of(found.state, attempt_id)

    async def hurry(
        self,
        request: Request,
        tenant: str,
        demand_id: str,
        may: Callable[[Demand], None],
        answer: Callable[[Snapshot[Demand]], Answer],
    ) -> Answer:
        """The payer is back: the provider is asked at once. `may` raises for those who may not."""
        now = self._clock.now()

        def _decide(demand: Demand) -> Decided:
            may(demand)
            return demands.hurry(demand, now)

        return await self._requested(request, tenant, demand_id, _there(_decide), answer)

    async def _requested(
        self,
        request: Request,
        tenant: str,
        demand_id: str,
        decide: Decide[Demand],
        answer: Callable[[Snapshot[Demand]], Answer],
    ) -> Answer:
        """Workers write to demands all the time: meeting one of them is no reason to bother the caller."""
        for _ in range(_TRIES):
            try:
                return await self._store.on_request(request, tenant, demand_id, decide, answer)
            except Conflict as conflict:
                if type(conflict) is not Conflict:
                    raise
        raise Conflict("somebody else changed it at the same time: try again", id=demand_id)

    # Due work

    async def record_opening(self, work: Work[Demand], attempt_id: str, word: Word) -> Snapshot[Demand] | None:
        """The provider has a transaction for the attempt."""
        return await self._done(work, lambda demand, now: demands.record_opening(demand, attempt_id, word, now))

    async def record_look(self, work: Work[Demand], attempt_id: str, word: Word) -> Snapshot[Demand] | None:
        """What the provider says of the attempt."""
        return await self._done(work, lambda demand, now: demands.heed(demand, attempt_id, word, now))

    async def record_miss(self, work: Work[Demand], attempt_id: str) -> Snapshot[Demand] | None:
        """The provider knows nothing of the attempt."""
        return await self._done(work, lambda demand, now: demands.miss(demand, attempt_id, now))

    async def record_booked(self, work: Work[Demand]) -> None:
        """All bookings that the work knew are in the ledger."""
        count = len(work.snapshot.state.bookings)
        await self._done(work, lambda demand, _: demands.record_booked(demand, count))

    async def fall_overdue(self, work: Work[Demand]) -> None:
        """The due day is over."""
        await self._done(work, lambda demand, _: demands.fall_overdue(demand))

    async def _done(self, work: Work[Demand], decide: Callable[[Demand, datetime], Decided]) -> Snapshot[Demand] | None:
        now = self._clock.now()
        return await self._store.on_due(work, _there(lambda demand: decide(demand, now)))


def _there(decide: Callable[[Demand], Decided]) -> Decide[Demand]:
    def _decide(demand: Demand | None) -> Decided:
        if demand is None:
            raise NotFound("no such demand")
        return decide(demand)

    return _decide


def _where_known(decide: Callable[[Demand], Decided]) -> Decide[Demand]:
    """For an event about a demand that need not exist."""
    return lambda demand: (None, ()) if demand is None else decide(demand)
