"""Routes that admit their caller before anything else of the request is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request

from chassis.errors import ConfigurationError, Failure
from chassis.http.access import Access


def access_of(dependant: Dependant) -> Access | None:
    """The access that a route names among its dependencies; None if it names none."""
    for each in dependant.dependencies:
        if isinstance(each.call, Access):
            return each.call
        nested = access_of(each)
        if nested:
            return nested
    return None


class Route(APIRoute):
    """A route that admits the caller before FastAPI parses anything."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, called after the caller was admitted.

        Raises:
            ConfigurationError: the route names no access.
        """
        inner = super().get_route_handler()
        access = access_of(self.dependant)
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
                if isinstance(error.__cause__, Failure):  # FastAPI turns every error while it reads the body into a 400
                    raise error.__cause__ from None
                raise

        return _handle


class Router(APIRouter):
    """A router whose routes must all name their access."""

    def __init__(self, prefix: str, *, tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, route_class=Route, tags=list(tags or ()))
