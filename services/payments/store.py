"""Demands and the ledger in MongoDB. No other file of the service has queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from chassis.aggregates import Kind, Snapshot, Store
from chassis.errors import DuplicateKey
from chassis.http.paging import Paging, after
from chassis.mongo import Document, Index
from chassis.service import Service
from contracts.topics import PAYMENTS
from kernel.legal_days import legal_date, start_of
from kernel.timestamps import rfc3339
from services.payments.domain.bookings import Account, Booking, Occasion
from services.payments.domain.schedule import due
from services.payments.domain.state import Demand

REQUESTED_AT = "state.requested_at"
BOOKED_AT = "booked_at"

DEMANDS = Kind(
    "demand",
    PAYMENTS,
    Demand,
    due=due,
    case=lambda demand: demand.case_id,
    authority=lambda demand: demand.authority,
    indexes=(
        Index((("tenant", 1), ("state.case_id", 1)), "the demands of a case"),
        Index(
            (("tenant", 1), ("state.payer_account", 1), (REQUESTED_AT, -1)), "what somebody has to pay, newest first"
        ),
        Index((("tenant", 1), (REQUESTED_AT, -1)), "the town's demands, newest first"),
    ),
)


class Demands:
    """The demands of all towns."""

    def __init__(self, service: Service) -> None:
        self.store: Store[Demand] = service.store(DEMANDS)

    async def of_case(self, tenant: str, case_id: str) -> list[Snapshot[Demand]]:
        """Returns all demands of a case. Its events come in order, so those of earlier events are there."""
        return await self.store.find(tenant, {"state.case_id": case_id})

    async def listed(
        self, tenant: str, payer_account: str | None, case_id: str | None, paging: Paging
    ) -> list[Snapshot[Demand]]:
        """Returns demands, newest first: at most one more than the page has."""
        wanted = {"state.payer_account": payer_account, "state.case_id": case_id}
        return await self.store.find(
            tenant,
            {
                **{name: value for name, value in wanted.items() if value is not None},
                **after(paging, REQUESTED_AT, descending=True),
            },
            sort=((REQUESTED_AT, -1), ("_id", -1)),
            limit=paging.limit + 1,
        )


def list_cursor(snapshot: Snapshot[Demand]) -> tuple[str, str]:
    """The position of a demand in `Demands.listed`, for the cursor of the next page."""
    return rfc3339(snapshot.state.requested_at), snapshot.id


@dataclass(frozen=True, slots=True)
class Period:
    """Days of booking in Europe/Berlin, both included."""

    first: date
    last: date

    @property
    def bounds(self) -> dict[str, str]:
        """As a filter on `booked_at`."""
        ends = start_of(self.last + timedelta(days=1))
        return {"$gte": rfc3339(start_of(self.first)), "$lt": rfc3339(ends)}


@dataclass(frozen=True, slots=True)
class Total:
    """What a period's bookings come to on one account, in one currency. Cents."""

    account: str
    currency: str
    debit: int
    credit: int


class Ledger:
    """Bookings, each a balanced document that is written once and never changed."""

    def __init__(self, service: Service) -> None:
        self._bookings = service.collection(
            "bookings", Index((("tenant", 1), (BOOKED_AT, 1), ("_id", 1)), "the journal of a period, in order")
        )

    async def add(self, demand: Demand, bookings: Iterable[Booking]) -> None:
        """Writes the bookings that aren't there yet. Their ids are derived, so a repetition changes nothing."""
        for booking in bookings:
            try:
                await self._bookings.inner.insert(_document(demand, booking))
            except DuplicateKey:
                continue

    async def listed(self, tenant: str, period: Period, paging: Paging) -> list[Document]:
        """Returns bookings in order of time: at most one more than the page has."""
        return await self._bookings.find(
            tenant,
            {"$and": [{BOOKED_AT: period.bounds}, after(paging, BOOKED_AT)]},
            sort=((BOOKED_AT, 1), ("_id", 1)),
            limit=paging.limit + 1,
        )

    async def totals(self, tenant: str, period: Period) -> list[Total]:
        """Returns the sums of a period by account and currency. Over all accounts, debit equals credit."""
        rows = await self._bookings.aggregate(
            tenant,
            {BOOKED_AT: period.bounds},
            [
                {"$unwind": "$lines"},
                {
                    "$group": {
                        "_id": {"account": "$lines.account", "currency": "$currency"},
                        "debit": {"$sum": "$lines.debit"},
                        "credit": {"$sum": "$lines.credit"},
                    }
                },
            ],
        )
        totals = [Total(row["_id"]["account"], row["_id"]["currency"], row["debit"], row["credit"]) for row in rows]
        order = [account.value for account in Account]
        return sorted(totals, key=lambda total: (total.currency, order.index(total.account)))


def ledger_cursor(row: Mapping[str, Any]) -> tuple[str, str]:
    """The position of a booking in `Ledger.listed`, for the cursor of the next page."""
    return row[BOOKED_AT], row["_id"]


def _document(demand: Demand, booking: Booking) -> Document:
    return {
        "_id": booking.booking_id,
        "tenant": demand.tenant,
        "demand_id": demand.demand_id,
        "case_id": demand.case_id,
        "attempt_id": booking.attempt_id,
        "occasion": Occasion(booking.occasion).value,
        BOOKED_AT: rfc3339(booking.at),
        "booked_on": legal_date(booking.at).isoformat(),
        "payment_reference": demand.payment_reference,
        "currency": demand.amount.currency,
        "booking_data": dict(demand.booking_data),
        "lines": [
            {"account": line.account.value, "debit": max(line.cents, 0), "credit": max(-line.cents, 0)}
            for line in booking.lines
        ],
    }
