"""The way between a process and an engine: it takes time, and it fails in every way that a network and a server can."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from tests.simulation.loop import Process, VirtualLoop, current

T = TypeVar("T")

ANSWERED = "answered"
LOST = "lost"
"""The request never arrives."""
SILENT = "silent"
"""It is carried out, and the answer never arrives."""
LATE = "late"
"""It is carried out after the process gave up."""
UNFORESEEN = "unforeseen"
"""The engine answers with an error that nobody foresaw."""


class Conditions(Protocol):
    """What the world does to each request."""

    random: random.Random

    def latency(self) -> float:
        """Seconds that one way takes."""
        ...

    def patience(self) -> float:
        """Seconds after which a process gives up a request."""
        ...

    def begins(self, process: Process | None, what: str) -> tuple[int, str | None, float]:
        """The number of this request, what a planned fault makes of it, and the seconds by which it is late."""
        ...

    def strikes(self, number: int, process: Process | None, when: str) -> None:
        """The moment before or after a request is carried out: the process may be killed or frozen right here."""
        ...


class Calm:
    """A world in which nothing goes wrong: for tests of the stand-ins."""

    def __init__(self, seconds: float = 0.0005) -> None:
        self.random = random.Random(0)
        self._seconds = seconds

    def latency(self) -> float:
        return self._seconds

    def patience(self) -> float:
        return 1.0

    def begins(self, process: Process | None, what: str) -> tuple[int, str | None, float]:
        return 0, None, 0

    def strikes(self, number: int, process: Process | None, when: str) -> None:
        pass


class Engine:
    """A server, and the wire to it. How its errors look to a client is up to the kind of server."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.heal()

    def heal(self) -> None:
        """Up, reachable by all, losing nothing."""
        self.down = False
        self.cut: set[Process | None] = set()
        """Processes without a way to it."""
        self.lost = self.silent = self.late = self.unforeseen = 0.0
        """Shares of requests to which this happens."""

    def refused(self) -> Exception:
        """No connection."""
        raise NotImplementedError

    def broken(self) -> Exception:
        """The connection went while a request was under way."""
        raise NotImplementedError

    def unanswered(self) -> Exception:
        """No answer in time."""
        raise NotImplementedError

    def odd(self) -> Exception | None:
        """An error that nobody foresaw; None where a client shows none."""
        return None

    ordered = False
    """Whether a client's requests go over one connection: what is given up can't overtake what follows it."""

    def away(self, process: Process | None) -> bool:
        """Whether a process can't reach it."""
        return self.down or process in self.cut

    def _fate(self) -> str:
        share = self.conditions.random.random()
        for fate, odds in (
            (LOST, self.lost),
            (SILENT, self.silent),
            (LATE, self.late),
            (UNFORESEEN, self.unforeseen),
        ):
            if share < odds:
                return fate
            share -= odds
        return ANSWERED

    async def ask(self, what: str, serve: Callable[[], T]) -> T:
        """One request: there, carried out in one step, and back."""
        world, process = self.conditions, current()
        number, planned, delay = world.begins(process, what)
        if self.away(process):
            await asyncio.sleep(world.patience() if world.random.random() < 0.3 else 0.02)
            raise self.refused()
        fate = planned or self._fate()
        if fate == UNFORESEEN and self.odd() is None:
            fate = LOST
        if fate == LATE and self.ordered:
            fate = SILENT
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        loop: Any = asyncio.get_running_loop()
        later = loop.later if isinstance(loop, VirtualLoop) else loop.call_later
        reply = _Reply(answer, lambda: self.away(process), self.broken)

        def _serve() -> None:
            if self.away(process):
                reply(None, self.broken())
                return
            world.strikes(number, process, "before")
            value: Any = None
            error: Exception | None = None
            if fate == UNFORESEEN:
                error = self.odd()
            else:
                try:
                    value = serve()
                except Exception as problem:  # the engine's own answer
                    error = problem
            world.strikes(number, process, "after")
            if fate == SILENT:
                later(world.patience(), reply, None, self.unanswered())
            elif fate != LATE:
                later(world.latency(), reply, value, error)

        if fate == LOST:
            later(world.patience(), reply, None, self.unanswered())
        elif fate == LATE:
            patience = world.patience()
            later(patience, reply, None, self.unanswered())
            later(patience + world.random.random() * 4, _serve)
        else:
            later(world.latency() + delay, _serve)
        return await answer


class _Reply:
    """An answer on its way back."""

    def __init__(self, answer: asyncio.Future[Any], away: Callable[[], bool], broken: Callable[[], Exception]) -> None:
        self._answer = answer
        self._away = away
        self._broken = broken

    def __call__(self, value: Any, error: Exception | None) -> None:
        if self._answer.done():
            return
        if self._away():
            error = self._broken()
        if error is not None:
            self._answer.set_exception(error)
        else:
            self._answer.set_result(value)
