"""Due work: what must happen later or outside, done by whoever holds the service's lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chassis import chance, context, metrics
from chassis.aggregates import Signals, Store, Work
from chassis.clock import Clock
from chassis.errors import Away, EngineAway, Failure
from chassis.logging import get_logger
from chassis.retry import Backoff
from chassis.settings import ServiceSettings

log = get_logger(__name__)

_SOON = timedelta(milliseconds=1)

Worker = Callable[[Work[Any]], Awaitable[object]]
"""Does one piece: calls outside (with the aggregate's own idempotency key, since a crash repeats it), then
`Store.on_due` with a decision after which this work isn't due any more."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A kind of due work: the aggregate's store, the name that its `due` gives, and who does it."""

    store: Store[Any]
    name: str
    worker: Worker


class Workers:
    """Looks for overdue work and does it, a bounded number at a time, each piece once at a time."""

    def __init__(
        self,
        service: str,
        duties: list[Duty],
        clock: Clock,
        signals: Signals,
        settings: ServiceSettings,
        on_success: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_success` is called whenever the work list could be read, or a slot for its next piece was free."""
        self._on_success = on_success
        self._service = service
        self._duties = {(duty.store.kind.name, duty.name): duty for duty in duties}
        self._stores = list({id(duty.store): duty.store for duty in duties}.values())
        self._clock = clock
        self._signals = signals
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.work_concurrency)
        self._running: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Works until cancelled; then started pieces are given up (a later holder repeats them)."""
        try:
            while True:
                self._signals.due.clear()
                try:
                    await self._look()
                    self._on_success()
                except EngineAway as away:
                    log.warning("due work can't be read", reason=away.detail)
                await self._wait()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._settings.work_poll_seconds):
                await self._signals.due.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        now = self._clock.now()
        latest = timedelta()
        for store in self._stores:
            async for work in store.overdue(now):
                latest = max(latest, now - work.at)
                await self._start(store, work)
        metrics.WORK_LATE.labels(self._service).set(latest.total_seconds())

    async def _start(self, store: Store[Any], work: Work[Any]) -> None:
        key = (store.kind.name, work.snapshot.id, work.name)
        if key in self._running:
            return
        duty = self._duties.get((store.kind.name, work.name))
        if duty is None:
            log.error("no worker for due work", aggregate=store.kind.name, work=work.name)
            return
        await self._slots.acquire()
        self._on_success()
        task = asyncio.create_task(self._done(duty, work))
        self._running[key] = task
        task.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: tuple[str, str, str]) -> None:
        self._running.pop(key, None)
        self._slots.release()

    async def _done(self, duty: Duty, work: Work[Any]) -> None:
        started = chance.monotonic()
        state: Any = work.snapshot.state
        with context.entered(
            context.fresh(), tenant=work.snapshot.tenant, work=work.name, case=duty.store.kind.case(state)
        ):
            outcome = await self._tried(duty, work)
        metrics.WORK_DONE.labels(self._service, work.name, outcome).inc()
        metrics.WORK_SECONDS.labels(self._service, work.name).observe(chance.monotonic() - started)

    async def _tried(self, duty: Duty, work: Work[Any]) -> str:
        longest = self._settings.work_longest_retry_seconds
        try:
            await duty.worker(work)
        except Failure as failure:
            longest = self._settings.away_longest_retry_seconds if isinstance(failure, Away) else longest
            log.info("due work is put off", reason=failure.detail or failure.code, attempts=work.attempts + 1)
        except Exception:
            log.exception("due work failed", attempts=work.attempts + 1)
        else:
            if not await self._still_due(duty, work):
                self._signals.due.set()  # what it led to may be due at once
                return "done"
            log.debug("due work made no progress", attempts=work.attempts + 1)
        await self._postponed(duty, work, longest)
        return "failed"

    async def _still_due(self, duty: Duty, work: Work[Any]) -> bool:
        try:
            now = await duty.store.get(work.snapshot.tenant, work.snapshot.id)
        except EngineAway:
            return True
        return now is not None and duty.store.is_due(now.state, work)

    async def _postponed(self, duty: Duty, work: Work[Any], longest: float) -> None:
        backoff = Backoff(self._settings.work_first_retry_seconds, longest, max_doublings=20)
        pause = backoff.pause(work.attempts) * chance.between(0.8, 1.2)
        until = self._clock.now() + timedelta(seconds=pause) + _SOON
        try:
            await duty.store.postpone(work, until)
        except EngineAway as away:
            log.warning("due work can't be put off", reason=away.detail)
            await asyncio.sleep(self._settings.work_first_retry_seconds)
