"""Answers: problem documents (RFC 9457) for whatever goes wrong, and those that an aggregate remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from chassis import context
from chassis.aggregates import Answer
from chassis.errors import Failure
from chassis.logging import get_logger
from kernel.json_pointer import pointer

PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = "2"

log = get_logger(__name__)


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["https://rathaus.example/problems/not_found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str | None = Field(None, examples=["no such case"])
    instance: str | None = Field(None, description="the request id: name it when you ask for help")


def problem(status: int, code: str, title: str, detail: str = "", extra: dict[str, Any] | None = None) -> Response:
    """A problem document as a response."""
    body = {
        "type": f"https://rathaus.example/problems/{code}",
        "title": title,
        "status": status,
        **({"detail": detail} if detail else {}),
        "instance": f"urn:uuid:{context.current().correlation_id}",
        **(extra or {}),
    }
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="rathaus"'
    if status == 503:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    return JSONResponse(body, status, headers=headers, media_type=PROBLEM)


def of_failure(error: Failure) -> Response:
    """An expected refusal."""
    return problem(error.status, error.code, error.title, error.detail, error.extra)


def of_validation(error: RequestValidationError) -> Response:
    """What is wrong in the request, by JSON pointer; never what was in it."""
    findings = [
        {"pointer": _pointer(each["type"], each["loc"]), "code": each["type"], "message": each["msg"]}
        for each in error.errors()
    ]
    return problem(422, "invalid", "The content isn't valid", extra={"errors": findings})


def _pointer(kind: str, place: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901); of text that isn't JSON, the whole body."""
    parts = place[:1] if kind == "json_invalid" else place
    return pointer(*parts)


_HTTP_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 406: "not_acceptable"}


def of_http(error: HTTPException) -> Response:
    """The framework's own: no such route, method not allowed."""
    answer = problem(error.status_code, _HTTP_CODES.get(error.status_code, "http"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def on_error(request: Request, error: Exception) -> Response:
    """Turns any exception into a problem document; unexpected ones are logged and not shown."""
    match error:
        case Failure():
            return of_failure(error)
        case RequestValidationError():
            return of_validation(error)
        case HTTPException():
            return of_http(error)
    log.error("unexpected error", route=request.scope.get("path_template"), exc_info=error)
    return problem(500, "internal", "Something went wrong on our side")


def respond(answer: Answer) -> Response:
    """An aggregate's answer as a response."""
    headers = {
        name: value for name, value in (("ETag", answer.etag), ("Location", answer.location)) if value is not None
    }
    if answer.status == 204:
        return Response(status_code=204, headers=headers)
    return JSONResponse(answer.body, answer.status, headers=headers)
