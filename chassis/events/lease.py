"""The lease of a service: only the instance that holds it relays events and does due work.

Another instance takes the lease over when the holder's counter stands still, measured by its own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from chassis import chance
from chassis.errors import DuplicateKey, EngineAway
from chassis.logging import get_logger
from chassis.mongo import Database, Document

log = get_logger(__name__)

_LEASE = "lease"


class Lease:
    """A document with a holder and a counter. Clocks of different machines are never compared."""

    def __init__(
        self,
        database: Database,
        seconds: float,
        *,
        first: bool = False,
        on_success: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`first`: asks the present holder to hand over, and keeps others from taking the lease meanwhile.

        `on_success`: called each time the lease could be read or renewed, with whether another instance holds it.
        """
        self._on_success = on_success
        self._collection = database.collection("meta")
        self._seconds = seconds
        self._first = first
        self._me = chance.token_hex(16)
        self._renewed = 0.0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Waits until this instance has the lease, and gives it back at the end."""
        await self._acquire()
        log.info("lease taken")
        try:
            yield
        finally:
            with suppress(EngineAway):
                await asyncio.shield(self._give_back())

    async def keep(self) -> None:
        """Renews the lease. Returns when it is lost, or when a tool asked for it (`first`)."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            mine = {"_id": _LEASE, "holder": self._me, "wanted": {"$in": [None, self._me]}}
            try:
                renewed = await self._collection.update(mine, {"$inc": {"counter": 1}})
            except EngineAway:
                if chance.monotonic() - self._renewed > self._seconds:
                    log.warning("lease given up: the database is away")
                    return
                continue
            if not renewed:
                log.warning("lease lost")
                return
            self._renewed = chance.monotonic()
            self._on_success(False)

    async def _give_back(self) -> None:
        if self._first:  # else nobody takes it before the counter has stood still long enough
            await self._collection.update({"_id": _LEASE, "wanted": self._me}, {"$unset": {"wanted": ""}})
        await self._collection.update({"_id": _LEASE, "holder": self._me}, {"$set": {"holder": ""}})

    async def _acquire(self) -> None:
        if self._first:
            await self._collection.update({"_id": _LEASE}, {"$set": {"wanted": self._me}})
        last_seen: tuple[str, int] | None = None
        unchanged_since = chance.monotonic()
        while True:
            try:
                document = await self._collection.find_one({"_id": _LEASE})
                current = (document["holder"], document["counter"]) if document else None
                if current != last_seen or current is None:
                    last_seen, unchanged_since = current, chance.monotonic()
                expired = chance.monotonic() - unchanged_since > self._seconds
                wanted_by_another = (document or {}).get("wanted") not in {None, self._me}
                free = current is None or current[0] in {"", self._me}
                self._on_success(not free)
                if (expired or (free and not wanted_by_another)) and await self._take(current):
                    self._renewed = chance.monotonic()
                    return
            except EngineAway:
                last_seen = None
            await asyncio.sleep(self._seconds / 6)

    async def _take(self, current: tuple[str, int] | None) -> bool:
        """Takes the lease if it is still as it was read; returns whether it did."""
        if current is None:
            try:
                await self._collection.insert({"_id": _LEASE, "holder": self._me, "counter": 1})
            except DuplicateKey:
                return False
            return True
        holder, counter = current
        where = {"_id": _LEASE, "holder": holder, "counter": counter}
        change: Document = {"$set": {"holder": self._me, "counter": counter + 1}}
        if not self._first:
            # The tool that wanted it is gone, else the counter would not have stood still.
            change["$unset"] = {"wanted": ""}
        return await self._collection.update(where, change)
