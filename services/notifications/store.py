"""The notices' collection. No other file of the service speaks Mongo."""

from __future__ import annotations

from chassis.aggregates import Kind, Snapshot, Store
from chassis.http.paging import Paging, after
from chassis.mongo import Index
from chassis.service import Service
from contracts.topics import NOTIFICATIONS
from kernel.timestamps import rfc3339
from services.notifications.domain import Notice, Status, due

PROVIDED_AT = "state.provided_at"
REQUESTED_AT = "state.requested_at"

NOTICES = Kind(
    "notice",
    NOTIFICATIONS,
    Notice,
    due=due,
    case=lambda notice: notice.case_id,
    authority=lambda notice: notice.authority,
    indexes=(
        Index((("tenant", 1), ("state.account_id", 1), (PROVIDED_AT, -1)), "a person's mailbox, newest first"),
        Index((("tenant", 1), ("state.case_id", 1), (REQUESTED_AT, -1)), "the notices of a case"),
        Index((("tenant", 1), ("state.status", 1), (REQUESTED_AT, -1)), "what must be sent another way"),
    ),
)


class Notices:
    """The notices of all towns."""

    def __init__(self, service: Service) -> None:
        self.store: Store[Notice] = service.store(NOTICES)

    async def files(self, tenant: str) -> set[str]:
        """SHA-256 of every document of the town."""
        rows = self.store.collection.find({"tenant": tenant}, {"state.document.sha256": 1})
        return {row["state"]["document"]["sha256"] async for row in rows if row.get("state", {}).get("document")}

    async def mailbox(self, tenant: str, account_id: str, paging: Paging) -> list[Snapshot[Notice]]:
        """What was provided to an account, newest first; one more than the page has."""
        return await self.store.find(
            tenant,
            {"state.account_id": account_id, PROVIDED_AT: {"$gt": ""}, **after(paging, PROVIDED_AT, descending=True)},
            sort=((PROVIDED_AT, -1), ("_id", -1)),
            limit=paging.limit + 1,
        )

    async def listed(
        self, tenant: str, status: Status | None, case_id: str | None, paging: Paging
    ) -> list[Snapshot[Notice]]:
        """The town's notices, newest first; one more than the page has."""
        wanted = {"state.status": status.value if status else None, "state.case_id": case_id}
        return await self.store.find(
            tenant,
            {
                **{name: value for name, value in wanted.items() if value is not None},
                **after(paging, REQUESTED_AT, descending=True),
            },
            sort=((REQUESTED_AT, -1), ("_id", -1)),
            limit=paging.limit + 1,
        )


def place_in_mailbox(found: Snapshot[Notice]) -> tuple[str, str]:
    """Where a page of `mailbox` ends."""
    return rfc3339(found.state.provided_at) if found.state.provided_at else "", found.id


def place_in_list(found: Snapshot[Notice]) -> tuple[str, str]:
    """Where a page of `listed` ends."""
    return rfc3339(found.state.requested_at), found.id
