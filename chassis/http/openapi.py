"""OpenAPI 3.1 of a service: FastAPI's document with the headers, tokens and errors that the chassis adds."""

from __future__ import annotations

import functools
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from chassis.http.access import Access
from chassis.http.problems import PROBLEM, Problem
from chassis.http.routing import Router, access_of

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


def describe(app: FastAPI, service: str, routers: list[Router]) -> None:
    """Makes `app.openapi` return the complete document."""
    accesses = {
        (route.path_format, method.lower()): access
        for router in routers  # the application keeps them nested: its own `routes` doesn't list theirs
        for route in router.routes
        if isinstance(route, APIRoute) and (access := access_of(route.dependant))
        for method in route.methods or ()
    }
    app.openapi = functools.partial(_document, app, service, accesses)  # type: ignore[method-assign]


def _document(app: FastAPI, service: str, accesses: dict[tuple[str, str], Access]) -> dict[str, Any]:
    """The document, made once; `accesses` by path and method."""
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
    for (path, method), access in accesses.items():
        _complete(document["paths"].get(path, {}).get(method), access, method.upper())
    app.openapi_schema = document
    return document


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
