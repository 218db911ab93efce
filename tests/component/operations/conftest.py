"""One installation a test: one service that says diaries, one that copies them, on the shared engines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from chassis.aggregates import Store
from chassis.events.transport import Transport
from chassis.mongo import Database
from rathaus.operations import installation as module
from rathaus.operations.installation import Installation
from tests.support.diaries import Diary, House, noting, received
from tests.support.waiting import wait_until

structlog.configure(
    processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory()
)


@pytest.fixture
async def house(mongo_url: str, kafka_url: str, tmp_path: Path) -> AsyncIterator[House]:
    made = House(mongo_url, kafka_url, tmp_path)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def installation(house: House, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """As the operators' tools know it: the emitter is the stream's service, and there is nobody else."""
    for name in list(module.SERVICES):
        monkeypatch.delitem(module.SERVICES, name)
    monkeypatch.setitem(module.SERVICES, house.topic.stream, house.topic)
    return Installation(house.kafka_url, house.mongo_url, house.prefix, house.prefix)


@dataclass
class Emitter:
    """The service that says diaries."""

    house: House
    database: Database
    store: Store[Diary]
    transport: Transport
    said: int = 0

    async def says(self, subject: str, *lines: str) -> None:
        """One write with its events."""
        self.said += 1
        await self.store.upsert_on_event(
            received(self.house, f"from-{self.said}", 1), subject, noting(self.house, *lines)
        )

    async def publishes(self) -> None:
        """Everything said so far."""
        relay = asyncio.create_task(self.house.relay(self.store, self.transport, self.database).run())

        async def _done() -> bool:
            return not [1 async for _ in self.store.collection.find({"unpublished_since": {"$exists": True}})]

        try:
            await wait_until(_done, 20, "everything published")
        finally:
            relay.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await relay


@pytest.fixture
async def emitter(house: House) -> Emitter:
    database = house.database(house.topic.stream)
    store = house.store(database)
    await store.collection.ensure(store.indexes)
    return Emitter(house, database, store, await house.transport())
