"""Where an installation's engines are, and which database and group belong to which service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chassis.clock import Clock, MovableClock, SystemClock
from chassis.mongo import Database
from chassis.settings import ServiceSettings
from contracts.topics import Topic
from rathaus import registry
from rathaus.settings import load
from rathaus.supervisor.state import State

SERVICES: dict[str, Topic] = {spec.name: spec.topic for spec in registry.SERVICES}
"""Every service that emits, by name, with its topic."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One set of engines; the prefixes as in the services' settings."""

    kafka_url: str
    mongo_url: str
    database_prefix: str = "rathaus_"
    group_prefix: str = "rathaus."
    clock: Clock = field(default_factory=SystemClock)
    """The services' clock."""

    @property
    def servers(self) -> list[str]:
        """Kafka bootstrap servers."""
        return [server.strip() for server in self.kafka_url.split(",")]

    def group(self, service: str) -> str:
        """A service's consumer group."""
        return self.group_prefix + service

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Database]:
        """A service's database."""
        found = Database(self.mongo_url, self.database_prefix + service, timeout_seconds=10)
        try:
            yield found
        finally:
            found.close()


def running() -> Installation:
    """The installation that the settings name, or else the one that `rathaus up` runs here.

    Raises:
        LookupError: neither; the message says what to do.
    """
    settings = load()
    state = State.load(settings.home)
    kafka_url = settings.kafka_url or (state.kafka_url if state else "")
    mongo_url = settings.mongo_url or (state.mongo_url if state else "")
    if not (kafka_url and mongo_url):
        raise LookupError("Nothing runs here: start `rathaus up`, or set RATHAUS_KAFKA_URL and RATHAUS_MONGO_URL.")
    services = ServiceSettings()
    clock = MovableClock(settings.home / "clock.json")
    return Installation(kafka_url, mongo_url, services.database_prefix, services.group_prefix, clock)
