"""Which events a service listens to, and what each leads to. Pure bookkeeping: delivery does the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from chassis.aggregates import Received
from chassis.errors import ConfigurationError
from contracts.envelope import Event
from contracts.topics import Topic

E = TypeVar("E", bound=Event)
Handler = Callable[[Received[E]], Awaitable[object]]


class Subscriptions:
    """The subscribers of one service."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[type[Event], Handler[Any]]] = {}

    def on(self, event: type[E], handler: Handler[E]) -> None:
        """Calls `handler` once for each such event. It makes one handler call, idempotent by `seen`, and calls nothing
        outside. It may raise NotYet (tried again by itself) or Rejected (parked)."""
        if event.type() in self._handlers:
            raise ConfigurationError(f"{event.type()} has two subscribers in one service")
        self._handlers[event.type()] = (event, handler)

    def find(self, event_type: str) -> tuple[type[Event], Handler[Any]] | None:
        """Model and handler for a CloudEvents type; None where the service ignores it."""
        return self._handlers.get(event_type)

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics to read, each once."""
        return tuple(dict.fromkeys(event.topic for event, _ in self._handlers.values()))
