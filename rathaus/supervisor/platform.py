"""The supervisor: one task for each process keeps it running; the end goes through them in order."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from rathaus import processes
from rathaus.engines.process import CannotStart, NotReady, Program, Started, advice, tail
from rathaus.processes import Plan
from rathaus.settings import PlatformSettings
from rathaus.supervisor.state import Identity, Phase, State, Watched, alone, end_orphans

_TICK = 0.1
"""Seconds between two looks at a process."""
_WATCH = 5.0
"""Seconds between two probes of one that is ready."""
_FIRST_TRIES = 3
"""So often may a process end before it was ever ready; then the start has failed."""
_STEADY = 60.0
"""After so many seconds of running the pause before a restart is short again."""
_GRACE = 5.0
"""Seconds on top of what a process itself takes as its time to stop."""

Listener = Callable[[Watched], None]


class Platform:
    """A running platform; use it as an async context manager, or `start` and `stop` it.

    Everything lives on the event loop that starts it. All state is kept below `settings.state_dir`.
    """

    def __init__(
        self,
        settings: PlatformSettings,
        *,
        demo: bool = False,
        plan: Callable[[], Plan] | None = None,
        listener: Listener | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Args:
            settings: what the platform is told.
            demo: also start the examples, and allow demo sign-in.
            plan: what to run instead of the table of processes, for tests.
            listener: called at each change of a process.
            say: told what a person wants to know meanwhile.
        """
        self.settings = settings
        self.demo = demo
        self.home: Path = settings.home
        self._make_plan = plan or (lambda: processes.table(settings, demo=demo, say=say))
        self._plan: Plan | None = None
        self._listener = listener or (lambda _: None)
        self._say = say
        self._keepers: dict[str, _Keeper] = {}
        self._phase = Phase.STARTING
        self._failure = ""
        self._held = ExitStack()

    async def __aenter__(self) -> Platform:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # Where things are

    @property
    def plan(self) -> Plan:
        """What runs, with its addresses and secrets."""
        if self._plan is None:
            raise RuntimeError("the platform hasn't been started")
        return self._plan

    @property
    def gateway_url(self) -> str:
        """Base address of the public door."""
        return self.plan.gateway_url

    @property
    def kafka_url(self) -> str:
        """Kafka's bootstrap servers."""
        return self.plan.kafka_url

    @property
    def mongo_url(self) -> str:
        """The database's connection string."""
        return self.plan.mongo_url

    @property
    def secrets(self) -> Mapping[str, str]:
        """By name: `operator`, `service-<name>`, `payment-provider` ..."""
        return self.plan.secrets

    @property
    def clock_file(self) -> Path:
        """The file by which the services' clock is moved (`rathaus.supervisor.clock`)."""
        return self.home / "clock.json"

    def service_url(self, name: str) -> str:
        """A service's or an example's own address, behind the gateway."""
        return self.plan.service_urls[name]

    @property
    def processes(self) -> tuple[Watched, ...]:
        """All processes as they stand."""
        return tuple(keeper.seen for keeper in self._keepers.values())

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of those that run."""
        return {each.name: each.pid for each in self.processes if each.pid}

    # Living

    async def start(self) -> None:
        """Ends what a killed supervisor left, starts everything, returns when all is ready.

        Raises:
            AlreadyRuns: another supervisor holds the state directory.
            CannotStart: something can't be started, with its last log lines and what to do. Call `stop` then.
        """
        self._held.enter_context(alone(self.home))
        await asyncio.to_thread(end_orphans, self.home, self._patience, self._say)
        try:
            self._plan = self._planned()
            self._keepers = {each.name: _Keeper(self, each) for each in self._plan.programs}
            self._changed(None)
            for keeper in self._keepers.values():
                keeper.begin()
            await self._all_ready()
        except CannotStart as error:
            self._failure, self._phase = str(error), Phase.FAILED
            self._changed(None)
            raise
        self._phase = Phase.READY
        self._changed(None)

    async def stop(self) -> None:
        """Ends everything: the gateway first, then services, then engines. SIGKILL after the time to stop."""
        if self._phase is not Phase.FAILED:
            self._phase = Phase.STOPPING
        try:
            for stage in sorted({keeper.seen.stage for keeper in self._keepers.values()}, reverse=True):
                now = [keeper for keeper in self._keepers.values() if keeper.seen.stage == stage]
                await asyncio.gather(*(keeper.end(self._patience) for keeper in now))
            if self._keepers:
                self._phase = Phase.FAILED if self._failure else Phase.STOPPED
                self._changed(None)
        finally:
            self._held.close()

    def kill_all(self) -> None:
        """SIGKILL to everything at once, for who can't wait for the end in order."""
        for keeper in self._keepers.values():
            keeper.kill()

    # For tests, demos and chaos

    def kill(self, name: str) -> None:
        """SIGKILL to one process; it is started again by the supervisor."""
        self._keepers[name].kill()

    async def hold(self, name: str) -> None:
        """SIGKILL to one process, which stays away until `release`."""
        await self._keepers[name].end(0)

    def release(self, name: str) -> None:
        """Starts again what was held."""
        self._keepers[name].begin()

    async def ready(self, *names: str, timeout: float = 60) -> None:
        """Waits until these (all, if none is named) are ready.

        Raises:
            TimeoutError: they weren't within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not all(self._keepers[name].well for name in names or self._keepers):  # noqa: ASYNC110
                await asyncio.sleep(_TICK / 2)

    # Within

    @property
    def _patience(self) -> float:
        return self.settings.stop_timeout_seconds + _GRACE

    def _planned(self) -> Plan:
        try:
            return self._make_plan()
        except OSError as error:
            raise CannotStart(f"{error}. {advice(str(error))}".strip()) from error

    async def _all_ready(self) -> None:
        ends = time.monotonic() + self.settings.ready_timeout_seconds
        elsewhere = asyncio.gather(*(self._wait_for(name, probe) for name, probe in self.plan.elsewhere.items()))
        try:
            while not (elsewhere.done() and all(keeper.well for keeper in self._keepers.values())):
                for keeper in self._keepers.values():
                    if keeper.seen.phase is Phase.FAILED:
                        raise CannotStart(keeper.failure)
                if time.monotonic() > ends:
                    raise CannotStart(self._late())
                await asyncio.sleep(_TICK)
        finally:
            elsewhere.cancel()
            await asyncio.gather(elsewhere, return_exceptions=True)

    async def _wait_for(self, name: str, probe: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await probe()
            except NotReady as error:
                self._say(f"waiting for the existing {name}: {error}")
                await asyncio.sleep(1)

    def _late(self) -> str:
        waiting = [f"  {each.name}: {each.phase} {each.reason}".rstrip() for each in self.processes if not _well(each)]
        return (
            f"Not everything is ready after {self.settings.ready_timeout_seconds:.0f} s:\n"
            + "\n".join(waiting or ["  an existing engine doesn't answer"])
            + f"\nThe logs are in {self.home / 'logs'}. A slow machine: RATHAUS_READY_TIMEOUT_SECONDS=600"
        )

    def _changed(self, watched: Watched | None) -> None:
        try:
            self._save()
        except OSError as error:  # a full disk must not keep us from watching and ending what runs
            self._say(f"state.json can't be written: {error}. {advice(str(error))}".strip())
        if watched is not None:
            self._listener(watched)

    def _save(self) -> None:
        plan = self._plan
        if plan is not None:
            State(
                supervisor=Identity.own(),
                phase=self._phase,
                demo=self.demo,
                gateway_url=plan.gateway_url,
                kafka_url=plan.kafka_url,
                mongo_url=plan.mongo_url,
                service_urls=plan.service_urls,
                ports=plan.ports,
                processes=self.processes,
                failure=self._failure,
            ).save(self.home)
        elif self._failure:
            State(Identity.own(), self._phase, failure=self._failure).save(self.home)

    def stage(self, program: Program) -> int:
        """How many others must outlive it, in a row: the gateway outlives nobody."""
        programs = {each.name: each for each in self.plan.programs}
        below = [self.stage(programs[name]) for name in program.depends_on if name in programs]
        return 1 + max(below, default=-1)

    def report(self, watched: Watched) -> None:
        """Called by a keeper at each change."""
        self._changed(watched)


def _well(watched: Watched) -> bool:
    return watched.phase is Phase.READY


class _Keeper:
    """Keeps one process running."""

    def __init__(self, platform: Platform, program: Program) -> None:
        self._platform = platform
        self._program = program
        self._log = platform.home / "logs" / f"{program.name}.log"
        self._started: Started | None = None
        self._task: asyncio.Task[None] | None = None
        self._was_ready = False
        self._quick_ends = 0
        self.seen = Watched(program.name, log=str(self._log), stage=platform.stage(program))
        self.failure = ""

    @property
    def well(self) -> bool:
        """Whether it is ready."""
        return _well(self.seen)

    def begin(self) -> None:
        """Starts it, and goes on starting it whenever it ends."""
        self._task = asyncio.create_task(self._keep(), name=f"keep-{self._program.name}")

    def kill(self) -> None:
        """SIGKILL."""
        if self._started and self._started.exit_code is None:
            self._started.kill()
            self._show(Phase.RESTARTING, "killed")  # at once, so that nobody still takes it for ready

    async def end(self, patience: float) -> None:
        """Ends it for good: SIGTERM, and SIGKILL after `patience` seconds."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._started is None:
            return
        if self._started.exit_code is None and patience:
            self._show(Phase.STOPPING)
            self._started.terminate()
            ends = time.monotonic() + patience
            while self._started.exit_code is None and time.monotonic() < ends:  # noqa: ASYNC110
                await asyncio.sleep(_TICK / 4)
        forced = self._started.exit_code is None
        self._started.kill()
        self._started = None
        if self.seen.phase is not Phase.FAILED:
            self._show(Phase.STOPPED, "did not end in time: SIGKILL" if forced and patience else "")

    async def _keep(self) -> None:
        while True:
            try:
                await self._start()
                reason = await self._watch()
            except (CannotStart, OSError, subprocess.SubprocessError) as error:
                # A full disk, for instance: never silence, or it would stand at "preparing" for good.
                self._started = None
                reason = str(error) if isinstance(error, CannotStart) else f"{type(error).__name__}: {error}"
                if not self._was_ready:
                    return self._fail(reason if isinstance(error, CannotStart) else self._why(reason))
            if not self._was_ready and self._quick_ends + 1 >= _FIRST_TRIES:
                return self._fail(self._why(reason))
            await self._pause(reason)

    async def _start(self) -> None:
        if self._program.prepare:
            self._show(Phase.PREPARING)
            await asyncio.to_thread(self._program.prepare)
        self._started = Started(self._program, self._log)
        self._show(Phase.STARTING)

    async def _watch(self) -> str:
        """Returns how it ended."""
        started = self._started
        assert started is not None  # noqa: S101
        next_probe = 0.0
        while started.exit_code is None:
            if time.monotonic() >= next_probe:
                await self._probe()
                next_probe = time.monotonic() + (_WATCH if self.well else _TICK)
            await asyncio.sleep(_TICK)
        if time.monotonic() - started.started > _STEADY:
            self._quick_ends = 0
        return _meaning(started.exit_code)

    async def _probe(self) -> None:
        try:
            await self._program.probe()
        except NotReady as error:
            phase = (
                Phase.UNWELL if self._was_ready and self.seen.phase in {Phase.READY, Phase.UNWELL} else Phase.STARTING
            )
            self._show(phase, str(error))
        except Exception as error:  # a probe that is itself at fault must not end the watch
            self._show(Phase.UNWELL, f"it can't be asked: {type(error).__name__}: {error}")
        else:
            self._was_ready = True
            self._show(Phase.READY)

    async def _pause(self, reason: str) -> None:
        settings = self._platform.settings
        pause = min(settings.restart_pause_seconds * 2**self._quick_ends, settings.restart_pause_longest_seconds)
        self._quick_ends += 1
        self.seen = replace(self.seen, restarts=self.seen.restarts + 1)
        self._show(Phase.RESTARTING, f"{reason}; starts again in {pause:g} s")
        await asyncio.sleep(pause)

    def _why(self, reason: str) -> str:
        said = tail(self._log)
        todo = advice(said)
        return "\n".join(
            part
            for part in (
                f"{self._program.name} can't be started: {reason}.",
                todo,
                f"The last lines of {self._log}:",
                said or "(nothing)",
            )
            if part
        )

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._show(Phase.FAILED, reason.splitlines()[0])

    def _show(self, phase: Phase, reason: str = "") -> None:
        running = self._started if self._started and self._started.exit_code is None else None
        now = replace(
            self.seen,
            phase=phase,
            reason=reason,
            pid=running.pid if running else None,
            create_time=running.create_time if running else 0.0,
        )
        if now != self.seen:
            self.seen = now
            self._platform.report(now)


def _meaning(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"it ended with exit code {exit_code}"
    return f"it was ended by signal {-exit_code}"
