"""The table of processes: everything that runs on one machine, how it is started, and what it is told.

`table` is the whole; below it, each kind of process. Services begin at once and wait for the engines by themselves, so
`depends_on` decides only the order in which things end: first the gateway, then services, then engines.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rathaus.engines import CannotStart, Gateway, Kafka, Mongo, Program
from rathaus.engines.ports import LOOPBACK, Ports, is_free
from rathaus.engines.probes import http_answers, kafka_answers, mongo_answers
from rathaus.registry import NAMES, PROVIDER_CLIENT, SERVICES
from rathaus.secrets import load_or_make
from rathaus.settings import PlatformSettings, passed_on
from rathaus.spec import Deployment, ServiceSpec

ROOT = Path(__file__).parents[1]
"""The tree that this runs from: services start in it, so that theirs are the packages that Python finds first."""

SECRETS = (
    "operator",
    *(spec.client_id for spec in SERVICES),
    *(secret for spec in SERVICES for secret in spec.secrets),
    *("payment-provider-switches", "population-register"),
)

REGISTER_TOWN = "witten"
"""Whose clerk system the population register of the demo is."""
EXAMPLES = ("payment-provider", "population-register")
"""Programs that stand outside the platform; started for the demo."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run, and where it will be found."""

    programs: tuple[Program, ...]
    kafka_url: str
    mongo_url: str
    gateway_url: str
    service_urls: Mapping[str, str]
    """By name, the examples' too; behind the gateway, for probes and metrics."""
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    elsewhere: Mapping[str, Callable[[], Awaitable[None]]]
    """Engines that exist already: only asked, never started."""


def table(settings: PlatformSettings, *, demo: bool = False, say: Callable[[str], None] = print) -> Plan:
    """Decides ports and secrets and describes every process.

    Raises:
        CannotStart: a port is taken or a program isn't installed.
    """
    home = settings.home
    ports = Ports(home / "ports.json")
    kafka = Kafka(home / "kafka", port=settings.kafka_port, say=say)
    mongo = Mongo(home / "mongo", port=settings.mongo_port)
    engines: list[Program] = []
    elsewhere: dict[str, Callable[[], Awaitable[None]]] = {}
    if settings.kafka_url:
        existing_kafka = settings.kafka_url
        elsewhere["kafka"] = lambda: kafka_answers(existing_kafka)
    else:
        engines += kafka.programs()
    if settings.mongo_url:
        existing_mongo = settings.mongo_url
        elsewhere["mongo"] = lambda: mongo_answers(existing_mongo)
    else:
        engines.append(mongo.program())

    gateway_port = _gateway_port(settings, ports)
    gateway_url = f"http://{LOOPBACK}:{gateway_port}"
    service_ports = {name: ports.get(name) for name in NAMES}
    example_ports = {name: ports.get(name) for name in EXAMPLES} if demo else {}
    secrets = load_or_make(home / "secrets.json", SECRETS)
    here = Deployment(
        home=home,
        kafka_url=settings.kafka_url or kafka.url,
        mongo_url=settings.mongo_url or mongo.url,
        gateway_url=gateway_url,
        urls={name: f"http://{LOOPBACK}:{port}" for name, port in (service_ports | example_ports).items()},
        ports=service_ports | example_ports | {"gateway": gateway_port, "gateway-admin": ports.get("gateway-admin")},
        secrets=secrets,
        clients=_clients(secrets, demo=demo),
        stop_timeout_seconds=settings.stop_timeout_seconds,
        demo=demo,
    )
    issuer = os.environ.get("RATHAUS_ISSUER") or f"{gateway_url}/identity"
    gateway = Gateway(
        home / "gateway",
        gateway_port,
        here.ports["gateway-admin"],
        {"services": SERVICES, "ports": service_ports, "issuer": issuer},
    )
    below = tuple(each.name for each in engines)
    programs = [
        *engines,
        *(_service(spec, here, below) for spec in SERVICES),
        gateway.program(depends_on=NAMES),
    ]
    if demo:
        programs += [_payment_provider(here), _population_register(here)]
    return Plan(
        programs=tuple(programs),
        kafka_url=here.kafka_url,
        mongo_url=here.mongo_url,
        gateway_url=gateway_url,
        service_urls=here.urls,
        ports=here.ports,
        secrets=here.secrets,
        elsewhere=elsewhere,
    )


def _service(spec: ServiceSpec, here: Deployment, engines: tuple[str, ...]) -> Program:
    """A service's process. Our own environment may say otherwise than the defaults, but not than what is fixed."""
    name = spec.name
    own = spec.environment(here)
    defaults = {
        "RATHAUS_FILES_DIR": str(here.home / "files"),
        "RATHAUS_ISSUER": f"{here.gateway_url}/identity",
        "RATHAUS_LOG_FORMAT": "json",
        **own.defaults,
    }
    fixed = {
        "RATHAUS_KAFKA_URL": here.kafka_url,
        "RATHAUS_MONGO_URL": here.mongo_url,
        "RATHAUS_HTTP_PORT": str(here.ports[name]),
        "RATHAUS_JWKS_URL": f"{here.urls['identity']}/identity/v1/jwks",
        "RATHAUS_SERVICE_URLS": json.dumps({each: here.urls[each] for each in NAMES}),
        "RATHAUS_CLIENT_ID": spec.client_id,
        "RATHAUS_CLIENT_SECRET": here.secrets[spec.client_id],
        "RATHAUS_CLOCK_FILE": str(here.home / "clock.json"),
        "RATHAUS_STOP_TIMEOUT_SECONDS": str(here.stop_timeout_seconds),
        **own.fixed,
    }
    return Program(
        name=name,
        command=(sys.executable, "-m", spec.main_module),
        probe=_http(here.ports[name], "/readyz"),
        directory=ROOT,
        env=defaults | passed_on(name, os.environ) | fixed,
        ports=(here.ports[name],),
        depends_on=(*engines, *(each for each in spec.depends_on if each in here.ports)),
    )


def _clients(secrets: Mapping[str, str], *, demo: bool) -> dict[str, Any]:
    """The machine clients that may ask for tokens from the start."""
    known: dict[str, Any] = {"operator": {"secret": secrets["operator"], "scopes": ["operator"]}}
    known |= {spec.client_id: {"secret": secrets[spec.client_id], "scopes": list(spec.scopes)} for spec in SERVICES}
    if demo:
        known["population-register"] = {
            "secret": secrets["population-register"],
            "scopes": ["cases:read", "cases:decide"],
            "tenant": REGISTER_TOWN,
        }
    return known


def _payment_provider(here: Deployment) -> Program:
    name = "payment-provider"
    return Program(
        name=name,
        command=(sys.executable, "-m", "examples.payment_provider"),
        probe=_http(here.ports[name], "/readyz"),
        directory=ROOT,
        env={
            "PORT": str(here.ports[name]),
            "DATA_DIR": str(here.home / name),
            "PROVIDER_CLIENT_ID": PROVIDER_CLIENT,
            "PROVIDER_CLIENT_SECRET": here.secrets[name],
            "PROVIDER_SWITCH_TOKEN": here.secrets["payment-provider-switches"],
        },
        ports=(here.ports[name],),
    )


def _population_register(here: Deployment) -> Program:
    name = "population-register"
    return Program(
        name=name,
        command=(sys.executable, "-m", "examples.population_register"),
        probe=_http(here.ports[name], "/readyz"),
        directory=ROOT,
        env={
            "PORT": str(here.ports[name]),
            "DATA_DIR": str(here.home / name),
            "KAFKA_URL": here.kafka_url,
            "GATEWAY_URL": here.gateway_url,
            "TENANT": REGISTER_TOWN,
            "CLIENT_ID": name,
            "CLIENT_SECRET": here.secrets[name],
        },
        ports=(here.ports[name],),
        depends_on=("gateway",),
    )


def _http(port: int, path: str) -> Callable[[], Awaitable[None]]:
    return lambda: http_answers(port, path)


def _gateway_port(settings: PlatformSettings, ports: Ports) -> int:
    port = settings.gateway_port
    if port == 0:
        return ports.get("gateway")
    if not is_free(port):
        raise CannotStart(
            f"Port {port}, on which the gateway is to listen, is taken{_by_whom(port)}. End that program, or choose "
            f"another port: RATHAUS_GATEWAY_PORT=8081 (0 takes a free one)."
        )
    return port


def _by_whom(port: int) -> str:
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f" by {psutil.Process(each.pid).name()} (process {each.pid})"
    except psutil.Error:  # without rights to see it
        pass
    return ""
