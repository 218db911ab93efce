"""Real engines for tests: started once a session, when the first test asks, in a temporary folder; ended by us."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from rathaus.engines import Hosted, Kafka, Mongo


def pytest_configure() -> None:
    """A session that is told to end (a time limit, say) ends the engines too; no setting of the caller's gets in."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in [each for each in os.environ if each.startswith("RATHAUS_")]:
        del os.environ[name]


@dataclass(frozen=True, slots=True)
class Engines:
    """Both engines' addresses."""

    kafka_url: str
    mongo_url: str


@pytest.fixture(scope="session")
def kafka_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """Kafka's process: `kill()` is SIGKILL, `restart()` brings it back on the same port with the same data.

    Both block: in an async test `await asyncio.to_thread(kafka_engine.restart)`. Leave it running.
    """
    yield from _hosted(Kafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def mongo_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """The database's process; as `kafka_engine`."""
    yield from _hosted(Mongo(tmp_path_factory.mktemp("mongo")))


@pytest.fixture(scope="session")
def kafka_url(kafka_engine: Hosted) -> str:
    """Bootstrap server, `127.0.0.1:port`."""
    return kafka_engine.url


@pytest.fixture(scope="session")
def mongo_url(mongo_engine: Hosted) -> str:
    """`mongodb://127.0.0.1:port/?retryWrites=false`."""
    return mongo_engine.url


@pytest.fixture(scope="session")
def engines(kafka_url: str, mongo_url: str) -> Engines:
    """Both."""
    return Engines(kafka_url, mongo_url)


def _hosted(engine: Kafka | Mongo) -> Iterator[Hosted]:
    programs = engine.programs() if isinstance(engine, Kafka) else [engine.program()]
    hosted = Hosted(programs, engine.directory, url=engine.url)
    try:
        hosted.start()
        yield hosted
    finally:
        hosted.stop()
