"""Stops a consumer instead of parking everything when many subjects fail at once for reasons that nobody foresaw."""

from __future__ import annotations

from enum import Enum

from chassis import chance, metrics
from chassis.logging import get_logger

log = get_logger(__name__)


class CircuitState(Enum):
    """What happens to an event that fails in an unforeseen way."""

    CLOSED = "closed"
    """It is parked after some tries. The normal state."""
    OPEN = "open"
    """It is tried again until it succeeds, slowly: so many fail that the fault must be ours. An alert is raised."""


class CircuitBreaker:
    """Counts the subjects that failed in an unforeseen way within a window of time."""

    def __init__(self, service: str, *, threshold: int, window_seconds: float) -> None:
        """The circuit opens when more than `threshold` subjects failed within the window."""
        self._service = service
        self._threshold = threshold
        self._window_seconds = window_seconds
        self._failures: dict[str, float] = {}
        """The time of each failing subject's last failure, by source."""
        self._state = CircuitState.CLOSED

    @property
    def state(self) -> CircuitState:
        """The state after the latest failure or success."""
        return self._state

    def record_failure(self, source: str) -> CircuitState:
        """Counts a subject's unforeseen failure. Returns the state after it."""
        self._failures[source] = chance.monotonic()
        self._update()
        return self._state

    def record_success(self, source: str) -> None:
        """Counts a subject no longer. Subjects that never failed change nothing."""
        if self._failures.pop(source, None) is not None:
            self._update()

    def _update(self) -> None:
        now = chance.monotonic()
        self._failures = {source: at for source, at in self._failures.items() if now - at <= self._window_seconds}
        state = CircuitState.OPEN if len(self._failures) > self._threshold else CircuitState.CLOSED
        if state is self._state:
            return
        self._state = state
        metrics.CONSUMER_HALTED.labels(self._service).set(int(state is CircuitState.OPEN))
        if state is CircuitState.OPEN:
            log.error("the consumer stopped: too many subjects fail at once", subjects=len(self._failures))
        else:
            log.info("the consumer goes on")
