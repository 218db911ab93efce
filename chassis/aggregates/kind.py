"""What sort of aggregate; one as it was read; an event as a subscriber gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from chassis.mongo import Index
from contracts.envelope import Envelope, Event, id_of
from contracts.topics import Topic

S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """What sort of aggregate: its collection, its topic and its state class."""

    name: str
    """The collection."""
    topic: Topic
    """Where its events go."""
    state: type[S]
    """A frozen dataclass or pydantic model; any type that pydantic can adapt."""
    due: Callable[[S], Mapping[str, datetime]] = field(default=lambda _: {})
    """Pure: what must be done later or outside in this state, by name, and when. A state change can't forget it."""
    case: Callable[[S], str | None] = field(default=lambda _: None)
    """The case, where the subject has one from its creation: the events' key. Must never change."""
    authority: Callable[[S], str | None] = field(default=lambda _: None)
    """Who decides; the town where None."""
    indexes: tuple[Index, ...] = ()
    """On `state.…`, always beginning with `tenant`."""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[S]):
    """An aggregate as it was read."""

    tenant: str
    id: str
    version: int
    state: S

    @property
    def etag(self) -> str:
        """Strong entity tag (RFC 9110 § 8.8.3)."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """A typed event with its envelope, as a subscriber gets it."""

    envelope: Envelope
    data: E

    @property
    def tenant(self) -> str:
        """The town."""
        return self.envelope.tenant

    def new_id(self, role: str) -> str:
        """The id of the aggregate that this event brings into being in that role: the same for a second delivery."""
        return id_of(self.envelope.source, role)
