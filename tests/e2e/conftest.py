"""One platform for all end-to-end tests, on one event loop: the session's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.house import House


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Everything, ready, with the sample towns loaded."""
    house = House(tmp_path_factory.mktemp("rathaus"))
    async with house.platform:
        await house.load_towns()
        yield house
