"""The collections of applications. No other file of the service queries Mongo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.aggregates import Kind, Snapshot, Store
from chassis.http.paging import Paging, after
from chassis.mongo import Index
from chassis.service import Service
from contracts.topics import APPLICATIONS
from services.applications.domain import offers, state
from services.applications.domain.offers import Offer
from services.applications.domain.state import Case, Status

CASES = Kind(
    "case",
    APPLICATIONS,
    Case,
    due=state.due,
    case=lambda case: case.case_id,
    authority=lambda case: case.submission.terms.authority.id if case.submission else None,
    indexes=(
        Index((("tenant", 1), ("state.account_id", 1), ("state.created_at", -1)), "a person's own applications"),
        Index((("tenant", 1), ("state.status", 1), ("state.submitted_at", 1)), "the authority's cases by status"),
    ),
)

OFFERS = Kind(
    "offer",
    APPLICATIONS,
    Offer,
    due=offers.due,
    indexes=(Index((("tenant", 1), ("state.service_id", 1)), "the versions of a service"),),
)
"""Versions that catalog published, as they are known here. Emits no events."""

OLDEST_FIRST = (("state.submitted_at", 1), ("_id", 1))
NEWEST_FIRST = (("state.created_at", -1), ("_id", -1))


class Stores:
    """The aggregates of applications."""

    def __init__(self, service: Service) -> None:
        self.cases: Store[Case] = service.store(CASES)
        self.offers: Store[Offer] = service.store(OFFERS)

    async def offer_in_force(self, tenant: str, service_id: str, day: date) -> Offer:
        """The version of a service in force on a legal day. Raises as `offers.choose`."""
        found = await self.offers.find(tenant, {"state.service_id": service_id})
        return offers.choose((each.state for each in found), service_id, day)

    async def files(self, tenant: str) -> set[str]:
        """SHA-256 of every file that the town's drafts and cases name."""
        rows = self.cases.collection.find({"tenant": tenant}, {"state.uploads.sha256": 1})
        return {upload["sha256"] async for row in rows for upload in row.get("state", {}).get("uploads", ())}

    async def own(self, tenant: str, account_id: str, paging: Paging) -> Sequence[Snapshot[Case]]:
        """A person's drafts and cases, newest first; one more than the page holds."""
        where = {"state.account_id": account_id, **after(paging, "state.created_at", descending=True)}
        return await self.cases.find(tenant, where, sort=NEWEST_FIRST, limit=paging.limit + 1)

    async def by_status(self, tenant: str, statuses: Sequence[Status], paging: Paging) -> Sequence[Snapshot[Case]]:
        """Cases in one of some states, oldest submission first; one more than the page holds."""
        chosen = [each.value for each in statuses]
        where = {"state.status": {"$in": chosen}, **after(paging, "state.submitted_at")}
        return await self.cases.find(tenant, where, sort=OLDEST_FIRST, limit=paging.limit + 1)
