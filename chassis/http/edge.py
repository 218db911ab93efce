"""What surrounds every request: its id and context, the limits of body, time and concurrency, its metrics and log line.

Pure ASGI, so that bodies are streamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import chance, context, metrics
from chassis.errors import EngineAway, Overloaded, TooLarge
from chassis.http.problems import on_error
from chassis.logging import get_logger
from chassis.mongo import at_most
from chassis.settings import ServiceSettings

log = get_logger(__name__)

OPERATIONAL_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
"""For probes and tools: neither limited in number nor logged."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FORM_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


class RequestSlots:
    """Limits the number of requests at work.

    A request that could only wait is refused at once: otherwise it would time out halfway and be repeated.
    """

    def __init__(self, service: str, limit: int) -> None:
        self._service = service
        self._limit = limit
        self._taken = 0

    def take(self) -> None:
        """Takes a slot.

        Raises:
            Overloaded: all slots are taken.
        """
        if self._taken >= self._limit:
            raise Overloaded("too many requests at a time: try again")
        self._set(self._taken + 1)

    def give_back(self) -> None:
        """Gives a slot back that was taken."""
        self._set(self._taken - 1)

    def _set(self, taken: int) -> None:
        self._taken = taken
        metrics.HTTP_AT_WORK.labels(self._service).set(taken)


class Edge:
    """The outermost layer of a service's application."""

    def __init__(self, app: ASGIApp, service: str, settings: ServiceSettings) -> None:
        self._app = app
        self.service = service
        self.settings = settings
        self.slots = RequestSlots(service, settings.request_concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await Exchange(self, scope, receive, send).run(self._app)


class Phase(Enum):
    """How far an exchange is."""

    RECEIVED = "received"
    """The application wasn't called yet."""
    ADMITTED = "admitted"
    """The application is at work."""
    ANSWERING = "answering"
    """The answer has begun: its status can't be changed any more."""


class Exchange:
    """One request and its answer."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._context = context.fresh(
            _uuid(self._headers.get("x-request-id")), traceparent=self._headers.get("traceparent")
        )
        self._started = chance.monotonic()
        self.phase = Phase.RECEIVED
        self.status = 500
        """Of the answer, once it has begun."""
        self._holds_slot = False
        self._declared_bytes = _declared_length(self._headers)
        self._received_bytes = 0
        settings = edge.settings
        form = _is_form(self._headers)
        self._takes_slot = form and scope["path"] not in OPERATIONAL_PATHS  # a file may take as long as it needs
        self._longest_body = settings.body_limit_bytes if form else settings.file_limit_bytes
        self._seconds = settings.request_timeout_seconds if form else settings.upload_timeout_seconds
        self._time_limit = asyncio.timeout(self._seconds)

    async def run(self, app: ASGIApp) -> None:
        """Calls the application. Its errors become problem documents, unless the answer has begun."""
        with context.entered(self._context, request_id=self._context.correlation_id):
            try:
                async with self._time_limit:
                    self._admit()
                    with at_most(self._edge.settings.database_timeout_seconds):
                        await app(self._scope, self.receive, self.send)
            except Exception as error:
                if self.phase is Phase.ANSWERING:
                    raise
                expected = EngineAway("it took too long: try again") if isinstance(error, TimeoutError) else error
                answer = await on_error(Request(self._scope), expected)  # here, so that it has the request's id
                await answer(self._scope, self._receive, self._pass_on)
            finally:
                self._release_slot()
                self._record()

    def _admit(self) -> None:
        if self._takes_slot:
            self._edge.slots.take()
            self._holds_slot = True
        self.phase = Phase.ADMITTED

    def _release_slot(self) -> None:
        if self._holds_slot:
            self._holds_slot = False
            self._edge.slots.give_back()

    async def receive(self) -> Message:
        """A message of the request.

        Raises:
            TooLarge: the body is longer than allowed, or declares that it is.
        """
        if self._declared_bytes > self._longest_body:
            raise self._too_large()
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._longest_body:
            raise self._too_large()
        return message

    def _too_large(self) -> TooLarge:
        return TooLarge(f"at most {self._longest_body} bytes are accepted", limit=self._longest_body)

    async def send(self, message: Message) -> None:
        """Sends a message of the answer. Each one extends the time limit: a download may take long while it goes on."""
        await self._pass_on(message)
        if not self._time_limit.expired():
            self._time_limit.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.phase = Phase.ANSWERING
            self._release_slot()
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._context.correlation_id.encode())]
        await self._send(message)

    def _record(self) -> None:
        route = self._scope.get("path_template", "none")
        seconds = chance.monotonic() - self._started
        method = self._scope["method"] if self._scope["method"] in _METHODS else "OTHER"
        metrics.HTTP_SECONDS.labels(self._edge.service, method, route, str(self.status)).observe(seconds)
        if route not in OPERATIONAL_PATHS:
            log.info("request", method=method, route=route, status=self.status, ms=round(seconds * 1000, 1))


def _is_form(headers: Mapping[str, str]) -> bool:
    """Whether the body is JSON, a form, or absent, and so not a file."""
    return headers.get("content-type", "application/json").startswith(_FORM_TYPES)


def _declared_length(headers: Mapping[str, str]) -> int:
    try:
        return int(headers.get("content-length", 0))
    except ValueError:
        return 0


def _uuid(given: str | None) -> str | None:
    hexadecimal = (given or "").replace("-", "").lower()
    if len(hexadecimal) != 32 or any(c not in "0123456789abcdef" for c in hexadecimal):
        return None
    return "-".join((hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:]))
