"""Read models: collections made from events alone, so that they can be made again while the old one serves.

Each generation has a collection, a consumer and a group of its own. `rathaus read-models rebuild` asks for the next
generation; its consumer reads from the beginning; when nothing is left to read, the pointer is switched.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.aggregates import Received
from chassis.background import Background
from chassis.clock import Clock
from chassis.errors import DuplicateKey, EngineAway
from chassis.events.consumer import Consumer
from chassis.events.handlers import EventHandlers
from chassis.events.transport import Transport
from chassis.logging import get_logger
from chassis.mongo import Database, Index, TenantCollection
from chassis.settings import ServiceSettings
from contracts.envelope import Event

log = get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often an instance looks whether another generation is asked for, or live."""

Apply = Callable[[TenantCollection, Received[Any]], Awaitable[object]]
"""Writes what an event changes into the collection given; idempotent, and safe against older news."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which generation serves, and which is being made."""

    live: int
    building: int | None


class ReadModel:
    """One read model of one service."""

    def __init__(self, service: str, name: str, indexes: Sequence[Index], clock: Clock) -> None:
        self.service = service
        self.name = name
        self._clock = clock
        self._indexes = tuple(indexes)
        self._applied: dict[type[Event], Apply] = {}
        self._database: Database | None = None
        self._pointer = Pointer(1, None)
        self._consumers: dict[int, Consumer] = {}
        self._background: Background | None = None

    def on(self, event: type[Event], apply: Apply) -> None:
        """Calls `apply` for each such event, with the collection of the generation that reads it."""
        self._applied[event] = apply

    @property
    def _topics(self) -> list[str]:
        return sorted({event.topic.name for event in self._applied})

    @property
    def live(self) -> TenantCollection:
        """The collection that serves at present."""
        return self._collection(self._pointer.live)

    def consumer(self, generation: int) -> str:
        """The consumer's name of a generation; its group is the same behind the prefix."""
        return f"{self.service}.{self.name}.{generation}"

    def _collection(self, generation: int) -> TenantCollection:
        if self._database is None:
            raise EngineAway(f"read model {self.name} isn't prepared yet")
        return TenantCollection(self._database.collection(f"{self.name}_{generation}"))

    async def prepare(self, database: Database) -> None:
        """Reads the pointer and makes the indexes."""
        self._database = database
        self._pointer = await read_pointer(database, self.name)
        await database.collection("meta").update(
            {"_id": f"read_model:{self.name}"},
            {"$set": {"topics": self._topics}},  # for who looks at its progress
        )
        await self._collection(self._pointer.live).inner.ensure(self._indexes)

    async def start(self, transport: Transport, settings: ServiceSettings, background: Background) -> None:
        """Begins to follow the events."""
        self._background = background
        await self._consume(self._pointer.live, transport, settings)
        background.start(
            self._follow_task, functools.partial(self._follow, transport, settings), every_seconds=LOOK_SECONDS
        )

    @property
    def _follow_task(self) -> str:
        return f"{self.name}: generations"

    async def stop(self) -> None:
        """Ends the consumers."""
        if self._background:
            await self._background.stop(self._follow_task)
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers.values()))
        self._consumers.clear()

    async def _consume(self, generation: int, transport: Transport, settings: ServiceSettings) -> None:
        collection = self._collection(generation)
        await collection.inner.ensure(self._indexes)
        event_handlers = EventHandlers()
        for event, apply in self._applied.items():
            event_handlers.on(event, functools.partial(apply, collection))
        assert self._database is not None  # noqa: S101 - prepare comes before start
        made = Consumer(
            self.service,
            self._database,
            event_handlers,
            transport,
            settings,
            name=self.consumer(generation),
            clock=self._clock,
            background=self._background,
        )
        await made.start()
        self._consumers[generation] = made

    async def _follow(self, transport: Transport, settings: ServiceSettings) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look(transport, settings)
                if self._background:
                    self._background.succeeded(self._follow_task)
            except EngineAway as away:
                log.warning("a read model waits for an engine", read_model=self.name, reason=away.detail)
            except Exception:
                log.exception("a read model's step failed", read_model=self.name)

    async def _look(self, transport: Transport, settings: ServiceSettings) -> None:
        assert self._database is not None  # noqa: S101
        pointer = await read_pointer(self._database, self.name)
        for generation in {pointer.live, pointer.building} - {None, *self._consumers}:
            await self._consume(generation, transport, settings)  # type: ignore[arg-type]
        if pointer.building is not None and await self._caught_up(pointer.building, transport):
            await switch(self._database, self.name, pointer)
            pointer = await read_pointer(self._database, self.name)
            log.info("read model switched", read_model=self.name, generation=pointer.live)
        self._pointer = pointer
        for generation in set(self._consumers) - {pointer.live, pointer.building}:
            await self._consumers.pop(generation).stop()

    async def _caught_up(self, generation: int, transport: Transport) -> bool:
        consumer = self._consumers[generation]
        return await transport.events_left(consumer.group, self._topics) == 0


async def read_pointer(database: Database, name: str) -> Pointer:
    """The read model's pointer; made with the first generation."""
    meta = database.collection("meta")
    found = await meta.find_one({"_id": f"read_model:{name}"})
    if found is None:
        with contextlib.suppress(DuplicateKey):
            await meta.insert({"_id": f"read_model:{name}", "live": 1, "building": None})
        return Pointer(1, None)
    return Pointer(found["live"], found["building"])


async def ask_rebuild(database: Database, name: str) -> int | None:
    """Asks for the next generation; its number, or None where there is no such read model."""
    meta = database.collection("meta")
    found = await meta.find_one({"_id": f"read_model:{name}"})
    if found is None:
        return None
    if found["building"] is not None:
        return int(found["building"])
    building = found["live"] + 1
    await meta.update(
        {"_id": f"read_model:{name}", "live": found["live"], "building": None}, {"$set": {"building": building}}
    )
    return int(building)


async def switch(database: Database, name: str, pointer: Pointer) -> bool:
    """Lets the generation that was made serve; False where another instance did it."""
    where = {"_id": f"read_model:{name}", "live": pointer.live, "building": pointer.building}
    return await database.collection("meta").update(where, {"$set": {"live": pointer.building, "building": None}})
