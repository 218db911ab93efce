"""The collection of defects. No other file of the service speaks Mongo."""

from __future__ import annotations

from services.defects.domain import Defect

from chassis.aggregates import Kind, Store
from chassis.service import Service
from contracts.topics import DEFECTS

KIND = Kind("defect", DEFECTS, Defect)
"""Read by `_id` only: it needs no further index."""


class Defects:
    """The aggregates."""

    def __init__(self, service: Service) -> None:
        self.store: Store[Defect] = service.store(KIND)
