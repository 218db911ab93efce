"""One event: checked against its subject's position, decoded, and given to its handler until the outcome is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from chassis import context, metrics
from chassis.aggregates import Received
from chassis.clock import Clock
from chassis.errors import Away, Failure, NotFound, NotYet
from chassis.events.circuit_breaker import CircuitBreaker, CircuitState
from chassis.events.handlers import EventHandlers
from chassis.events.parking import HOLE, PARKED, WAITING, ProcessingFailure, StoredEvent
from chassis.events.positions import follows
from chassis.logging import get_logger
from chassis.retry import Backoff
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, EnvelopeError

log = get_logger(__name__)


def consumer_backoff(settings: ServiceSettings) -> Backoff:
    """The pauses of a consumer that waits for an engine, or tries a failing event again."""
    return Backoff(first=0.05, longest=settings.delivery_longest_pause_seconds)


def read_envelope(record: ConsumerRecord | StoredEvent) -> Envelope | EnvelopeError:
    """The envelope of a record; the error, returned, if it can't be read."""
    try:
        return Envelope.parse((name, value or b"") for name, value in record.headers)
    except EnvelopeError as error:
        return error


class EventProcessor:
    """Gives single events to the handlers of a service."""

    def __init__(self, service: str, handlers: EventHandlers, clock: Clock, settings: ServiceSettings) -> None:
        self._service = service
        self._handlers = handlers
        self._clock = clock
        self._settings = settings
        self._backoff = consumer_backoff(settings)
        self.circuit_breaker = CircuitBreaker(
            service, threshold=settings.delivery_halt_after, window_seconds=settings.delivery_halt_window_seconds
        )

    async def process(self, envelope: Envelope, stored: StoredEvent, last: int | None) -> ProcessingFailure | None:
        """Applies one event; `last` is the position of the last finished event of its subject.

        Waits while an engine is away. Returns why the event can't be applied; None if it was applied or ignored.
        """
        if not follows(stored.position, last):
            return ProcessingFailure(
                WAITING, HOLE, f"sequence {envelope.sequence} came, something before it is missing"
            )
        found = self._handlers.find(envelope.type)
        if found is None:
            self.count(envelope, "ignored")
            return None
        model, handler = found
        try:
            event = Received(envelope, model.model_validate_json(stored.value))
        except ValidationError as error:
            detail = f"{error.error_count()} fields are not as the contract says"
            return ProcessingFailure(PARKED, "undecodable", detail)
        here = context.fresh(envelope.correlationid, envelope.id, envelope.traceparent)
        with context.entered(here, event_id=envelope.id, tenant=envelope.tenant, case=envelope.case):
            return await self._handle(event, handler)

    async def _handle(
        self, event: Received[Any], handler: Callable[[Any], Awaitable[object]]
    ) -> ProcessingFailure | None:
        source = event.envelope.source
        attempt, pauses = 0, self._backoff.pauses()
        while True:
            try:
                await handler(event)
            except Away as away:
                log.warning("waiting for an engine", reason=away.detail)
            except (NotYet, NotFound) as error:
                return ProcessingFailure(WAITING, "not_yet", f"{error.code}: {error.detail}")
            except Failure as error:
                return ProcessingFailure(PARKED, "rejected", f"{error.code}: {error.detail}")
            except Exception as error:
                attempt += 1
                log.exception("a subscriber failed", event_type=event.envelope.type, attempt=attempt)
                if attempt >= self._settings.delivery_attempts and self._may_be_parked(source):
                    return ProcessingFailure(PARKED, "failed", type(error).__name__)  # its text may quote the event
                if self.circuit_breaker.state is CircuitState.OPEN:
                    await asyncio.sleep(self._settings.delivery_halt_pause_seconds)
            else:
                self._applied(event.envelope)
                return None
            await asyncio.sleep(next(pauses))

    def _may_be_parked(self, source: str) -> bool:
        return self.circuit_breaker.record_failure(source) is CircuitState.CLOSED

    def _applied(self, envelope: Envelope) -> None:
        self.circuit_breaker.record_success(envelope.source)
        self.count(envelope, "applied")
        delay = (self._clock.now() - envelope.time).total_seconds()
        metrics.DELIVERY_SECONDS.labels(self._service).observe(max(delay, 0.0))

    def count(self, envelope: Envelope, outcome: str) -> None:
        """Counts an event by its outcome: applied, ignored, parked or discarded."""
        metrics.EVENTS_HANDLED.labels(self._service, envelope.type, outcome).inc()
