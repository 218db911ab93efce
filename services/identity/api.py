"""HTTP in: tokens and keys for machines, sign-in and accounts for people, staff and clients for administrators."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from chassis.aggregates import Answer
from chassis.http import Access, Caller, Router, respond
from contracts.values import TrustLevel
from services.identity import pages
from services.identity.domain.staff import Appoint, Role
from services.identity.handlers import (
    AdmitClient,
    ClientCredentials,
    Handlers,
    OAuthError,
    account_shown,
)
from services.identity.settings import Settings
from services.identity.tokens import Keyring

FORM = "application/x-www-form-urlencoded"
JWKS_SECONDS = 300
_SECRETIVE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Town = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,38}$", description="the town's slug", examples=["witten"])]
Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$", examples=["sachbearbeitung-witten"])]
Public = Annotated[Caller, Depends(Access(public=True))]


class TokenAnswer(BaseModel):
    """An access token (RFC 6749 § 5.1)."""

    access_token: str = Field(description="a signed JWT", examples=["eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiJ9.e30.c2ln"])
    token_type: str = Field("Bearer", examples=["Bearer"])
    expires_in: int = Field(description="seconds", examples=[900])
    scope: str = Field(description="separated by blanks", examples=["cases:read cases:decide"])


class DemoSignIn(BaseModel):
    """As whom to sign in."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(
        description="an invented person, or a member of the town's staff",
        pattern=r"^[a-z0-9][a-z0-9-]{1,62}$",
        examples=["erika-beispiel", "sachbearbeitung-witten"],
    )


class AccountAnswer(BaseModel):
    """A person's account."""

    account_id: str = Field(examples=["0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"])
    given_name: str = Field(examples=["Erika"])
    family_name: str = Field(examples=["Beispiel"])
    street: str = Field(examples=["Musterstraße"])
    house_number: str = Field(examples=["1"])
    postal_code: str = Field(examples=["58452"])
    city: str = Field(examples=["Witten"])
    email: str = Field(examples=["erika.beispiel@example.org"])
    trust_level: TrustLevel = Field(description="at which these data were established", examples=["substantial"])


class StaffRequest(BaseModel):
    """What is to hold for a member of staff."""

    model_config = ConfigDict(extra="forbid")

    roles: frozenset[Role] = Field(examples=[["clerk"]])
    active: bool = Field(True, description="false: may not sign in", examples=[True])


class StaffAnswer(BaseModel):
    """A member of staff."""

    staff_id: str = Field(examples=["sachbearbeitung-witten"])
    roles: list[Role] = Field(examples=[["clerk"]])
    active: bool = Field(examples=[True])


class ClientRequest(BaseModel):
    """What is to hold for a machine client."""

    model_config = ConfigDict(extra="forbid")

    scopes: frozenset[str] = Field(description="`cases:read`, `cases:decide`", examples=[["cases:read"]])
    secret: SecretStr | None = Field(
        None,
        min_length=24,
        max_length=256,
        description="needed for a new client, best 32 random bytes; absent: the secret stays",
        examples=["3v0KXyF2cB6mM1tq8bV4nW7rZ9sL5hD2gJ0pQxTuYcE"],
    )
    active: bool = Field(True, description="false: gets no tokens", examples=[True])


class ClientAnswer(BaseModel):
    """A machine client; its secret is never shown."""

    client_id: str = Field(examples=["meldewesen-witten"])
    scopes: list[str] = Field(examples=[["cases:read"]])
    active: bool = Field(examples=[True])


def routers(handlers: Handlers, keyring: Keyring, settings: Settings) -> tuple[Router, ...]:
    """The routes of identity."""
    return _machines(handlers), _published(keyring, settings), _people(handlers), _demo(handlers, settings)


# Machines


def _machines(handlers: Handlers) -> Router:
    router = Router("/identity/v1", tags=["machine clients"])

    @router.post("/token", response_model=TokenAnswer, summary="A token for a machine client (RFC 6749 § 4.4)")
    async def _token(
        request: Request,
        caller: Annotated[  # noqa: ARG001
            Caller,
            Depends(Access(public=True, own_credentials=True, idempotency_key=False, media_types=(FORM,))),
        ],
        grant_type: Annotated[str, Form(examples=["client_credentials"])] = "",
        client_id: Annotated[str, Form(description="or by HTTP Basic", examples=["population-register"])] = "",
        client_secret: Annotated[str, Form(description="or by HTTP Basic")] = "",
        scope: Annotated[str | None, Form(description="absent: all that the client has")] = None,
    ) -> Response:
        basic = request.headers.get("authorization")
        try:
            posted = ClientCredentials(client_id, client_secret, scope)
            asked = _credentials(grant_type, posted, basic)
            return JSONResponse((await handlers.give_token(asked)).body(), headers=_SECRETIVE)
        except OAuthError as error:
            challenge = {"WWW-Authenticate": 'Basic realm="rathaus"'} if error.status == 401 else {}
            body = {"error": error.code, "error_description": error.description}
            return JSONResponse(body, error.status, headers=_SECRETIVE | challenge)

    @router.put(
        "/{tenant}/clients/{client_id}",
        response_model=ClientAnswer,
        summary="Lets a machine client in, changes its scopes or secret, or locks it out",
    )
    async def _admit(
        tenant: Town,
        client_id: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$", description="unique in the installation")],
        body: ClientRequest,
        caller: Annotated[Caller, Depends(Access(staff=["admin"], scopes=["operator"]))],
    ) -> Response:
        secret = body.secret.get_secret_value() if body.secret else None
        wanted = AdmitClient(client_id, body.scopes, secret, body.active)
        return respond(await handlers.admit_client(tenant, wanted, caller.change))

    return router


def _credentials(grant_type: str, posted: ClientCredentials, authorization: str | None) -> ClientCredentials:
    """Who asks, by the form or by HTTP Basic, not by both (RFC 6749 § 2.3).

    Raises:
        OAuthError: `invalid_request`, `unsupported_grant_type` or `invalid_client`.
    """
    if not grant_type:
        raise OAuthError("invalid_request", "grant_type is missing")
    if grant_type != "client_credentials":
        raise OAuthError("unsupported_grant_type", "only client_credentials")
    if authorization is None:
        return posted
    if posted.client_secret:
        raise OAuthError("invalid_request", "authenticate by the form or by HTTP Basic, not by both")
    client_id, secret = _basic(authorization)
    if posted.client_id not in {"", client_id}:
        raise OAuthError("invalid_request", "two client ids")
    return ClientCredentials(client_id, secret, posted.scope)


def _basic(authorization: str) -> tuple[str, str]:
    """Id and secret are form-encoded before base64 (RFC 6749 § 2.3.1)."""
    refused = OAuthError("invalid_client", "the Authorization header isn't HTTP Basic", 401)
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise refused
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise refused from None
    return unquote_plus(client_id), unquote_plus(secret)


# What is published


def _published(keyring: Keyring, settings: Settings) -> Router:
    router = Router("/identity", tags=["tokens"])
    cached = {"Cache-Control": f"public, max-age={JWKS_SECONDS}"}

    @router.get("/v1/jwks", summary="The public keys that tokens are signed with (RFC 7517)")
    async def _jwks(caller: Public) -> Response:  # noqa: ARG001
        return JSONResponse(keyring.published().as_dict(private=False), headers=cached)

    @router.get("/.well-known/openid-configuration", summary="Where things are (OpenID Connect Discovery 1.0)")
    async def _configuration(caller: Public) -> Response:  # noqa: ARG001
        return JSONResponse(discovery(settings), headers=cached)

    return router


def discovery(settings: Settings) -> dict[str, Any]:
    """What an OAuth client needs to know. There is no authorization endpoint yet, and none is claimed."""
    issuer = settings.issuer
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/v1/token",
        "jwks_uri": f"{issuer}/v1/jwks",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "acr_values_supported": [level.value for level in TrustLevel],
        "claims_supported": ["iss", "aud", "sub", "kind", "tenant", "acr", "roles", "scope", "iat", "exp", "jti"],
    }


# People


def _people(handlers: Handlers) -> Router:
    router = Router("/identity/v1/{tenant}", tags=["people"])

    @router.post("/demo-sign-in", response_model=TokenAnswer, summary="Signs in as an invented person (demo only)")
    async def _sign_in(tenant: Town, body: DemoSignIn, caller: Public) -> Response:
        token = await handlers.sign_in_as_demo(tenant, body.person, caller.change)
        return JSONResponse(token.body(), headers=_SECRETIVE)

    @router.get("/accounts/me", response_model=AccountAnswer, summary="One's own account")
    async def _me(tenant: Town, caller: Annotated[Caller, Depends(Access(persons=TrustLevel.NONE))]) -> Response:
        return await _account(tenant, caller.principal.subject)

    @router.get("/accounts/{account_id}", response_model=AccountAnswer, summary="An account, for our own services")
    async def _one(
        tenant: Town,
        account_id: str,
        caller: Annotated[Caller, Depends(Access(scopes=["internal"]))],  # noqa: ARG001
    ) -> Response:
        return await _account(tenant, account_id)

    async def _account(tenant: str, account_id: str) -> Response:
        found = await handlers.account(tenant, account_id)
        answer = respond(Answer(200, account_shown(found.state), found.etag))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @router.put("/staff/{staff_id}", response_model=StaffAnswer, summary="Sets the roles of a member of staff")
    async def _appoint(
        tenant: Town,
        staff_id: Slug,
        body: StaffRequest,
        caller: Annotated[Caller, Depends(Access(staff=["admin"], scopes=["operator"]))],
    ) -> Response:
        command = Appoint(staff_id, body.roles, body.active)
        return respond(await handlers.appoint_staff(tenant, command, caller.change))

    return router


# The demonstration's page


def _demo(handlers: Handlers, settings: Settings) -> Router:
    router = Router("/identity", tags=["demo"])

    @router.get("/demo", response_class=HTMLResponse, summary="The invented people, as a page")
    async def _page(
        caller: Public,  # noqa: ARG001
        town: Annotated[
            str | None, Query(pattern=r"^[a-z][a-z0-9-]{1,38}$", description="another town than the sample ones")
        ] = None,
    ) -> Response:
        handlers.require_demo()
        return pages.people(handlers.invented, town)

    @router.post("/demo", response_class=HTMLResponse, summary="Signs in from the page and shows the token")
    async def _signed_in(
        caller: Annotated[Caller, Depends(Access(public=True, idempotency_key=False, media_types=(FORM,)))],
        tenant: Annotated[str, Form(pattern=r"^[a-z][a-z0-9-]{1,38}$", examples=["witten"])],
        person: Annotated[str, Form(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$", examples=["erika-beispiel"])],
    ) -> Response:
        token = await handlers.sign_in_as_demo(tenant, person, caller.change)
        is_person = handlers.invented.person(person) is not None
        return pages.signed_in(settings.issuer, tenant, person, token, is_person=is_person)

    return router
