"""The operator's door of every service: its parked events. For the installation's own client (scope `operator`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query
from pydantic import BaseModel, Field

from chassis.clock import Clock
from chassis.errors import NotFound
from chassis.events import parking
from chassis.events.parking import Selection, parked_events, parked_rows
from chassis.http import Access, Caller, Router
from chassis.mongo import Database

OPERATOR = Access(scopes=["operator"])


class Asked(BaseModel):
    """Which parked subjects are meant."""

    ids: list[str] = Field(min_length=1, max_length=1000, examples=[["applications/witten/payments/6f1c1e0a"]])


class Asking(BaseModel):
    """What was asked for; the partitions' owners do it within seconds."""

    asked: int = Field(description="how many subjects", examples=[1])


def router(service: str, database: Database, clock: Clock) -> Router:
    """The routes below `/<service>/v1/operations`."""
    routes = Router(f"/{service}/v1/operations", tags=["operations"])

    @routes.get("/parked")
    async def list_parked(
        _: Annotated[Caller, Depends(OPERATOR)],
        subject: Annotated[str | None, Query(max_length=200)] = None,
        reason: Annotated[str | None, Query(max_length=40)] = None,
        older_than_seconds: Annotated[int | None, Query(ge=0)] = None,
    ) -> dict[str, Any]:
        """The subjects whose events this service couldn't apply; without content."""
        older = None if older_than_seconds is None else timedelta(seconds=older_than_seconds)
        rows = parked_rows(database, Selection(subject, reason, older), clock.now())
        return {"items": [row.as_json() async for row in rows]}

    @routes.get("/parked/{parked_id:path}")
    async def show_parked(_: Annotated[Caller, Depends(OPERATOR)], parked_id: str) -> dict[str, Any]:
        """One parked subject with its events."""
        found = await parked_events(database, parked_id)
        if found is None:
            raise NotFound("nothing is parked under this id")
        return found

    @routes.post("/parked/{action}", status_code=202)
    async def ask(
        _: Annotated[Caller, Depends(OPERATOR)], action: Annotated[Literal["replay", "discard"], Path()], asked: Asked
    ) -> Asking:
        """Asks the partitions' owners to try the events again, or to give up the first of each subject."""
        return Asking(asked=await parking.request_action(database, asked.ids, action))

    return routes
