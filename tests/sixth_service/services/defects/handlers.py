"""What is done with defects: one atomic write each."""

from __future__ import annotations

from services.defects import domain
from services.defects.domain import Defect, ReportDefect
from services.defects.store import Defects

from chassis.aggregates import Answer, Request, Snapshot


class Handlers:
    """The use cases."""

    def __init__(self, defects: Defects) -> None:
        self._store = defects.store

    async def report_defect(self, tenant: str, kind: str, request: Request) -> Answer:
        """Records a defect; a repetition of the request gets the first one's answer."""
        command = ReportDefect(tenant, request.new_id("defect"), kind)
        return await self._store.upsert_on_request(
            request,
            tenant,
            command.defect_id,
            lambda state, now: domain.report(state, command, now),
            lambda made: Answer(201, shown(made), made.etag),
        )

    async def defect(self, tenant: str, defect_id: str) -> Snapshot[Defect]:
        """One defect. Raises NotFound."""
        return await self._store.require(tenant, defect_id)


def shown(defect: Snapshot[Defect]) -> dict[str, str]:
    """A defect as JSON."""
    state = defect.state
    return {"defect_id": state.defect_id, "kind": state.kind, "reported_on": state.reported_on.isoformat()}
