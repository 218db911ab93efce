"""What is done with defects: one atomic write each."""

from __future__ import annotations

from services.defects import domain
from services.defects.domain import Defect, ReportDefect
from services.defects.store import Defects

from chassis.aggregates import Answer, Request, Snapshot
from chassis.clock import Clock
from kernel.legal_days import legal_date


class Handlers:
    """The use cases."""

    def __init__(self, defects: Defects, clock: Clock) -> None:
        self._store = defects.store
        self._clock = clock

    async def report_defect(self, tenant: str, kind: str, request: Request) -> Answer:
        """Records a defect; a repetition of the request gets the first one's answer."""
        command = ReportDefect(tenant, request.new_id("defect"), kind)
        today = legal_date(self._clock.now())
        return await self._store.on_request(
            request,
            tenant,
            command.defect_id,
            lambda state: domain.report(state, command, today),
            lambda made: Answer(201, shown(made), made.etag),
        )

    async def defect(self, tenant: str, defect_id: str) -> Snapshot[Defect]:
        """One defect. Raises NotFound."""
        return await self._store.require(tenant, defect_id)


def shown(defect: Snapshot[Defect]) -> dict[str, str]:
    """A defect as JSON."""
    state = defect.state
    return {"defect_id": state.defect_id, "kind": state.kind, "reported_on": state.reported_on.isoformat()}
