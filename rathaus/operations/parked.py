"""Parked events of an installation: what they are, and asking the partitions' owners to replay or discard them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chassis.events import parking
from chassis.events.parking import ParkedSummary, Selection, parked_events, parked_rows
from rathaus.operations.installation import SERVICES, Installation


async def listed(
    installation: Installation, service: str | None, selection: Selection
) -> AsyncIterator[tuple[str, ParkedSummary]]:
    """The parked subjects that are meant, with their service; None: of all services."""
    for name in [service] if service else SERVICES:
        async with installation.database(name) as database:
            async for row in parked_rows(database, selection, installation.clock.now()):
                yield name, row


async def shown(installation: Installation, service: str, parked_id: str) -> dict[str, Any] | None:
    """One parked subject with its events."""
    async with installation.database(service) as database:
        return await parked_events(database, parked_id)


async def ask(installation: Installation, service: str | None, selection: Selection, action: str) -> int:
    """Asks for `replay` or `discard` of those meant; how many were asked. The partitions' owners do it within a second.

    A discard gives up the first event of each subject and goes on with the next; of a subject behind a hole it gives up
    what is missing.
    """
    by_service: dict[str, list[str]] = {}
    async for name, row in listed(installation, service, selection):
        by_service.setdefault(name, []).append(row.id)
    asked = 0
    for name, ids in by_service.items():
        async with installation.database(name) as database:
            asked += await parking.request_action(database, ids, action)
    return asked
