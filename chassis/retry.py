"""Trying again: how long to pause between tries, and repeating a step while an engine is away."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from chassis.errors import EngineAway

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double after each failure, up to a longest one. All in seconds."""

    first: float
    longest: float
    max_doublings: int = 30
    """Limits the exponent: after so many failures the pause no longer grows, even below `longest`."""

    def pause(self, failures: int) -> float:
        """The pause before the next try, after so many earlier failures: `first` where there were none."""
        return min(self.first * 2.0 ** min(failures, self.max_doublings), self.longest)

    def pauses(self) -> Iterator[float]:
        """The pauses after the first failure in a row, the second, and so on without end."""
        return map(self.pause, itertools.count())


async def retry_while_away(
    step: Callable[[], Awaitable[T]], backoff: Backoff, on_away: Callable[[EngineAway], None]
) -> T:
    """Repeats a step for as long as it raises EngineAway; `on_away` is called before each pause. Returns its result."""
    pauses = backoff.pauses()
    while True:
        try:
            return await step()
        except EngineAway as away:
            on_away(away)
            await asyncio.sleep(next(pauses))
