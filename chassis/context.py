"""What is going on: ids that travel with a request or an event into logs, events and calls to others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import structlog

from chassis import chance

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")
"""It comes from anybody and goes into events: taken only if it is what W3C Trace Context says."""


@dataclass(frozen=True, slots=True)
class Context:
    """The thread through everything that one request set off."""

    correlation_id: str
    causation_id: str | None = None
    """The event being handled, if any."""
    trace_id: str = ""
    span_id: str = ""

    @property
    def traceparent(self) -> str:
        """W3C Trace Context header value."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_current: ContextVar[Context | None] = ContextVar("rathaus_context", default=None)


def fresh(
    correlation_id: str | None = None, causation_id: str | None = None, traceparent: str | None = None
) -> Context:
    """A context with a new span; the trace goes on where `traceparent` names one."""
    known = _TRACEPARENT.match(traceparent or "")
    trace_id = known[1] if known else chance.token_hex(16)
    return Context(correlation_id or chance.new_id(), causation_id, trace_id, chance.token_hex(8))


def current() -> Context:
    """The present context; a fresh one where nothing was entered."""
    return _current.get() or fresh()


@contextmanager
def entered(context: Context, **log_fields: str | None) -> Iterator[Context]:
    """Makes a context the present one; `log_fields` go into each log line within."""
    token = _current.set(context)
    fields = {name: value for name, value in log_fields.items() if value is not None}
    try:
        with structlog.contextvars.bound_contextvars(**fields):
            yield context
    finally:
        _current.reset(token)
