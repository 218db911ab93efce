"""The table of processes: everything that runs on one machine, how it is started, and what it is told.

Read it from the bottom: `table` is the whole. Services begin at once and wait for the engines by themselves, so
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
    secrets = load_or_make(home / "secrets.json", SECRETS)
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
    example_ports = {name: ports.get(name) for name in _EXAMPLES} if demo else {}
    urls = {name: f"http://{LOOPBACK}:{port}" for name, port in (service_ports | example_ports).items()}
    kafka_url, mongo_url = settings.kafka_url or kafka.url, settings.mongo_url or mongo.url

    common = {
        "RATHAUS_KAFKA_URL": kafka_url,
        "RATHAUS_MONGO_URL": mongo_url,
        "RATHAUS_FILES_DIR": str(home / "files"),
        "RATHAUS_CLOCK_FILE": str(home / "clock.json"),
        "RATHAUS_ISSUER": f"{gateway_url}/identity",
        "RATHAUS_JWKS_URL": f"{urls['identity']}/identity/v1/jwks",
        "RATHAUS_SERVICE_URLS": json.dumps({name: urls[name] for name in SERVICES}),
        "RATHAUS_LOG_FORMAT": "json",
        "RATHAUS_STOP_TIMEOUT_SECONDS": str(settings.stop_timeout_seconds),
    }
    own = _of_one_service(secrets, urls, gateway_url, demo=demo)
    before = tuple(each.name for each in engines)
    services = [
        Program(
            name=name,
            command=(sys.executable, "-m", f"services.{name}.main"),
            probe=_http(service_ports[name], "/readyz"),
            directory=ROOT,
            env=passed_on(name, os.environ)
            | common
            | {
                "RATHAUS_HTTP_PORT": str(service_ports[name]),
                "RATHAUS_CLIENT_ID": f"service-{name}",
                "RATHAUS_CLIENT_SECRET": secrets[f"service-{name}"],
            }
            | own.get(name, {}),
            ports=(service_ports[name],),
            depends_on=before,
        )
        for name in SERVICES
    ]
    examples = [
        Program(
            name=name,
            command=(sys.executable, "-m", f"examples.{name.replace('-', '_')}"),
            probe=_http(port, "/readyz"),
            directory=ROOT,
            env=_EXAMPLES[name](port, secrets, home / name),
            ports=(port,),
            depends_on=before,
        )
        for name, port in example_ports.items()
    ]
    admin_port = ports.get("gateway-admin")
    gateway = Gateway(
        home / "gateway", gateway_port, admin_port, {"ports": service_ports, "issuer": common["RATHAUS_ISSUER"]}
    ).program(depends_on=(*SERVICES, *example_ports))
    return Plan(
        programs=(*engines, *services, *examples, gateway),
        kafka_url=kafka_url,
        mongo_url=mongo_url,
        gateway_url=gateway_url,
        service_urls=urls,
        ports=service_ports | example_ports | {"gateway": gateway_port, "gateway-admin": admin_port},
        secrets=secrets,
        elsewhere=elsewhere,
    )


def _of_one_service(
    secrets: Mapping[str, str], urls: Mapping[str, str], gateway_url: str, *, demo: bool
) -> dict[str, dict[str, str]]:
    """What only one service is told."""
    clients: dict[str, Any] = {"operator": {"secret": secrets["operator"], "scopes": ["operator"]}}
    clients |= {f"service-{name}": {"secret": secrets[f"service-{name}"], "scopes": ["internal"]} for name in SERVICES}
    told: dict[str, dict[str, str]] = {
        "identity": {
            "RATHAUS_BOOTSTRAP_CLIENTS": json.dumps(clients),
            "RATHAUS_KEY_SECRET": secrets["identity-keys"],
        },
        "notifications": {"RATHAUS_PORTAL_URL": f"{gateway_url}/"},
    }
    if demo:
        told["identity"]["RATHAUS_DEMO_SIGN_IN"] = "true"
    return told


def _payment_provider(port: int, secrets: Mapping[str, str], data: Path) -> dict[str, str]:
    return {
        "PORT": str(port),
        "DATA_DIR": str(data),
        "PROVIDER_CLIENT_ID": "rathaus",
        "PROVIDER_CLIENT_SECRET": secrets["payment-provider"],
        "PROVIDER_SWITCH_TOKEN": secrets["payment-provider-switches"],
    }


_EXAMPLES: dict[str, Callable[[int, Mapping[str, str], Path], dict[str, str]]] = {
    "payment-provider": _payment_provider,
}
"""Programs that stand outside, for the demo: what each is told."""


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
