"""The ASGI application of a service: its routes, and those that every service has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from chassis.auth import Verifier
from chassis.errors import ConfigurationError, Failure
from chassis.http.edge import Edge
from chassis.http.openapi import describe
from chassis.http.problems import on_error
from chassis.http.routing import Route, Router
from chassis.settings import ServiceSettings

Checks = Mapping[str, Callable[[], Awaitable[None]]]
"""Checks of readiness by name. A check returns if all is well, and raises otherwise."""


def create_app(
    service: str, settings: ServiceSettings, verifier: Verifier, routers: list[Router], checks: Checks
) -> FastAPI:
    """The application of one service."""
    app = FastAPI(title=f"Rathaus {service}", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.verifier = verifier
    app.state.checks = checks
    for router in routers:
        _check(router)
        app.include_router(router)
    app.add_exception_handler(Failure, on_error)
    app.add_exception_handler(RequestValidationError, on_error)
    app.add_exception_handler(HTTPException, on_error)
    app.add_exception_handler(Exception, on_error)
    for path, endpoint in _OPERATIONAL.items():
        app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)
    describe(app, service, routers)
    app.add_middleware(Edge, service=service, settings=settings)
    return app


def _check(router: APIRouter) -> None:
    """Checks that every route names its access.

    Raises:
        ConfigurationError: a route was not made by a chassis Router.
    """
    for route in router.routes:
        if not isinstance(route, Route):
            name = getattr(route, "path", type(route).__name__)
            raise ConfigurationError(f"{name} isn't a route of a chassis Router: who may call it?")


async def _livez(request: Request) -> Response:
    request.scope["path_template"] = "/livez"
    return PlainTextResponse("alive\n")


async def _readyz(request: Request) -> Response:
    request.scope["path_template"] = "/readyz"
    checks: Checks = request.app.state.checks
    found = dict(zip(checks, await asyncio.gather(*map(_ask, checks.values())), strict=True))
    ready = all(state == "ok" for state in found.values())
    return JSONResponse({"ready": ready, "checks": found}, 200 if ready else 503)


async def _metrics(request: Request) -> Response:
    request.scope["path_template"] = "/metrics"
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _openapi(request: Request) -> Response:
    request.scope["path_template"] = "/openapi.json"
    return JSONResponse(request.app.openapi())


_OPERATIONAL = {"/livez": _livez, "/readyz": _readyz, "/metrics": _metrics, "/openapi.json": _openapi}
"""Routes of every service for probes and tools. They need no access token."""


async def _ask(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(2):
            await check()
    except TimeoutError:
        return "no answer in 2 s"
    except Exception as error:  # whatever a check raises is its finding
        return str(error) or type(error).__name__
    return "ok"
