"""Who calls: access tokens verified against the issuer's published keys (RFC 7519, RFC 7517; `acr` = trust level)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis import chance
from chassis.errors import NotAuthenticated, PeerAway
from contracts.values import TrustLevel

ALGORITHMS = ["ES256"]
LEEWAY_SECONDS = 30
ALL_TOWNS = "*"
"""Tenant of a machine client of the installation itself."""

_REFRESH_SECONDS = 5.0
_KEYS_LIVE_SECONDS = 3600.0
_INVALID = (JoseError, ValueError, KeyError, TypeError, AttributeError)
"""Whatever a strange token makes of decoding and reading it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as their token says."""

    subject: str
    """Account id, staff id or client id."""
    kind: Literal["anonymous", "person", "staff", "client"]
    tenant: str = ""
    trust_level: TrustLevel = TrustLevel.NONE
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    def belongs_to(self, tenant: str) -> bool:
        """Whether they may act in that town at all."""
        return self.tenant in {tenant, ALL_TOWNS}


ANONYMOUS = Principal("anonymous", "anonymous")


class Verifier:
    """Checks tokens; fetches the issuer's keys when it needs them and keeps them for an hour."""

    def __init__(self, issuer: str, audience: str, jwks_url: str) -> None:
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        self._jwks_url = jwks_url
        self._keys: KeySet | None = None
        self._fetched = -_KEYS_LIVE_SECONDS
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises:
            NotAuthenticated: malformed, expired, or not signed by the issuer for us.
            PeerAway: the issuer's keys can't be fetched.
        """
        keys = await self._fresh_keys(_KEYS_LIVE_SECONDS)
        try:
            return self._principal(token, keys)
        except _INVALID:
            # Perhaps the issuer has a new key: look again, though not at every bad token.
            newer = await self._fresh_keys(_REFRESH_SECONDS)
        try:
            return self._principal(token, newer)
        except _INVALID:
            raise NotAuthenticated("the token isn't valid") from None

    def _principal(self, token: str, keys: KeySet) -> Principal:
        claims: dict[str, Any] = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        self._claims.validate(claims)
        if claims["kind"] not in {"person", "staff", "client"}:
            raise ValueError("kind")
        return Principal(
            subject=str(claims["sub"]),
            kind=claims["kind"],
            tenant=str(claims["tenant"]),
            trust_level=TrustLevel(claims.get("acr", "none")),
            roles=frozenset(claims.get("roles", ())),
            scopes=frozenset(str(claims.get("scope", "")).split()),
        )

    async def _fresh_keys(self, max_age: float) -> KeySet:
        async with self._lock:
            if self._keys is None or chance.monotonic() - self._fetched > max_age:
                self._keys = await self._fetch()
                self._fetched = chance.monotonic()
            return self._keys

    async def _fetch(self) -> KeySet:
        try:
            async with httpx.AsyncClient(timeout=1.5) as client:
                answer = await client.get(self._jwks_url)
                answer.raise_for_status()
                return KeySet.import_key_set(answer.json())
        except (httpx.HTTPError, JoseError, ValueError) as error:
            if self._keys is not None:
                return self._keys
            raise PeerAway("the issuer's keys can't be fetched") from error
