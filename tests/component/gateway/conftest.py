"""Envoy with our configuration, in front of small upstreams that tell what reached them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jinja2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rathaus.registry import NAMES, SERVICES
from tests.support.tokens import ISSUER, Issuer

TEMPLATE = Path(__file__).parents[3] / "deploy" / "gateway" / "envoy.yaml.j2"
ENVOY = Path(sys.executable).with_name("envoy")
AWAY = "payments"
"""The one service whose upstream isn't there."""


@dataclass(frozen=True)
class Door:
    """A running gateway."""

    url: str
    log: Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def render(**variables: Any) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text()).render(services=SERVICES, **variables)


def upstream(name: str, issuer: Issuer) -> Starlette:
    """Answers with what it was asked; knows `/metrics`, which nobody outside may see."""

    async def _jwks(_: Request) -> Response:
        return JSONResponse(issuer.jwks())

    async def _slow(_: Request) -> Response:
        await asyncio.sleep(3)
        return PlainTextResponse("too late")

    async def _own(_: Request) -> Response:
        return PlainTextResponse(f"{name}'s own", headers={"server": "secret/1.0"})

    async def _echo(request: Request) -> Response:
        body = await request.body()
        return JSONResponse(
            {"service": name, "path": request.url.path, "headers": dict(request.headers), "length": len(body)},
            headers={"server": "secret/1.0"},
        )

    common = [Route(path, _own) for path in ("/metrics", "/livez", "/readyz", "/openapi.json")]
    jwks = [Route("/identity/v1/jwks", _jwks)] if name == "identity" else []
    every = ["GET", "POST", "PUT"]
    return Starlette(
        routes=[
            *common,
            *jwks,
            Route(f"/{name}/slow", _slow),
            Route(f"/{name}/{{rest:path}}", _echo, methods=every),
        ]
    )


@contextmanager
def serving(app: Starlette) -> Iterator[int]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        _wait(lambda: server.started, "an upstream")
        yield port
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@contextmanager
def gateway(directory: Path, ports: dict[str, int], *, wait_for_keys: bool = True, **variables: Any) -> Iterator[Door]:
    port, admin = free_port(), free_port()
    config, log = directory / "envoy.yaml", directory / "envoy.log"
    config.write_text(render(gateway_port=port, admin_port=admin, ports=ports, issuer=ISSUER, **variables))
    command = [str(ENVOY), "-c", str(config), "-l", "warn", "--concurrency", "1", "--disable-hot-restart"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            ready = _has_keys if wait_for_keys else _is_live
            _wait(lambda: process.poll() is not None or ready(admin), f"Envoy, see {log}")
            assert process.poll() is None, log.read_text()
            yield Door(f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            process.wait(10)


def _has_keys(admin: int) -> bool:
    try:
        found = httpx.get(f"http://127.0.0.1:{admin}/stats?filter=jwks_fetch_success").text
    except httpx.HTTPError:
        return False
    return "jwks_fetch_success: 0" not in found and "jwks_fetch_success" in found


def _is_live(admin: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{admin}/ready").text == "LIVE\n"
    except httpx.HTTPError:
        return False


def _wait(condition: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 15
    while not condition():
        if time.monotonic() > ends:
            pytest.fail(f"not in 15 s: {what}")
        time.sleep(0.02)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def ports(issuer: Issuer) -> Iterator[dict[str, int]]:
    """The upstreams' ports."""
    with ExitStack() as stack:
        started = {name: stack.enter_context(serving(upstream(name, issuer))) for name in NAMES if name != AWAY}
        yield {**started, AWAY: free_port()}


@pytest.fixture(scope="module")
def door(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    limits = {"body_limit_bytes": 1000, "file_limit_bytes": 200_000, "request_timeout_seconds": 1}
    with gateway(tmp_path_factory.mktemp("gateway"), ports, **limits) as made:
        yield made
