"""Events of defects: what is broken in a town. Subject and key: the defect."""

from __future__ import annotations

from contracts import topics
from contracts.envelope import Event
from contracts.values import Code, DataRef, LegalDate, Uuid


class DefectReported(Event):
    """Something broken was reported. Consumed by nobody yet: it is there for the systems of the town's depot."""

    topic = topics.DEFECTS
    name = "defect_reported"

    defect_id: Uuid
    kind: Code
    """What is broken, such as `street_light`; an open list."""
    reported_on: LegalDate
    dataref: DataRef
