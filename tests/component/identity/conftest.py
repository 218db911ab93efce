"""Identity on the real engines, each test in a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from chassis.service import Service
from services.identity.main import compose
from services.identity.settings import BootstrapClient, Settings
from tests.support.towns import own

OPERATOR_SECRET = "operator's secret for tests"
SERVICE_SECRET = "a service's secret for tests"

Composed = Callable[..., Service]


@pytest.fixture
def settings(mongo_url: str, kafka_url: str, tmp_path: Path) -> Settings:
    return Settings(
        **own(mongo_url, kafka_url),
        files_dir=tmp_path,
        demo_sign_in=True,
        key_secret=SecretStr("a key secret for tests"),
        bootstrap_clients={
            "operator": BootstrapClient(secret=SecretStr(OPERATOR_SECRET), scopes=("operator",), tenant="*"),
            "service-applications": BootstrapClient(
                secret=SecretStr(SERVICE_SECRET), scopes=("internal", "cases:read"), tenant="*"
            ),
        },
    )


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    made = compose(settings)
    await made.start()
    try:
        yield made
    finally:
        await made.database.drop()
        await made.stop()


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://identity") as client:
        yield client
