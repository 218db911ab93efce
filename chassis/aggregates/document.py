"""An aggregate as a document, and back.

Layout of a document (docs/decisions/0002-one-document-aggregate.md):

    _id, tenant        the subject's id; the town
    version            counts the writes of handlers; relay and lease marks leave it alone
    state              what the domain knows; absent in a tombstone
    seen               {stream/subject: [epoch, sequence]} of each subject listened to: the last event applied
    sequence           of the last event said
    events             the events said, in order
    published          sequence of the last event that the broker acknowledged
    unpublished_since  set while published < sequence
    due, due_at        {name: {at, next, attempts}}; the earliest `next`
    requests           the last idempotency keys, with body hash and answer
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin

import orjson
from pydantic import BaseModel, TypeAdapter

from chassis import context
from chassis.aggregates.kind import Kind, Snapshot
from chassis.errors import ConfigurationError
from chassis.mongo import Document, utc_floor
from contracts.envelope import MAX_DATA_BYTES, Envelope, Event, event_id, source_of
from contracts.topics import Topic

S = TypeVar("S")


@dataclasses.dataclass(frozen=True, slots=True)
class EventPosition:
    """Where an event stands among its aggregate's events, and when it is said."""

    epoch: int
    sequence: int
    at: datetime


class DocumentCodec(Generic[S]):
    """Between the aggregates of one kind and their documents."""

    def __init__(self, kind: Kind[S]) -> None:
        self.kind = kind
        self._adapter: TypeAdapter[S] = _adapter(cast(Hashable, kind.state))
        self._fields = _fields_of(kind.state)

    def to_state(self, document: Document | None) -> S | None:
        """The state; None where there is no document, or a tombstone."""
        return self._adapter.validate_python(document["state"]) if document and "state" in document else None

    def to_snapshot(self, document: Document) -> Snapshot[S]:
        """An aggregate that has a state."""
        state = self._adapter.validate_python(document["state"])
        return Snapshot(document["tenant"], document["_id"], document["version"], state)

    def as_document(self, state: S | None) -> Document:
        """What the document's `state` holds; empty for a tombstone."""
        document: Document = {} if state is None else self._adapter.dump_python(state, mode="json")
        return document

    def is_dropped(self, name: str, state: Document) -> bool:
        """Whether a stored field is to go. One that only a newer release knows stays: both may run at a time."""
        return name not in state and (self._fields is None or name in self._fields)

    def to_event_entry(
        self, event: Event, tenant: str, aggregate_id: str, position: EventPosition, state: S | None
    ) -> Document:
        """An event as the document keeps it.

        Raises:
            ConfigurationError: it belongs to another topic.
            ValueError: it is too long, or no envelope can carry it: the relay would stand still before it.
        """
        if event.topic != self.kind.topic:
            raise ConfigurationError(f"{event.type()} doesn't belong to {self.kind.topic.name}")
        data = event.model_dump(mode="json")
        size = len(orjson.dumps(data))
        if size > MAX_DATA_BYTES:
            raise ValueError(
                f"{event.type()} of {aggregate_id} is {size} bytes long; at most {MAX_DATA_BYTES} are allowed"
            )
        here = context.current()
        source = source_of(tenant, self.kind.topic.stream, aggregate_id)
        entry = {
            "sequence": position.sequence,
            "epoch": position.epoch,
            "id": event_id(source, position.epoch, position.sequence),
            "type": event.type(),
            "dataschema": event.schema_id(),
            "time": utc_floor(position.at),
            "case": self.kind.case(state) if state is not None else None,
            "authority": (self.kind.authority(state) if state is not None else None) or tenant,
            "causationid": here.causation_id,
            "correlationid": here.correlation_id,
            "traceparent": here.traceparent,
            "data": data,
        }
        envelope_of(self.kind.topic, {"_id": aggregate_id, "tenant": tenant}, entry)
        return entry


def envelope_of(topic: Topic, document: Document, said: Document) -> tuple[Envelope, dict[str, Any]]:
    """An event as a document keeps it, as envelope and data."""
    tenant, subject = document["tenant"], document["_id"]
    envelope = Envelope(
        id=said["id"],
        source=source_of(tenant, topic.stream, subject),
        type=said["type"],
        subject=subject,
        time=said["time"],
        sequence=said["sequence"],
        epoch=said["epoch"],
        tenant=tenant,
        authority=said["authority"],
        case=said["case"],
        causationid=said["causationid"],
        correlationid=said["correlationid"],
        traceparent=said["traceparent"],
        dataschema=said["dataschema"],
    )
    return envelope, said["data"]


@functools.cache
def _adapter(state: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, state))


def _fields_of(state: Any) -> frozenset[str] | None:
    """The names of a state's fields, of all its variants; None where they can't be told."""
    if dataclasses.is_dataclass(state):
        return frozenset(each.name for each in dataclasses.fields(state))
    if isinstance(state, type) and issubclass(state, BaseModel):
        return frozenset(state.model_fields)
    if get_origin(state) is Annotated:
        return _fields_of(get_args(state)[0])
    if get_origin(state) in {Union, UnionType}:
        variants = [_fields_of(each) for each in get_args(state)]
        known = [each for each in variants if each is not None]
        return frozenset().union(*known) if len(known) == len(variants) else None
    return None
