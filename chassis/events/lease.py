"""One lease holder a service: it relays and works.

It is taken over when its counter stands still on the challenger's own clock.
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
    """A document with a holder and a counter. No clock of another machine is ever compared with ours."""

    def __init__(
        self,
        database: Database,
        seconds: float,
        *,
        first: bool = False,
        on_success: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`first`: asks the present holder to hand over, and keeps others away while it is ours.

        `on_success` is called each time the lease could be read or renewed, and told whether another one holds it.
        """
        self._on_success = on_success
        self._collection = database.collection("meta")
        self._seconds = seconds
        self._first = first
        self._me = chance.token_hex(16)
        self._renewed = 0.0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Waits until the lease is ours, and gives it back at the end."""
        await self._acquire()
        log.info("lease taken")
        try:
            yield
        finally:
            with suppress(EngineAway):
                await asyncio.shield(
                    self._collection.update({"_id": _LEASE, "holder": self._me}, {"$set": {"holder": ""}})
                )

    async def keep(self) -> None:
        """Renews until it is lost, or asked for by a tool that wants it next; then returns."""
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
        await self._collection.update({"_id": _LEASE, "wanted": self._me}, {"$unset": {"wanted": ""}})
        await self._collection.update({"_id": _LEASE, "holder": self._me}, {"$set": {"holder": ""}})

    async def _acquire(self) -> None:
        if self._first:
            await self._collection.update({"_id": _LEASE}, {"$set": {"wanted": self._me}})
        seen: tuple[str, int] | None = None
        since = chance.monotonic()
        while True:
            try:
                found = await self._collection.find_one({"_id": _LEASE})
                now = (found["holder"], found["counter"]) if found else None
                if now != seen or now is None:
                    seen, since = now, chance.monotonic()
                stands = chance.monotonic() - since > self._seconds
                others = (found or {}).get("wanted") not in {None, self._me}
                given = now is None or now[0] in {"", self._me}
                self._on_success(not given)
                if (stands or (given and not others)) and await self._take(now):
                    self._renewed = chance.monotonic()
                    return
            except EngineAway:
                seen = None
            await asyncio.sleep(self._seconds / 6)

    async def _take(self, now: tuple[str, int] | None) -> bool:
        if now is None:
            try:
                await self._collection.insert({"_id": _LEASE, "holder": self._me, "counter": 1})
            except DuplicateKey:
                return False
            return True
        holder, counter = now
        where = {"_id": _LEASE, "holder": holder, "counter": counter}
        change: Document = {"$set": {"holder": self._me, "counter": counter + 1}}
        if not self._first:
            change["$unset"] = {"wanted": ""}  # whoever wanted it is gone, else it would not have stood still
        return await self._collection.update(where, change)
