"""The composition root: what the provider is made of."""

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from . import api, oauth, pages, switches
from .problems import Problem, on_defect, on_http_error, on_problem, on_wrong_shape
from .provider import Desk, Provider


def create_app(provider: Provider) -> FastAPI:
    app = FastAPI(
        title="Simulated payment provider",
        description="XBezahldienste as derived from its published documentation: unverified, no conformance claimed.",
        version="1.0.0-derived",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.provider = provider
    for room in (oauth, api, switches, pages):
        app.include_router(room.router)
    app.add_api_route("/livez", livez, include_in_schema=False)
    app.add_api_route("/readyz", readyz, include_in_schema=False)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_wrong_shape)
    app.add_exception_handler(Exception, on_defect)
    return app


async def livez() -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def readyz(desk: Desk) -> JSONResponse:
    ready = await run_in_threadpool(desk.store.is_ready)
    return JSONResponse({"status": "ok" if ready else "not ready"}, 200 if ready else 503)
