"""An issuer in the test's own process: tokens as identity signs them, and a verifier that knows its key.

issuer = Issuer()
service.verifier = issuer.verifier()  # before `service.app` is touched
headers = issuer.headers(kind="staff", sub="clerk-1", tenant="witten", roles=["clerk"])
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from chassis.auth import Verifier

ISSUER = "http://127.0.0.1:8080/identity"
AUDIENCE = "rathaus"


class _KnownKeys(Verifier):
    """The real verifier; only the fetching is replaced."""

    def __init__(self, issuer: str, audience: str, keys: KeySet) -> None:
        super().__init__(issuer, audience, jwks_url="")
        self._known = keys

    async def _fetch(self) -> KeySet:
        return self._known


class Issuer:
    """Signs access tokens with a key of its own."""

    def __init__(self, issuer: str = ISSUER, audience: str = AUDIENCE) -> None:
        self.issuer = issuer
        self.audience = audience
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)

    def token(
        self,
        *,
        kind: Literal["person", "staff", "client"] = "person",
        sub: str = "00000000-0000-5000-8000-000000000001",
        tenant: str = "witten",
        acr: str = "none",
        roles: Iterable[str] = (),
        scope: str = "",
        lifetime: int = 900,
        **claims: object,
    ) -> str:
        """A signed token. `lifetime` in seconds (negative: expired); `claims` are added or replace the others."""
        now = int(time.time())
        content: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": sub,
            "kind": kind,
            "tenant": tenant,
            "acr": acr,
            "roles": list(roles),
            "scope": scope,
            "iat": now,
            "exp": now + lifetime,
            "jti": str(uuid4()),
            **claims,
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, content, self._key)

    def headers(
        self,
        *,
        kind: Literal["person", "staff", "client"] = "person",
        sub: str = "00000000-0000-5000-8000-000000000001",
        tenant: str = "witten",
        acr: str = "none",
        roles: Iterable[str] = (),
        scope: str = "",
    ) -> dict[str, str]:
        """The Authorization header for such a token."""
        token = self.token(kind=kind, sub=sub, tenant=tenant, acr=acr, roles=roles, scope=scope)
        return {"Authorization": f"Bearer {token}"}

    def jwks(self) -> dict[str, object]:
        """The published keys, as identity's JWKS shows them."""
        return {"keys": [self._key.as_dict(private=False)]}

    def verifier(self) -> Verifier:
        """A verifier that accepts this issuer's tokens."""
        return _KnownKeys(self.issuer, self.audience, KeySet([self._key]))
