"""Problem details (RFC 9457) in the derived description's `SystemResponse` shape.

The functional codes are the derived description's. Which HTTP status goes with which code was not seen in the published
documentation: those here are this example's choice.
"""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


class Problem(Exception):
    """Anything that is answered with a problem. Each kind names its HTTP status and functional code."""

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "UNSPECIFIED"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def headers(self) -> dict[str, str]:
        return {}


class NotValid(Problem):
    status = HTTPStatus.BAD_REQUEST
    code = "VALIDATION_ERROR"


class TooLarge(Problem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "VALIDATION_ERROR"


class SumsDiffer(Problem):
    status = HTTPStatus.BAD_REQUEST
    code = "CALCULATION_ERROR"


class NoSuchEndpoint(Problem):
    status = HTTPStatus.BAD_REQUEST
    code = "NO_VALID_ORIGINATOR_OR_ENDPOINT"


class PaymentExists(Problem):
    status = HTTPStatus.CONFLICT
    code = "PAYMENT_EXISTS"


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class Down(Problem):
    status = HTTPStatus.SERVICE_UNAVAILABLE


class NotAllowed(Problem):
    status = HTTPStatus.UNAUTHORIZED
    code = "FORBIDDEN"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


def system_response(status: HTTPStatus, code: str, detail: str) -> dict[str, Any]:
    return {
        "functionalCode": code,
        "type": "about:blank",
        "status": status.value,
        "title": status.phrase,
        "detail": detail[:2000],
    }


def problem_response(problem: Problem) -> JSONResponse:
    return JSONResponse(
        system_response(problem.status, problem.code, problem.detail),
        problem.status,
        problem.headers(),
        "application/problem+json",
    )


async def on_problem(_: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, Problem):
        raise problem
    return problem_response(problem)


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: an unknown path, or a method that is not served."""
    status = HTTPStatus(getattr(error, "status_code", HTTPStatus.BAD_REQUEST))
    return JSONResponse(
        system_response(status, "UNSPECIFIED", status.phrase),
        status,
        getattr(error, "headers", None),
        "application/problem+json",
    )


async def on_wrong_shape(_: Request, error: Exception) -> JSONResponse:
    """Parameters or a body that the framework refuses; names the places, and never quotes what was sent."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    places = (f"{'/'.join(map(str, fault['loc']))}: {fault['type']}" for fault in faults)
    return problem_response(NotValid("; ".join(places) or "The request has a wrong shape."))


async def on_defect(_: Request, __: Exception) -> JSONResponse:
    return problem_response(Problem("The provider has failed; nothing is promised about the request."))
