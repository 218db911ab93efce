"""The rules of defects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from contracts.defects import DefectReported

from chassis.change import Change
from chassis.errors import Conflict
from contracts import datarefs
from kernel.legal_days import legal_date


@dataclass(frozen=True, slots=True)
class Defect:
    """State: what was reported. It never changes."""

    tenant: str
    defect_id: str
    kind: str
    reported_on: date


@dataclass(frozen=True, slots=True)
class ReportDefect:
    """Command."""

    tenant: str
    defect_id: str
    kind: str


def report(state: Defect | None, command: ReportDefect, now: datetime) -> Change[Defect]:
    """Records a defect."""
    if state is not None:
        raise Conflict("it was reported before", id=command.defect_id)
    made = Defect(command.tenant, command.defect_id, command.kind, legal_date(now))
    event = DefectReported(
        defect_id=made.defect_id,
        kind=made.kind,
        reported_on=made.reported_on,
        dataref=datarefs.defect(made.tenant, made.defect_id),
    )
    return Change(made, (event,))
