"""Every event type that the platform emits."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType, ModuleType

from contracts import applications, catalog, identity, notifications, payments
from contracts.envelope import Event

MODULES: tuple[ModuleType, ...] = (identity, catalog, applications, payments, notifications)


def _of(module: ModuleType) -> Iterator[type[Event]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Event) and value.__module__ == module.__name__:
            yield value


EVENTS: MappingProxyType[str, type[Event]] = MappingProxyType(
    {event.type(): event for module in MODULES for event in _of(module)}
)
"""By CloudEvents type."""
