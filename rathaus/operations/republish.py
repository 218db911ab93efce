"""Saying past events again from the documents: same ids, same sequences. Subscribers that know them do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from chassis.aggregates import envelope_of
from chassis.errors import EngineAway
from chassis.events.lease import Lease
from chassis.events.transport import Transport
from chassis.mongo import Collection, Database, Document
from chassis.settings import ServiceSettings
from contracts.topics import Topic
from rathaus.operations.installation import SERVICES, Installation


async def republish(
    installation: Installation,
    service: str,
    *,
    since: datetime | None = None,
    lease_seconds: float = 3,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Publishes what was published before, in each subject's order; how many events.

    Holds the service's relay lease, so that no new event overtakes an old one.

    Raises:
        EngineAway: an engine can't be reached, or the lease was lost; run it again, repeats do no harm.
    """
    settings = ServiceSettings(
        kafka_url=installation.kafka_url, mongo_url=installation.mongo_url, database_prefix=installation.database_prefix
    )
    transport = Transport(settings, f"republish-{service}")
    async with installation.database(service) as database:
        lease = Lease(database, lease_seconds, first=True)
        async with lease.held():
            keeping = asyncio.create_task(lease.keep())
            try:
                return await _said_again(database, SERVICES[service], transport, since, progress, keeping)
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                await transport.stop()


async def _said_again(
    database: Database,
    topic: Topic,
    transport: Transport,
    since: datetime | None,
    progress: Callable[[int], None],
    keeping: asyncio.Task[None],
) -> int:
    count = 0
    for name in await database.names():
        rows = database.collection(name).find({"published": {"$gte": 1}}, {"tenant": 1, "published": 1, "events": 1})
        async for row in rows:
            archive = database.collection(f"{name}_archive")
            count += await _subject(row, await _archived(archive, row), topic, transport, since)
            progress(count)
            if keeping.done():
                raise EngineAway("the lease was lost")
    return count


async def _archived(archive: Collection, row: Document) -> list[Document]:
    """The events that left the document, in order; without those that are still in it, too, after a crash."""
    first = row["events"][0]["sequence"] if row["events"] else row["published"] + 1
    if first == 1:
        return []
    found = [each["said"] async for each in archive.find({"subject": row["_id"], "tenant": row["tenant"]})]
    return sorted((said for said in found if said["sequence"] < first), key=lambda said: int(said["sequence"]))


async def _subject(
    row: Document, archived: list[Document], topic: Topic, transport: Transport, since: datetime | None
) -> int:
    """One event in flight, as the relay does: the next only after its acknowledgement."""
    count = 0
    for said in (*archived, *row["events"]):
        if said["sequence"] > row["published"] or (since and said["time"] < since):
            continue
        envelope, data = envelope_of(topic, row, said)
        future: Any = await transport.send(topic, envelope, data)
        await future
        count += 1
    return count
