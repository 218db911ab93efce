"""One house a test: its own databases, group and topic on the shared engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.support.diaries import House

structlog.configure(  # the default paints tracebacks with all local values, which takes seconds
    processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory()
)


@pytest.fixture
async def house(mongo_url: str, kafka_url: str, tmp_path: Path) -> AsyncIterator[House]:
    made = House(mongo_url, kafka_url, tmp_path)
    try:
        yield made
    finally:
        await made.close()
