"""The ASGI application of a service: its routes, the common ones, limits, and an honest OpenAPI document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import chance, context, metrics
from chassis.auth import Verifier
from chassis.errors import ConfigurationError, EngineAway, Failure, Overloaded, TooLarge
from chassis.http.access import Access
from chassis.http.problems import PROBLEM, Problem, on_error
from chassis.logging import get_logger
from chassis.mongo import at_most
from chassis.settings import ServiceSettings

log = get_logger(__name__)

Checks = Mapping[str, Callable[[], Awaitable[None]]]
"""By name: returns where all is well, raises otherwise."""

_COMMON = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BODIES_OF_FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


def _access_of(dependant: Dependant) -> Access | None:
    for each in dependant.dependencies:
        if isinstance(each.call, Access):
            return each.call
        nested = _access_of(each)
        if nested:
            return nested
    return None


class Route(APIRoute):
    """A route that admits the caller before FastAPI parses anything."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the route's access."""
        inner = super().get_route_handler()
        access = _access_of(self.dependant)
        methods = "/".join(sorted(self.methods or ()))
        name = f"{methods} {self.path}"
        if access is None:
            raise ConfigurationError(f"{name} names no Access: who may call it?")

        async def _handle(request: Request) -> Response:
            request.scope["path_template"] = self.path
            await access.admit(request, request.app.state.verifier)
            try:
                return await inner(request)
            except HTTPException as error:
                if isinstance(error.__cause__, Failure):  # FastAPI makes a 400 of whatever happens as it reads the body
                    raise error.__cause__ from None
                raise

        return _handle


class Router(APIRouter):
    """A router whose routes all name their access."""

    def __init__(self, prefix: str, *, tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, route_class=Route, tags=list(tags or ()))


class _Edge:
    """Around everything: request id, context, body limit, time limit, metrics. Pure ASGI, so that bodies stream."""

    def __init__(self, app: ASGIApp, service: str, settings: ServiceSettings) -> None:
        self._app = app
        self._service = service
        self._settings = settings
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        here = context.fresh(_uuid(headers.get("x-request-id")), traceparent=headers.get("traceparent"))
        status = 500
        started = chance.monotonic()
        begun = False
        give_back: Callable[[], None] = lambda: None  # noqa: E731

        async def _send(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                begun = True
                give_back()
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", here.correlation_id.encode())]
            await send(message)

        limit = asyncio.timeout(self._seconds(headers))

        async def _going_on(message: Message) -> None:
            await _send(message)
            if not limit.expired():  # a download may take as long as it likes while it goes on
                limit.reschedule(asyncio.get_running_loop().time() + self._seconds(headers))

        with context.entered(here, request_id=here.correlation_id):
            try:
                async with limit:
                    give_back = self._admit(scope["path"], headers)
                    with at_most(self._settings.database_timeout_seconds):
                        await self._app(scope, self._limited(headers, receive), _going_on)
            except Exception as error:
                if begun:
                    raise
                expected = EngineAway("it took too long: try again") if isinstance(error, TimeoutError) else error
                answer = await on_error(Request(scope), expected)  # here, so that it has the request's id
                await answer(scope, receive, _send)
            finally:
                give_back()
                route = scope.get("path_template", "none")
                seconds = chance.monotonic() - started
                method = scope["method"] if scope["method"] in _METHODS else "OTHER"
                metrics.HTTP_SECONDS.labels(self._service, method, route, str(status)).observe(seconds)
                if route not in _COMMON:
                    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))

    def _admit(self, path: str, headers: Mapping[str, str]) -> Callable[[], None]:
        """Takes a place among the requests at work until its answer begins; returns what gives it back.

        What could only wait is refused at once: else it times out halfway, is repeated, and so on without end.
        Files take as long as their way is slow, and no place.
        """
        if path in _COMMON or not _is_form(headers):
            return lambda: None
        if self._at_work >= self._settings.request_concurrency:
            raise Overloaded("too many requests at a time: try again")
        self._count(1)
        left = [1]
        return lambda: self._count(-left.pop()) if left else None

    def _count(self, change: int) -> None:
        self._at_work += change
        metrics.HTTP_AT_WORK.labels(self._service).set(self._at_work)

    def _seconds(self, headers: Mapping[str, str]) -> float:
        return self._settings.request_timeout_seconds if _is_form(headers) else self._settings.upload_timeout_seconds

    def _limited(self, headers: Mapping[str, str], receive: Receive) -> Receive:
        form = _is_form(headers)
        limit = self._settings.body_limit_bytes if form else self._settings.file_limit_bytes
        try:
            declared = int(headers.get("content-length", 0))
        except ValueError:
            declared = 0
        length = 0

        async def _receive() -> Message:
            nonlocal length
            if declared > limit:
                raise TooLarge(f"at most {limit} bytes are accepted", limit=limit)
            message = await receive()
            length += len(message.get("body", b""))
            if length > limit:
                raise TooLarge(f"at most {limit} bytes are accepted", limit=limit)
            return message

        return _receive


def _is_form(headers: Mapping[str, str]) -> bool:
    """Whether the body is no file: JSON, a form, or nothing."""
    return headers.get("content-type", "application/json").startswith(_BODIES_OF_FORMS)


def _uuid(given: str | None) -> str | None:
    hexadecimal = (given or "").replace("-", "").lower()
    if len(hexadecimal) != 32 or any(c not in "0123456789abcdef" for c in hexadecimal):
        return None
    return "-".join((hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:]))


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
    _add_common(app)
    _describe(app, service, routers)
    app.add_middleware(_Edge, service=service, settings=settings)
    return app


def _check(router: APIRouter) -> None:
    """Nothing gets in that isn't behind an `Access`."""
    for route in router.routes:
        if not isinstance(route, Route):
            name = getattr(route, "path", type(route).__name__)
            raise ConfigurationError(f"{name} isn't a route of a chassis Router: who may call it?")


def _add_common(app: FastAPI) -> None:
    async def _livez(request: Request) -> Response:
        request.scope["path_template"] = "/livez"
        return PlainTextResponse("alive\n")

    async def _readyz(request: Request) -> Response:
        request.scope["path_template"] = "/readyz"
        found = dict(zip(app.state.checks, await asyncio.gather(*map(_ask, app.state.checks.values())), strict=True))
        well = all(state == "ok" for state in found.values())
        return JSONResponse({"ready": well, "checks": found}, 200 if well else 503)

    async def _metrics(request: Request) -> Response:
        request.scope["path_template"] = "/metrics"
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def _openapi(request: Request) -> Response:
        request.scope["path_template"] = "/openapi.json"
        return JSONResponse(app.openapi())

    for path, endpoint in (
        ("/livez", _livez),
        ("/readyz", _readyz),
        ("/metrics", _metrics),
        ("/openapi.json", _openapi),
    ):
        app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)


async def _ask(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(2):
            await check()
    except TimeoutError:
        return "no answer in 2 s"
    except Exception as error:  # whatever a check raises is its finding
        return str(error) or type(error).__name__
    return "ok"


_ERRORS = {
    400: "Malformed, or a needed header is missing",
    401: "No valid access token",
    403: "Not allowed with this token",
    404: "Not found, or not in this town",
    405: "Method not allowed",
    409: "In conflict with the present state",
    412: "Changed since it was read",
    413: "Too large",
    415: "Type of content not accepted",
    422: "The content isn't valid, or the Idempotency-Key was used for another body",
    428: "If-Match is missing",
    429: "Too many requests",
    500: "Unexpected error",
    503: "Temporarily unavailable: try again after Retry-After",
}


def _errors_of(access: Access, method: str) -> set[int]:
    codes = {400, 404, 405, 413, 422, 429, 500, 503}
    if not access.public:
        codes |= {401, 403}
    if method != "GET":
        codes |= {409, 412, 415}
    if access.if_match:
        codes.add(428)
    return codes


def _describe(app: FastAPI, service: str, routers: list[Router]) -> None:
    """OpenAPI 3.1 with the headers, tokens and errors that the chassis adds to each route."""
    with_access = {
        (route.path_format, method.lower()): access
        for router in routers  # the application keeps them nested: its own `routes` doesn't list theirs
        for route in router.routes
        if isinstance(route, APIRoute) and (access := _access_of(route.dependant))
        for method in route.methods or ()
    }

    def _openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            routes=app.routes,
            description=f"The HTTP interface of {service}. Errors are problem documents (RFC 9457).",
        )
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        for (path, method), access in with_access.items():
            _complete(document["paths"].get(path, {}).get(method), access, method.upper())
        app.openapi_schema = document
        return document

    app.openapi = _openapi  # type: ignore[method-assign]


def _complete(operation: dict[str, Any] | None, access: Access, method: str) -> None:
    if operation is None:
        return
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    for code in sorted(_errors_of(access, method)):
        example = {"type": "https://rathaus.example/problems/example", "title": _ERRORS[code], "status": code}
        responses[str(code)] = {
            "description": _ERRORS[code],
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
        }
    if not access.public:
        operation["security"] = [{"token": []}]
    headers = []
    if method != "GET" and access.idempotency_key:
        text = "the same key and body get the same answer"
        headers.append(("Idempotency-Key", method == "POST", text, "6f7c8f0e-8a0b-4b57-9f0c-0d4f6f1f2f3a"))
    if method in {"PUT", "PATCH", "DELETE"} or (method == "POST" and access.if_match):
        headers.append(("If-Match", access.if_match, "the ETag of the version that was read", '"3"'))
    operation.setdefault("parameters", []).extend(
        {
            "name": name,
            "in": "header",
            "required": needed,
            "description": text,
            "schema": {"type": "string"},
            "example": example,
        }
        for name, needed, text, example in headers
    )
