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
from rathaus.secrets import load_or_make
from rathaus.settings import SERVICES, PlatformSettings, passed_on

ROOT = Path(__file__).parents[1]
"""The tree that this runs from: services start in it, so that theirs are the packages that Python finds first."""

SECRETS = (
    "operator",
    *(f"service-{name}" for name in SERVICES),
    *("identity-keys", "payment-provider", "payment-provider-switches", "population-register"),
)

PROVIDER_CLIENT = "rathaus"
"""By which the installation is known to the payment provider."""
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
    service_ports = {name: ports.get(name) for name in SERVICES}
    example_ports = {name: ports.get(name) for name in EXAMPLES} if demo else {}
    place = _Place(
        home=home,
        kafka_url=settings.kafka_url or kafka.url,
        mongo_url=settings.mongo_url or mongo.url,
        gateway_url=gateway_url,
        urls={name: f"http://{LOOPBACK}:{port}" for name, port in (service_ports | example_ports).items()},
        ports=service_ports | example_ports | {"gateway": gateway_port, "gateway-admin": ports.get("gateway-admin")},
        secrets=load_or_make(home / "secrets.json", SECRETS),
        stop_timeout_seconds=settings.stop_timeout_seconds,
    )
    issuer = os.environ.get("RATHAUS_ISSUER") or f"{gateway_url}/identity"
    gateway = Gateway(
        home / "gateway", gateway_port, place.ports["gateway-admin"], {"ports": service_ports, "issuer": issuer}
    )
    below = tuple(each.name for each in engines)
    programs = [
        *engines,
        *(_service(name, place, below, demo=demo) for name in SERVICES),
        gateway.program(depends_on=SERVICES),
    ]
    if demo:
        programs += [_payment_provider(place), _population_register(place)]
    return Plan(
        programs=tuple(programs),
        kafka_url=place.kafka_url,
        mongo_url=place.mongo_url,
        gateway_url=gateway_url,
        service_urls=place.urls,
        ports=place.ports,
        secrets=place.secrets,
        elsewhere=elsewhere,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where everything is, for those that have to be told."""

    home: Path
    kafka_url: str
    mongo_url: str
    gateway_url: str
    urls: Mapping[str, str]
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    stop_timeout_seconds: float


def _service(name: str, place: _Place, engines: tuple[str, ...], *, demo: bool) -> Program:
    """One of the five. Our own environment may say otherwise than `defaults`, but not than `fixed`."""
    defaults = {
        "RATHAUS_FILES_DIR": str(place.home / "files"),
        "RATHAUS_ISSUER": f"{place.gateway_url}/identity",
        "RATHAUS_LOG_FORMAT": "json",
    }
    fixed = {
        "RATHAUS_KAFKA_URL": place.kafka_url,
        "RATHAUS_MONGO_URL": place.mongo_url,
        "RATHAUS_HTTP_PORT": str(place.ports[name]),
        "RATHAUS_JWKS_URL": f"{place.urls['identity']}/identity/v1/jwks",
        "RATHAUS_SERVICE_URLS": json.dumps({each: place.urls[each] for each in SERVICES}),
        "RATHAUS_CLIENT_ID": f"service-{name}",
        "RATHAUS_CLIENT_SECRET": place.secrets[f"service-{name}"],
        "RATHAUS_CLOCK_FILE": str(place.home / "clock.json"),
        "RATHAUS_STOP_TIMEOUT_SECONDS": str(place.stop_timeout_seconds),
    }
    match name:
        case "identity":
            defaults["RATHAUS_KEY_SECRET"] = place.secrets["identity-keys"]
            fixed["RATHAUS_BOOTSTRAP_CLIENTS"] = json.dumps(_clients(place.secrets, demo=demo))
            if demo:
                fixed["RATHAUS_DEMO_SIGN_IN"] = "true"
        case "notifications":
            defaults["RATHAUS_PORTAL_URL"] = f"{place.gateway_url}/"
        case "payments":
            defaults["RATHAUS_PUBLIC_URL"] = place.gateway_url
            provider = {
                "RATHAUS_PROVIDER_CLIENT_ID": PROVIDER_CLIENT,
                "RATHAUS_PROVIDER_CLIENT_SECRET": place.secrets["payment-provider"],
            }
            if demo:
                fixed |= provider | {"RATHAUS_PROVIDER_URL": place.urls["payment-provider"]}
            else:  # until a real provider is named, payments asks in vain, and says so
                defaults |= provider
    return Program(
        name=name,
        command=(sys.executable, "-m", f"services.{name}.main"),
        probe=_http(place.ports[name], "/readyz"),
        directory=ROOT,
        env=defaults | passed_on(name, os.environ) | fixed,
        ports=(place.ports[name],),
        depends_on=(*engines, *(["payment-provider"] if name == "payments" and demo else [])),
    )


def _clients(secrets: Mapping[str, str], *, demo: bool) -> dict[str, Any]:
    """The machine clients that identity knows from the start."""
    known: dict[str, Any] = {"operator": {"secret": secrets["operator"], "scopes": ["operator"]}}
    known |= {f"service-{name}": {"secret": secrets[f"service-{name}"], "scopes": ["internal"]} for name in SERVICES}
    if demo:
        known["population-register"] = {
            "secret": secrets["population-register"],
            "scopes": ["cases:read", "cases:decide"],
            "tenant": REGISTER_TOWN,
        }
    return known


def _payment_provider(place: _Place) -> Program:
    name = "payment-provider"
    return Program(
        name=name,
        command=(sys.executable, "-m", "examples.payment_provider"),
        probe=_http(place.ports[name], "/readyz"),
        directory=ROOT,
        env={
            "PORT": str(place.ports[name]),
            "DATA_DIR": str(place.home / name),
            "PROVIDER_CLIENT_ID": PROVIDER_CLIENT,
            "PROVIDER_CLIENT_SECRET": place.secrets[name],
            "PROVIDER_SWITCH_TOKEN": place.secrets["payment-provider-switches"],
        },
        ports=(place.ports[name],),
    )


def _population_register(place: _Place) -> Program:
    name = "population-register"
    return Program(
        name=name,
        command=(sys.executable, "-m", "examples.population_register"),
        probe=_http(place.ports[name], "/readyz"),
        directory=ROOT,
        env={
            "PORT": str(place.ports[name]),
            "DATA_DIR": str(place.home / name),
            "KAFKA_URL": place.kafka_url,
            "GATEWAY_URL": place.gateway_url,
            "TENANT": REGISTER_TOWN,
            "CLIENT_ID": name,
            "CLIENT_SECRET": place.secrets[name],
        },
        ports=(place.ports[name],),
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
