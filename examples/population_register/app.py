"""The composition root: the clerk beside `/livez` and `/readyz`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from . import register
from .clerk import Clerk
from .gateway import Gateway
from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    gateway = Gateway(settings)
    clerk = Clerk(settings, register.load(settings.people), gateway)
    working: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def _life(_: FastAPI) -> AsyncIterator[None]:
        nonlocal working
        working = asyncio.create_task(clerk.work())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await gateway.close()

    app = FastAPI(title="Simulated population register", docs_url=None, redoc_url=None, lifespan=_life)

    async def _livez() -> JSONResponse:
        alive = working is not None and not working.done()
        return JSONResponse({"status": "ok" if alive else "ended"}, 200 if alive else 503)

    async def _readyz() -> JSONResponse:
        return JSONResponse({"status": "ok" if clerk.ready else "not ready"}, 200 if clerk.ready else 503)

    app.add_api_route("/livez", _livez, include_in_schema=False)
    app.add_api_route("/readyz", _readyz, include_in_schema=False)
    return app
