"""The circuit opens when more subjects fail within the window than the threshold allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chassis import chance, metrics
from chassis.events.circuit_breaker import CircuitBreaker, CircuitState


class _Watch:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def new_id(self) -> str:
        raise AssertionError

    def token_hex(self, size: int) -> str:
        raise AssertionError

    def between(self, low: float, high: float) -> float:
        raise AssertionError


@pytest.fixture
def watch() -> Iterator[_Watch]:
    made = _Watch()
    with chance.decided_by(made):
        yield made


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker("tried", threshold=2, window_seconds=60)


def _halted() -> float:
    return float(metrics.CONSUMER_HALTED.labels("tried")._value.get())


def test_one_subject_that_fails_often_opens_nothing(watch: _Watch, breaker: CircuitBreaker) -> None:
    for _ in range(10):
        assert breaker.record_failure("/a") is CircuitState.CLOSED


def test_more_subjects_than_allowed_open_it_and_a_success_closes_it(watch: _Watch, breaker: CircuitBreaker) -> None:
    assert [breaker.record_failure(source) for source in ("/a", "/b")] == [CircuitState.CLOSED] * 2
    assert breaker.record_failure("/c") is CircuitState.OPEN
    assert _halted() == 1
    breaker.record_success("/never failed")
    assert breaker.state is CircuitState.OPEN
    breaker.record_success("/b")
    assert breaker.state is CircuitState.CLOSED
    assert _halted() == 0


def test_failures_count_within_the_window_only(watch: _Watch, breaker: CircuitBreaker) -> None:
    breaker.record_failure("/a")
    breaker.record_failure("/b")
    watch.seconds = 61
    assert breaker.record_failure("/c") is CircuitState.CLOSED
