"""An event loop on virtual time, in an order that a seed decides; and processes on it that can be killed or frozen.

Nothing waits for real: time jumps to the next timer. A handle runs only while the process that it belongs to lives.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from asyncio import base_events
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

BEGINNING = 1_800_000_000.0
"""The virtual clock starts here: seconds since 1970."""

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("simulated_process", default=None)


class Deadlock(Exception):
    """Nobody has anything to do, and the schedule isn't over."""


class Process:
    """What can be killed (as by kill -9) or frozen (as by SIGSTOP) as a whole. Its clock may be wrong."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self._loop = loop
        self.name = name
        self.dead = False
        self.frozen = False
        self.skew = 0.0
        """Seconds by which its clock is ahead."""
        self._held: list[asyncio.Handle] = []
        self._context = contextvars.copy_context()
        self._context.run(_process.set, self)

    def __repr__(self) -> str:
        return self.name

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Starts work in this process: it ends, and stands still, with it."""
        return self._loop.create_task(work, context=self._context.copy())

    def now(self) -> datetime:
        """The time by its clock: a process is a `chassis.clock.Clock`."""
        return datetime.fromtimestamp(BEGINNING + self._loop.time() + self.skew, UTC)

    def kill(self) -> None:
        """Nothing of it runs from now on, not even what would end in order."""
        self.dead = True
        self._held.clear()

    def freeze(self) -> None:
        """Nothing of it runs until `thaw`."""
        self.frozen = True

    def thaw(self) -> None:
        """Goes on with all that came up meanwhile."""
        self.frozen = False
        held, self._held = self._held, []
        self._loop.call_again(held)

    def admits(self, handle: asyncio.Handle) -> bool:
        """Whether a handle of this process may run now; one that comes too early is kept."""
        if self.frozen and not self.dead:
            self._held.append(handle)
        return not (self.dead or self.frozen)


def current() -> Process | None:
    """The process whose code is running; None for the engines and the world around."""
    return _process.get()


class VirtualLoop(base_events.BaseEventLoop):
    """asyncio's own loop, but for the clock, the order of what is ready at the same moment, and processes."""

    def __init__(self, seed: int, *, shuffle: bool = True) -> None:
        super().__init__()
        self._now = 0.0
        self._random = random.Random(f"{seed}.order")
        self._shuffle = shuffle
        self._unfinished: list[asyncio.Task[Any]] = []
        self._generators: list[object] = []
        self.steps = 0
        self.problems: list[str] = []
        """What nobody caught."""
        self.outside = contextvars.Context()
        """For what belongs to no process."""
        self.set_task_factory(self._new_task)
        self.set_exception_handler(self._on_problem)

    def time(self) -> float:
        """Virtual seconds since the schedule began."""
        return self._now

    def later(self, seconds: float, step: Any, *given: Any) -> None:
        """Calls something that belongs to no process."""
        self.call_later(seconds, step, *given, context=self.outside)

    def call_again(self, handles: list[asyncio.Handle]) -> None:
        """Puts back what was held."""
        self._ready.extend(handles)  # type: ignore[attr-defined]

    def forget(self) -> None:
        """Drops whatever is left, so that nothing of it runs or complains later."""
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.set_exception_handler(lambda *_: None)
        self._unfinished.clear()
        self._generators.clear()
        self._closed = True

    def _new_task(self, loop: Any, work: Any, context: Any = None, **named: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context, **named)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._unfinished.append(task)  # of a killed process: its code must not run when it is collected
        if len(self._unfinished) > 5000:
            self._unfinished = [each for each in self._unfinished if not each.done()]
        return task

    def _on_problem(self, _: Any, told: dict[str, Any]) -> None:
        self.problems.append(f"{told.get('message')}: {told.get('exception')!r}"[:300])

    def _asyncgen_firstiter_hook(self, generator: Any) -> None:
        self._generators.append(generator)

    def _asyncgen_finalizer_hook(self, generator: Any) -> None:
        """Nothing: what belongs to a killed process does not end in order."""

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, _: Any) -> None:
        pass

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready:
            if not scheduled:
                raise Deadlock(f"nothing to do at {self._now:.3f}")
            self._now = max(self._now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        batch = [ready.popleft() for _ in range(len(ready))]
        if self._shuffle and len(batch) > 1:
            self._random.shuffle(batch)
        for handle in batch:
            if handle._cancelled:
                continue
            process = handle._context.get(_process)
            if process is not None and not process.admits(handle):
                continue
            self.steps += 1
            handle._run()
