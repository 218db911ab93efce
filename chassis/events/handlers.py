"""Which events a service listens to, and which handler each one calls. Only a table: the consumer does the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from chassis.aggregates import Received
from chassis.errors import ConfigurationError
from contracts.envelope import Event
from contracts.topics import Topic

E = TypeVar("E", bound=Event)
Handler = Callable[[Received[E]], Awaitable[object]]


class EventHandlers:
    """The event handlers of one service."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[type[Event], Handler[Any]]] = {}

    def on(self, event: type[E], handler: Handler[E]) -> None:
        """Calls `handler` for each event of this type.

        A handler may be called again with the same event, so it must be idempotent (`seen` makes it so), and it must
        not call anything outside the service. It may raise NotYet (the event is tried again automatically) or another
        Failure (the event is parked for a person).

        Raises:
            ConfigurationError: the type already has a handler.
        """
        if event.type() in self._handlers:
            raise ConfigurationError(f"{event.type()} has two subscribers in one service")
        self._handlers[event.type()] = (event, handler)

    def find(self, event_type: str) -> tuple[type[Event], Handler[Any]] | None:
        """Returns the model and the handler for a CloudEvents type; None if the service ignores the type."""
        return self._handlers.get(event_type)

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics to read, without repetitions."""
        return tuple(dict.fromkeys(event.topic for event, _ in self._handlers.values()))
