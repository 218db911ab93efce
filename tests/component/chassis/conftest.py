"""One house a test: its own databases, group and topic on the shared engines."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.simulation.database import Client, Server
from tests.simulation.wire import Calm
from tests.support.diaries import House

structlog.configure(  # the default paints tracebacks with all local values, which takes seconds
    processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory()
)

REAL, STAND_IN = "real", "stand-in"
WITHOUT_BROKER = ("test_aggregates", "test_work")
ON_BOTH = (*WITHOUT_BROKER, "test_parked_subjects", "test_relay")
"""Modules whose tests run on the simulation's database as well, so that it does not drift from the real one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that are marked `real_database` need a server, or are slow and add nothing."""
    both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
    if both and "house" in metafunc.fixturenames and not any(metafunc.definition.iter_markers("real_database")):
        metafunc.parametrize("house", [REAL, STAND_IN], indirect=True)


@pytest.fixture
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if getattr(request, "param", REAL) == STAND_IN:
        alone = request.module.__name__.rpartition(".")[2] in WITHOUT_BROKER
        kafka_url = "" if alone else request.getfixturevalue("kafka_url")
        made = House("", kafka_url, tmp_path, client=functools.cache(lambda _: Client(Server(Calm()))))
    else:
        made = House(request.getfixturevalue("mongo_url"), request.getfixturevalue("kafka_url"), tmp_path)
    try:
        yield made
    finally:
        await made.close()
