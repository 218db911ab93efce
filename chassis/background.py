"""The tasks that a service runs beside its requests: started anew when they end, watched for progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis import chance
from chassis.errors import EngineAway
from chassis.logging import get_logger

log = get_logger(__name__)

Task = Callable[[], Awaitable[None]]
"""Works until it is cancelled. Should it end, however it ends, it is started again."""

_RESTART_SECONDS = 1.0
"""Pause before a task that ended is started again."""


class Background:
    """The background tasks of one service. None of them can die, or live on without success, unnoticed."""

    def __init__(self, limit_seconds: float) -> None:
        """`limit_seconds`: how long a task may be without success before the service counts as not ready."""
        self._limit = limit_seconds
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restarts: dict[str, asyncio.TimerHandle] = {}
        self._watched: dict[str, tuple[float, float]] = {}
        """By name: when it last succeeded, and the longest time between two successes."""

    @property
    def running(self) -> dict[str, asyncio.Task[None]]:
        """The tasks at present, by name."""
        return dict(self._tasks)

    def start(self, name: str, task: Task, *, every_seconds: float = 0) -> None:
        """Runs and watches a task. `every_seconds`: the pause that it makes between two rounds."""
        self.watch(name, every_seconds=every_seconds)
        self._begin(name, task)

    def _begin(self, name: str, task: Task) -> None:
        self._restarts.pop(name, None)

        async def _run() -> None:
            await task()

        running = asyncio.create_task(_run(), name=name)
        self._tasks[name] = running
        running.add_done_callback(lambda ended: self._ended(name, task, ended))

    def _ended(self, name: str, task: Task, ended: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is not ended:
            return  # it was stopped
        problem = None if ended.cancelled() else ended.exception()
        log.error("a background task ended and is started again", task=name, exc_info=problem)
        self._restarts[name] = asyncio.get_running_loop().call_later(_RESTART_SECONDS, self._begin, name, task)

    def watch(self, name: str, *, every_seconds: float = 0) -> None:
        """Expects `succeeded(name)` again and again from now on; where it is expected already, its time runs on."""
        self._watched.setdefault(name, (chance.monotonic(), self._limit + every_seconds))

    def unwatch(self, *names: str) -> None:
        """Expects nothing of these any more."""
        for name in names:
            self._watched.pop(name, None)

    def succeeded(self, name: str) -> None:
        """A round of the task went well. Does nothing for one that isn't watched."""
        if name in self._watched:
            self._watched[name] = (chance.monotonic(), self._watched[name][1])

    def overdue(self) -> dict[str, float]:
        """The tasks without success for longer than allowed, and for how many seconds."""
        now = chance.monotonic()
        return {name: now - last for name, (last, limit) in self._watched.items() if now - last > limit}

    async def check(self) -> None:
        """For readiness.

        Raises:
            EngineAway: a task had no success for too long; its text names them all.
        """
        late = self.overdue()
        if late:
            raise EngineAway("; ".join(f"{name}: no success for {seconds:.0f} s" for name, seconds in late.items()))

    async def stop(self, *names: str) -> None:
        """Cancels these tasks and waits for their end; all of them where none is named."""
        chosen = names or tuple({*self._tasks, *self._restarts})
        self.unwatch(*(names or tuple(self._watched)))
        stopped = []
        for name in chosen:
            if name in self._restarts:
                self._restarts.pop(name).cancel()
            if name in self._tasks:
                stopped.append(self._tasks.pop(name))
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)
