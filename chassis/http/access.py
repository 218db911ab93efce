"""Who may call a route, and how its request is told apart from its repetition. Every route has one `Access`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request

from chassis import aggregates, chance
from chassis.auth import ANONYMOUS, Principal, Verifier
from chassis.errors import (
    BadRequest,
    ConfigurationError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    PreconditionRequired,
    UnsupportedMediaType,
)
from contracts.values import TrustLevel

_KEY = re.compile(r"^[\x21-\x7e]{8,128}$")
_ETAG = re.compile(r'^"(\d{1,18})"$')


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and the request as the store needs it."""

    principal: Principal
    change: aggregates.Request


class Access:
    """Who may: persons from a trust level on, staff with one of some roles, machine clients with one of some scopes.

    The town in the path must be the caller's. Roles: `clerk`, `admin`. Scopes: `internal` (our own services),
    `operator` (the installation), `cases:read`, `cases:decide` (clerk systems), and what a service's README adds.
    """

    def __init__(
        self,
        *,
        persons: TrustLevel | None = None,
        staff: Iterable[str] = (),
        scopes: Iterable[str] = (),
        public: bool = False,
        if_match: bool = False,
        idempotency_key: bool = True,
        media_types: Iterable[str] = ("application/json",),
        own_credentials: bool = False,
    ) -> None:
        if own_credentials and not public:
            raise ConfigurationError("a route that reads its own credentials is public to the chassis: say so")
        self.persons = persons
        self.staff = frozenset(staff)
        self.scopes = frozenset(scopes)
        self.public = public
        self.if_match = if_match
        """If-Match is needed: two may edit."""
        self.idempotency_key = idempotency_key
        """Whether a POST needs an Idempotency-Key; without only where nothing is changed (a token request)."""
        self.media_types = frozenset(media_types)
        """Accepted types of a body."""
        self.own_credentials = own_credentials
        """The endpoint reads the Authorization header itself (a token request with HTTP Basic)."""

    async def __call__(self, request: Request) -> Caller:
        """What `admit` found: for endpoints, as a dependency."""
        caller: Caller = request.state.caller
        return caller

    async def admit(self, request: Request, verifier: Verifier) -> None:
        """Checks token, town and headers, before anything of the body is parsed.

        Raises:
            Failure: 400, 401, 403, 404, 415 or 428.
        """
        principal = await self._principal(request, verifier)
        await self._check_body(request)
        request.state.caller = Caller(principal, await self._change(request, principal))

    async def _principal(self, request: Request, verifier: Verifier) -> Principal:
        if self.own_credentials:
            return ANONYMOUS
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            if self.public:
                return ANONYMOUS
            raise NotAuthenticated
        if scheme.lower() != "bearer":
            raise NotAuthenticated("only bearer tokens are accepted")
        principal = await verifier.verify(token)
        if self.public:
            return principal
        tenant = request.path_params.get("tenant")
        if tenant is not None and not principal.belongs_to(tenant):
            raise NotFound("nothing of yours in this town")
        if not self._allows(principal):
            raise Forbidden(self._needed(principal))
        return principal

    def _allows(self, principal: Principal) -> bool:
        match principal.kind:
            case "person":
                return self.persons is not None and principal.trust_level.reaches(self.persons)
            case "staff":
                return bool(self.staff & principal.roles)
            case "client":
                return bool(self.scopes & principal.scopes)
            case _:
                return False

    def _needed(self, principal: Principal) -> str:
        """What would let such a caller in."""
        match principal.kind:
            case "person" if self.persons is not None:
                return f"a sign-in at trust level {self.persons} or higher is needed"
            case "staff" if self.staff:
                return f"one of these roles is needed: {', '.join(sorted(self.staff))}"
            case "client" if self.scopes:
                return f"one of these scopes is needed: {', '.join(sorted(self.scopes))}"
            case _:
                return f"this isn't open to a {principal.kind}"

    async def _check_body(self, request: Request) -> None:
        if request.method not in {"POST", "PUT", "PATCH"} or request.headers.get("content-length") == "0":
            return
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not given and "content-length" not in request.headers and "transfer-encoding" not in request.headers:
            return
        if given not in self.media_types:
            raise UnsupportedMediaType(f"send one of: {', '.join(sorted(self.media_types))}")

    async def _change(self, request: Request, principal: Principal) -> aggregates.Request:
        path = request.url.path
        route = f"{request.method} {path}"  # the path itself, so that one key may serve in two towns
        expected = self._expected(request)
        key = request.headers.get("idempotency-key", "").strip('"')
        if not self._keyed(request.method, key):
            return aggregates.Request(principal.subject, route, chance.new_id(), "", expected)
        if not _KEY.match(key):
            raise BadRequest(
                "an Idempotency-Key has 8 to 128 printable characters, best a random UUID; a POST needs one"
            )
        body = hashlib.sha256(path.encode() + b"\n" + request.url.query.encode() + b"\n" + await request.body())
        return aggregates.Request(principal.subject, route, key, body.hexdigest(), expected)

    def _keyed(self, method: str, key: str) -> bool:
        """Whether the request is told apart by its key: each POST; others that send one, if their body isn't a file.

        With it, a PUT whose answer was lost is answered as before when it is sent again, rather than 412.
        """
        if method == "POST":
            return self.idempotency_key
        return bool(key) and self.media_types <= {"application/json"}

    def _expected(self, request: Request) -> int | None:
        given = request.headers.get("if-match")
        if given is None:
            if self.if_match:
                raise PreconditionRequired("name the version that you read: If-Match: <its ETag>")
            return None
        found = _ETAG.match(given)
        if not found:
            raise BadRequest('If-Match must be an ETag of ours, such as "3"')
        return int(found[1])
