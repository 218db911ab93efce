"""What the platform knows of a service: enough to start it, to reach it through the gateway, and to operate it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.topics import Topic


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where everything of an installation on one machine is, for the programs that are told."""

    home: Path
    """The state directory."""
    kafka_url: str
    mongo_url: str
    gateway_url: str
    urls: Mapping[str, str]
    """Base addresses by name, of services and examples; behind the gateway."""
    ports: Mapping[str, int]
    """By name, of services, examples and the gateway."""
    secrets: Mapping[str, str]
    clients: Mapping[str, Any]
    """The machine clients that may ask for tokens from the start, by id: `secret`, `scopes`, `tenant`."""
    stop_timeout_seconds: float
    demo: bool
    """Whether the examples run, and invented people may sign in."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables of one service, besides those that every service is given."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    """The operator's own environment wins over these."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """These win over the operator's environment."""


@dataclass(frozen=True, slots=True)
class GatewayRoutes:
    """Paths of the service that the gateway treats differently: regular expressions (RE2) of whole paths."""

    uploads: tuple[str, ...] = ()
    """A file is PUT there: it is passed on as it comes, may be longer and may take more time."""
    sign_in: tuple[str, ...] = ()
    """A secret is POSTed there: all such requests together are limited to a low rate."""


def _nothing_more(_: Deployment) -> Environment:
    return Environment()


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service. Its code is in `services/<name>/`, with the rooms that CONTRIBUTING.md names.

    Each has one HTTP port, which is kept under its name, and is reachable at `/<name>/` of the gateway. Its database,
    its consumer group, its secret and its machine client (`service-<name>`) are named after it, too.
    """

    topic: Topic
    """Where its events go; the stream is the service's name."""
    gateway: GatewayRoutes = GatewayRoutes()
    scopes: tuple[str, ...] = ("internal",)
    """What its machine client may do at other services."""
    secrets: tuple[str, ...] = ()
    """Names of further secrets that are made for the installation because of it."""
    environment: Callable[[Deployment], Environment] = _nothing_more
    """What it is told besides what every service is told."""
    depends_on: tuple[str, ...] = ()
    """Programs besides the engines that are ended after it, where they run."""

    @property
    def name(self) -> str:
        """How it is called everywhere: folder, path, topic, database."""
        return self.topic.stream

    @property
    def client_id(self) -> str:
        """Its machine client at identity, and the name of that client's secret."""
        return f"service-{self.name}"

    @property
    def main_module(self) -> str:
        """The module that runs it."""
        return f"services.{self.name}.main"

    @property
    def settings_module(self) -> str:
        """The module whose class `Settings` says what it can be told."""
        return f"services.{self.name}.settings"
