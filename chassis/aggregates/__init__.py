"""Aggregates: one document each, changed by one atomic write (docs/decisions/0002-one-document-aggregate.md).

    kind.py       what sort of aggregate; one as it was read; an event as it is received
    requests.py   HTTP requests that change something, carried out once, and their answers
    document.py   an aggregate as a document, and back
    store.py      reading, and the one write
    due.py        due work: the workers' list
    archive.py    events that leave the document

Other packages import these names from here. `Change` and `Transition` are defined in `chassis.change`, which domains
can import.
"""

from chassis.aggregates.document import envelope_of
from chassis.aggregates.due import Work
from chassis.aggregates.kind import Kind, Received, Snapshot
from chassis.aggregates.requests import MAX_REQUESTS_KEPT, Answer, Request
from chassis.aggregates.store import MAX_WRITE_TRIES, Signals, Store
from chassis.change import Change, Transition

__all__ = [
    "MAX_REQUESTS_KEPT",
    "MAX_WRITE_TRIES",
    "Answer",
    "Change",
    "Kind",
    "Received",
    "Request",
    "Signals",
    "Snapshot",
    "Store",
    "Transition",
    "Work",
    "envelope_of",
]
