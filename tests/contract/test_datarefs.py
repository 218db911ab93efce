"""Every `dataref` of the examples is answered by a route of the service that emits the event."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.routing import Match

from chassis.service import Service
from contracts import topics
from contracts.envelope import Event
from contracts.examples import EXAMPLES

ITS_OWN = {
    "identity": {"key_secret": SecretStr("a key secret for tests")},
    "payments": {"provider_client_id": "test", "provider_client_secret": SecretStr("a secret for tests")},
}
REFERRING = [example for example in EXAMPLES.values() if "dataref" in type(example).model_fields]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    """All services, composed and not started."""
    folder = tmp_path_factory.mktemp("files")
    return {topic.stream: _composed(topic.stream, folder) for topic in topics.ALL}


def _composed(name: str, folder: Path) -> Service:
    settings = import_module(f"services.{name}.settings").Settings
    made: Service = import_module(f"services.{name}.main").compose(settings(files_dir=folder, **ITS_OWN.get(name, {})))
    return made


def _answers(service: Service, path: str) -> list[Any]:
    asked = {"type": "http", "method": "GET", "path": path, "headers": []}
    return [route for route in service.app.routes if route.matches(asked)[0] is Match.FULL]


@pytest.mark.parametrize("example", REFERRING, ids=lambda example: example.name)
def test_a_dataref_is_a_route_of_its_service(services: dict[str, Service], example: Event) -> None:
    dataref = example.model_dump()["dataref"]
    service = example.topic.stream
    assert dataref.split("/")[1] == service, "the first part names the service to the gateway and to its peers"
    assert _answers(services[service], dataref), f"{service} has no route for GET {dataref}"


def test_a_path_without_a_route_is_noticed(services: dict[str, Service]) -> None:
    assert not _answers(services["catalog"], "/catalog/towns/musterstadt")
    assert not _answers(services["notifications"], "/notifications/notices/1")
