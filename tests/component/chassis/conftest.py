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
ON_BOTH = ("test_aggregates", "test_work")
"""Modules whose tests run on the simulation's database as well, so that it does not drift from the real one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that are marked `real_database` use what only a server has."""
    both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
    if both and "house" in metafunc.fixturenames and not any(metafunc.definition.iter_markers("real_database")):
        metafunc.parametrize("house", [REAL, STAND_IN], indirect=True)


@pytest.fixture
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if getattr(request, "param", REAL) == STAND_IN:
        made = House("", "", tmp_path, client=functools.cache(lambda _: Client(Server(Calm()))))
    else:
        made = House(request.getfixturevalue("mongo_url"), request.getfixturevalue("kafka_url"), tmp_path)
    try:
        yield made
    finally:
        await made.close()
