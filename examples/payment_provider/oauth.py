"""OAuth 2.0 client credentials (RFC 6749, section 4.4). Errors have that RFC's shape, not a problem's.

A token is its expiry and a keyed hash of it, so that it outlives a restart without being stored.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import unquote_plus

from fastapi import APIRouter, Depends, Form, Header
from fastapi.responses import JSONResponse

from .problems import NotAllowed
from .provider import Desk, Provider

LIFETIME: Final = timedelta(minutes=10)
NO_STORE: Final = {"Cache-Control": "no-store"}

router = APIRouter()


@router.post("/oauth/token")
async def token(
    desk: Desk,
    grant_type: Annotated[str, Form()] = "",
    client_id: Annotated[str, Form()] = "",
    client_secret: Annotated[str, Form()] = "",
    authorization: Annotated[str, Header()] = "",
) -> JSONResponse:
    if grant_type != "client_credentials":
        return JSONResponse({"error": "unsupported_grant_type"}, 400, NO_STORE)
    given = _basic(authorization) if authorization else (client_id, client_secret)
    if not _same(given, (desk.settings.client_id, desk.settings.client_secret)):
        return JSONResponse({"error": "invalid_client"}, 401, NO_STORE | {"WWW-Authenticate": "Basic"})
    expires = int((desk.now() + LIFETIME).timestamp())
    body = {
        "access_token": _signed(desk, expires),
        "token_type": "Bearer",
        "expires_in": int(LIFETIME.total_seconds()),
    }
    return JSONResponse(body, 200, NO_STORE)


async def _require_token(desk: Desk, authorization: Annotated[str, Header()] = "") -> None:
    scheme, _, given = authorization.partition(" ")
    expires, _, _ = given.partition(".")
    if scheme.lower() != "bearer" or not (expires.isascii() and expires.isdigit()) or len(expires) > 12:
        raise NotAllowed("A bearer token is needed.")
    if not _same((given,), (_signed(desk, int(expires)),)) or int(expires) <= desk.now().timestamp():
        raise NotAllowed("The token is not valid, or no longer.")


require_token = Depends(_require_token)


def _signed(desk: Provider, expires: int) -> str:
    key = desk.settings.client_secret.encode()
    message = f"access token of {desk.settings.client_id} until {expires}".encode()
    return f"{expires}.{hmac.new(key, message, hashlib.sha256).hexdigest()}"


def _same(given: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return hmac.compare_digest("\0".join(given).encode(), "\0".join(wanted).encode())


def _basic(authorization: str) -> tuple[str, str]:
    """RFC 6749, section 2.3.1: both halves are form-encoded before they are joined."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    if scheme.lower() != "basic":
        return "", ""
    name, _, secret = decoded.partition(":")
    return unquote_plus(name), unquote_plus(secret)
