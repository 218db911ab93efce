"""Events that can't be applied now: kept in order for each subject, so that all other subjects go on."""

from chassis.events.parking.documents import (
    DISCARD,
    HOLE,
    PARKED,
    REPLAY,
    WAITING,
    ParkedSubject,
    ProcessingFailure,
    StoredEvent,
)
from chassis.events.parking.operators import ParkedSummary, Selection, parked_events, parked_rows, request_action
from chassis.events.parking.store import ParkingStore

__all__ = [
    "DISCARD",
    "HOLE",
    "PARKED",
    "REPLAY",
    "WAITING",
    "ParkedSubject",
    "ParkedSummary",
    "ParkingStore",
    "ProcessingFailure",
    "Selection",
    "StoredEvent",
    "parked_events",
    "parked_rows",
    "request_action",
]
