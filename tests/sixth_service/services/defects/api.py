"""HTTP in: defects are reported and read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from services.defects.handlers import Handlers, shown

from chassis.aggregates import Answer
from chassis.http import Access, Caller, Router, respond

Town = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,38}$", description="the town's slug", examples=["witten"])]
DefectId = Annotated[str, Path(examples=["0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])]
Operator = Annotated[Caller, Depends(Access(scopes=["operator"]))]


class DefectRequest(BaseModel):
    """What is broken."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", examples=["street_light"])


class DefectAnswer(BaseModel):
    """A defect as it was reported."""

    defect_id: str = Field(examples=["0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    kind: str = Field(examples=["street_light"])
    reported_on: str = Field(description="a day in Europe/Berlin", examples=["2026-03-02"])


def router(handlers: Handlers) -> Router:
    """The routes of defects."""
    made = Router("/defects/v1/{tenant}", tags=["defects"])

    @made.post("/defects", status_code=201, response_model=DefectAnswer, summary="Reports a defect")
    async def report_defect(tenant: Town, body: DefectRequest, caller: Operator) -> Response:
        return respond(await handlers.report_defect(tenant, body.kind, caller.change))

    @made.get("/defects/{defect_id}", response_model=DefectAnswer, summary="A defect as it was reported")
    async def read_defect(tenant: Town, defect_id: DefectId, caller: Operator) -> Response:
        found = await handlers.defect(tenant, defect_id)
        return respond(Answer(200, shown(found), found.etag))

    return made
