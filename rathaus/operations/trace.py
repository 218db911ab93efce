"""The whole story of a case, across services and topics, with times."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from chassis.aggregates import envelope_of
from chassis.events.positions import PositionStore, position_of
from chassis.events.reading import reader
from contracts.envelope import Envelope, EnvelopeError
from rathaus.operations.installation import SERVICES, Installation


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a case, and how far it got."""

    time: datetime
    service: str
    name: str
    sequence: int
    subject: str
    event_id: str
    causation: str | None
    published: bool
    """Whether its topic has it; else it is only in its document yet."""
    done_by: tuple[str, ...]
    """Consumers that are done with it."""
    data: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "time": self.time.isoformat()}


@dataclass(slots=True)
class _Told:
    envelope: Envelope
    data: dict[str, Any]
    published: bool = False


async def trace(installation: Installation, case: str) -> list[Step]:
    """All events of a case, named by its id or its reference, in the order of their times.

    Raises:
        EngineAway: an engine can't be reached.
    """
    told = await _told(installation, await _id_of(installation, case))
    steps = []
    positions = await _positions(installation, {each.envelope.source for each in told.values()})
    for each in told.values():
        envelope = each.envelope
        position = position_of(envelope)
        done = tuple(
            sorted(service for service, known in positions.items() if known.get(envelope.source, 0) >= position)
        )
        name = envelope.type.split(".")[3]
        steps.append(
            Step(
                envelope.time,
                envelope.stream,
                name,
                envelope.sequence,
                envelope.subject,
                envelope.id,
                envelope.causationid,
                each.published,
                done,
                each.data,
            )
        )
    return sorted(steps, key=lambda step: (step.time, step.service, step.sequence))


async def _id_of(installation: Installation, case: str) -> str:
    for service in SERVICES:
        async with installation.database(service) as database:
            for name in await database.names():
                async for row in database.collection(name).find({"state.case_reference": case}, {"state.case_id": 1}):
                    return str(row["state"].get("case_id") or row["_id"])
    return case


async def _told(installation: Installation, case: str) -> dict[str, _Told]:
    """By event id: what the documents say, and what the topics have."""
    found = {envelope.id: _Told(envelope, data) async for envelope, data in _said(installation, case)}
    async with reader(installation.servers, [topic.name for topic in SERVICES.values()]) as topics:
        async for record in topics.read(await topics.spans()):
            if (record.key or b"") != case.encode():
                continue
            try:
                envelope = Envelope.parse(record.headers)
            except EnvelopeError:
                continue
            found.setdefault(envelope.id, _Told(envelope, orjson.loads(record.value))).published = True
    return found


async def _said(installation: Installation, case: str) -> AsyncIterator[tuple[Envelope, dict[str, Any]]]:
    for service, topic in SERVICES.items():
        async with installation.database(service) as database:
            for name in await database.names():
                where = {"$or": [{"_id": case}, {"state.case_id": case}]}
                async for row in database.collection(name).find(where, {"tenant": 1, "events": 1}):
                    for said in row.get("events", []):
                        yield envelope_of(topic, row, said)


async def _positions(installation: Installation, sources: set[str]) -> dict[str, dict[str, int]]:
    positions = {}
    for service in SERVICES:
        async with installation.database(service) as database:
            positions[service] = await PositionStore(database, service).load(sources)
    return positions
