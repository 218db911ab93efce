"""Pauses between tries: doubled, bounded, and only while an engine is away."""

from __future__ import annotations

from itertools import islice

import pytest

from chassis.errors import EngineAway
from chassis.retry import Backoff, retry_while_away


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (Backoff(0.05, 2), [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2]),
        (Backoff(1, 60), [1, 2, 4, 8, 16, 32, 60, 60]),
        (Backoff(1, 3600, max_doublings=3), [1, 2, 4, 8, 8, 8, 8, 8]),
    ],
)
def test_pauses_double_up_to_the_longest(backoff: Backoff, expected: list[float]) -> None:
    assert list(islice(backoff.pauses(), 8)) == pytest.approx(expected)
    assert [backoff.pause(failures) for failures in range(8)] == pytest.approx(expected)


def test_a_pause_is_bounded_however_often_something_failed() -> None:
    assert Backoff(0.5, 300).pause(10**6) == 300


async def test_a_step_is_repeated_while_an_engine_is_away() -> None:
    failures = [EngineAway("first"), EngineAway("second")]
    told: list[EngineAway] = []

    async def _step() -> str:
        if len(told) < len(failures):
            raise failures[len(told)]
        return "done"

    assert await retry_while_away(_step, Backoff(0.001, 0.001), told.append) == "done"
    assert told == failures


async def test_another_error_ends_the_repetition() -> None:
    async def _step() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await retry_while_away(_step, Backoff(0.001, 0.001), lambda _: None)
