"""A lost answer, for real: the connection is cut before a byte of the answer is sent."""

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

EXTENSION = "payment_provider.cut"


class ConnectionCut(Exception):
    """Raised where no server offers a connection to cut, as in tests that call the application directly."""


class LostAnswer(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        cut = scope.get("extensions", {}).get(EXTENSION)
        if cut is None:
            raise ConnectionCut
        cut()
        while (await receive())["type"] != "http.disconnect":
            pass


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which also lets the application cut the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        served = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[EXTENSION] = self.transport.abort
            await served(scope, receive, send)

        self.app = app
