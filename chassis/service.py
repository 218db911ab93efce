"""A service: its stores, routes, subscribers and workers on one life cycle. Each `main.py` composes one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI

from chassis import metrics, operations
from chassis.aggregates import Kind, Signals, Store
from chassis.auth import Verifier
from chassis.background import Background
from chassis.clock import Clock, MovableClock, SystemClock
from chassis.errors import ConfigurationError, EngineAway
from chassis.events.consumer import Consumer
from chassis.events.handlers import EventHandlers
from chassis.events.lease import Lease
from chassis.events.relay import Relay
from chassis.events.transport import Transport
from chassis.files import DirectoryFiles, Files
from chassis.http import Router, create_app
from chassis.logging import configure, get_logger
from chassis.mongo import Database, Index, TenantCollection
from chassis.peers import Peers
from chassis.readmodels import ReadModel
from chassis.retry import Backoff, retry_while_away
from chassis.settings import ServiceSettings, load
from chassis.sweeping import sweep_forever
from chassis.work import Duty, Worker, Workers

S = TypeVar("S")
Set = TypeVar("Set", bound=ServiceSettings)

log = get_logger(__name__)

_SETTINGS = {"database": "RATHAUS_MONGO_URL", "broker": "RATHAUS_KAFKA_URL"}
"""The setting with the address of each engine that a service waits for."""

_START_BACKOFF = Backoff(first=0.05, longest=1.0)

_RELAY, _WORKERS, _SWEEPING = "relay", "workers", "sweeping of files"
"""What the lease holder is watched for. After a fault their time runs on, until it is mended or another one leads."""

_LEAD_PAUSE_SECONDS = 0.2
"""Between losing the lease, or a fault, and trying again."""


class Service:
    """What one service is made of. Compose it, then `run` it (or `start` and `stop` it in a test)."""

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        clock: Clock | None = None,
        database: Database | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Clock, database and transport as the settings say, unless given: a test may bring its own."""
        self.name = name
        self.settings = settings
        self.clock: Clock = clock or (MovableClock(settings.clock_file) if settings.clock_file else SystemClock())
        self.database = database or Database(
            settings.mongo_url, settings.database_prefix + name, timeout_seconds=settings.database_timeout_seconds
        )
        self.files: Files = DirectoryFiles(settings.files_dir / name)
        self.peers = Peers(settings)
        self.event_handlers = EventHandlers()
        self.signals = Signals()
        self.verifier = Verifier(settings.issuer, settings.audience, settings.jwks_url)
        self.stores: list[Store[Any]] = []
        self._collections: list[tuple[TenantCollection, tuple[Index, ...]]] = []
        self._read_models: list[ReadModel] = []
        self._routers: list[Router] = []
        self._duties: list[Duty] = []
        self._named: Callable[[str], Awaitable[set[str]]] | None = None
        self._at_start: list[Callable[[], Awaitable[object]]] = []
        self._at_stop: list[Callable[[], Awaitable[object]]] = []
        self._app: FastAPI | None = None
        self.background = Background(settings.background_limit_seconds)
        self._consumer: Consumer | None = None
        self._transport = transport or Transport(settings, name)
        self._lease = Lease(self.database, settings.lease_seconds, on_success=self._lease_answered)
        self._state = "starting"

    # Composing

    def store(self, kind: Kind[S]) -> Store[S]:
        """The aggregates of one kind."""
        made = Store(self.database, kind, self.clock, self.signals, self.name)
        self.stores.append(made)
        return made

    def collection(self, name: str, *indexes: Index) -> TenantCollection:
        """A read model."""
        made = TenantCollection(self.database.collection(name))
        self._collections.append((made, indexes))
        return made

    def read_model(self, name: str, *indexes: Index) -> ReadModel:
        """A collection made from events alone, that can be made again while it serves."""
        made = ReadModel(self.name, name, indexes, self.clock)
        self._read_models.append(made)
        return made

    def route(self, *routers: Router) -> None:
        """Adds HTTP routes."""
        self._routers.extend(routers)

    def work(self, store: Store[Any], name: str, worker: Worker) -> None:
        """Says who does the due work of that name."""
        self._duties.append(Duty(store, name, worker))

    def keeps_files(self, named: Callable[[str], Awaitable[set[str]]]) -> None:
        """Says which files of a town its documents name (SHA-256); what none names is swept a day later."""
        self._named = named

    def at_start(self, action: Callable[[], Awaitable[object]]) -> None:
        """Something to do once the database answers, before the service is ready."""
        self._at_start.append(action)

    def at_stop(self, action: Callable[[], Awaitable[object]]) -> None:
        """Something to do when all work has ended: closing what the service itself opened."""
        self._at_stop.append(action)

    @property
    def app(self) -> FastAPI:
        """The HTTP application."""
        if self._app is None:
            checks = {
                "state": self._check_state,
                "database": self.database.ping,
                "broker": self._transport.ping,
                "background": self.background.check,
            }
            routers = [*self._routers, operations.router(self.name, self.database, self.clock)]
            self._app = create_app(self.name, self.settings, self.verifier, routers, checks)
        return self._app

    # Living

    async def start(self) -> None:
        """Prepares the database and topics, then begins to relay, deliver and work. Waits for engines that are away."""
        await self._retry_while_away("database", self._prepare)
        await self._retry_while_away("broker", self._transport.start)
        if self.event_handlers.topics:
            self._consumer = Consumer(
                self.name,
                self.database,
                self.event_handlers,
                self._transport,
                self.settings,
                clock=self.clock,
                background=self.background,
            )
            await self._retry_while_away("broker", self._consumer.start)
        for read_model in self._read_models:
            await self._retry_while_away(
                "broker", functools.partial(read_model.start, self._transport, self.settings, self.background)
            )
        self.background.start("lease", self._lead)
        self._state = "ok"
        log.info("ready")

    async def stop(self) -> None:
        """Ends started work, commits offsets, gives the lease back, closes connections.

        What was said and not yet published stays in the documents for whoever holds the lease next.
        """
        self._state = "stopping"
        await asyncio.gather(*(read_model.stop() for read_model in self._read_models))
        if self._consumer:
            await self._consumer.stop()
        await self.background.stop()
        await self._transport.stop()
        for action in self._at_stop:
            await action()
        await self.peers.close()
        self.database.close()

    async def _prepare(self) -> None:
        epoch = await self._epoch()
        for store in self.stores:
            store.epoch = epoch
            await store.collection.ensure(store.indexes)
        for collection, indexes in self._collections:
            await collection.inner.ensure(indexes)
        for read_model in self._read_models:
            await read_model.prepare(self.database)
        for action in self._at_start:
            await action()

    async def _epoch(self) -> int:
        found = await self.database.collection("meta").find_one({"_id": "epoch"})
        return int(found["value"]) if found else 0

    async def _retry_while_away(self, engine: str, step: Callable[[], Awaitable[object]]) -> None:
        """Repeats a step of the start until the engine answers. Readiness names the engine meanwhile."""

        def _waiting(away: EngineAway) -> None:
            self._state = f"waiting for the {engine}"
            log.info("waiting", engine=engine, reason=away.detail, setting=_SETTINGS[engine])

        await retry_while_away(step, _START_BACKOFF, _waiting)

    async def _lead(self) -> None:
        """Takes the lease again and again; relays and works while it is held.

        An error that nobody foresaw ends it: `Background` logs that and starts it again.
        """
        while True:
            async with self._lease.held():
                await self._while_leading()
            await asyncio.sleep(_LEAD_PAUSE_SECONDS)

    async def _while_leading(self) -> None:
        """Does what only the lease holder does, until one of it ends: as a rule because the lease was lost."""
        duties = {name: asyncio.create_task(duty(), name=name) for name, duty in self._led().items()}
        metrics.LEASE_HELD.labels(self.name).set(1)
        try:
            await asyncio.wait(duties.values(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            metrics.LEASE_HELD.labels(self.name).set(0)
            for duty in duties.values():
                duty.cancel()
            ended = await asyncio.gather(*duties.values(), return_exceptions=True)
        for name, problem in zip(duties, ended, strict=True):
            if isinstance(problem, Exception):
                log.error("a background task ended and is started again", task=name, exc_info=problem)

    def _led(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What the lease holder does, by name; each is watched from now on, except the two that only help."""
        relay = Relay(
            self.name,
            self.stores,
            self._transport,
            self.database,
            self.signals,
            self.settings,
            self.clock,
            on_success=self._watched(_RELAY),
        )
        led: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            _RELAY: relay.run,
            "keeping the lease": self._lease.keep,
        }
        if self.stores:
            led["change stream"] = relay.watch
        if self._named:
            swept = self._watched(_SWEEPING, every_seconds=self.settings.sweep_seconds)
            led[_SWEEPING] = functools.partial(sweep_forever, self.files, self._named, self.settings, on_success=swept)
        if self._duties:
            workers = Workers(
                self.name, self._duties, self.clock, self.signals, self.settings, on_success=self._watched(_WORKERS)
            )
            led[_WORKERS] = workers.run
        return led

    def _lease_answered(self, another_holds_it: bool) -> None:
        self.background.succeeded("lease")
        if another_holds_it:
            self.background.unwatch(_RELAY, _WORKERS, _SWEEPING)

    def _watched(self, name: str, *, every_seconds: float = 0) -> Callable[[], None]:
        """Watches a task; what it calls when it got something done."""
        self.background.watch(name, every_seconds=every_seconds)
        return functools.partial(self.background.succeeded, name)

    async def _check_state(self) -> None:
        if isinstance(self.clock, MovableClock):
            metrics.CLOCK_OFFSET.labels(self.name).set(self.clock.offset().total_seconds())
        if self._state != "ok":
            raise EngineAway(self._state)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides the order in which things end."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Leaves the signals alone."""
        return contextlib.nullcontext()


def run(compose: Callable[[Set], Service], settings: type[Set]) -> None:
    """Runs one service as this process until SIGTERM or SIGINT. Exit code 2 for settings that are wrong."""
    try:
        read = load(settings)
        service = compose(read)
    except ConfigurationError as error:
        sys.exit(f"can't start: {error}")
    configure(service.name, read)
    asyncio.run(_serve(service, read))


async def _serve(service: Service, settings: ServiceSettings) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    server = _Server(
        uvicorn.Config(
            service.app,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=int(settings.stop_timeout_seconds),
        )
    )
    serving = asyncio.create_task(server.serve(), name="http")
    starting = asyncio.create_task(service.start(), name="start")
    waiting = asyncio.create_task(ending.wait(), name="signal")
    await asyncio.wait({waiting, serving, starting}, return_when=asyncio.FIRST_COMPLETED)
    failed = starting.done() and starting.exception() is not None
    if not failed:
        await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    for task in (starting, waiting):
        task.cancel()
    ended = await asyncio.gather(starting, waiting, return_exceptions=True)
    try:
        async with asyncio.timeout(settings.stop_timeout_seconds):
            server.should_exit = True
            await serving
            await service.stop()
    except TimeoutError:
        log.warning("started work did not end in time; it is repeated by whoever comes next")
    if failed:
        log.error("can't start", reason=str(ended[0]))
        sys.exit(1)
