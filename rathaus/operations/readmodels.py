"""Read models: which generation serves, and making them anew while the old one serves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from chassis.errors import NotFound
from chassis.events.reading import events_left
from chassis.readmodels import ask_rebuild
from rathaus.operations.installation import SERVICES, Installation

_PREFIX = "read_model:"


@dataclass(frozen=True, slots=True)
class Row:
    """One read model."""

    service: str
    name: str
    live: int
    building: int | None
    left: int | None
    """Events that the generation being made has yet to read."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


async def listed(installation: Installation) -> list[Row]:
    """Every read model of every service."""
    rows = []
    for service in SERVICES:
        async with installation.database(service) as database:
            async for found in database.collection("meta").find({}):
                if not str(found["_id"]).startswith(_PREFIX):
                    continue
                name, building = found["_id"].removeprefix(_PREFIX), found["building"]
                group = installation.group(f"{service}.{name}.{building}")
                left = await events_left(installation.servers, group, found["topics"]) if building else None
                rows.append(Row(service, name, found["live"], building, left))
    return rows


async def rebuild(installation: Installation, service: str, name: str) -> int:
    """Asks the running service to make the read model anew; the number of the generation.

    Raises:
        NotFound: the service has no such read model.
    """
    async with installation.database(service) as database:
        generation = await ask_rebuild(database, name)
    if generation is None:
        raise NotFound(f"{service} has no read model {name}: see `rathaus read-models list`")
    return generation
