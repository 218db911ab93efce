"""Access tokens (RFC 7519) and the keys that sign them (RFC 7517, ES256).

Tokens tell the machine's time, not the clock that a demo moves: gateway and services check them by theirs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from pydantic import SecretStr

from chassis.auth import Verifier
from chassis.errors import ConfigurationError, EngineAway
from chassis.logging import get_logger
from contracts.values import TrustLevel
from services.identity import sealing
from services.identity.settings import Settings
from services.identity.store import KeyStore

PUBLISHED_KEYS = 2
"""The current and the previous: a token outlives the change of keys."""
SHORTEST_KEY_SECRET = 16

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """For whom a token speaks, and what it allows."""

    subject: str
    kind: Literal["person", "staff", "client"]
    tenant: str
    trust_level: TrustLevel = TrustLevel.NONE
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token as OAuth 2 answers it (RFC 6749 § 5.1). Not shown by `repr`."""

    access_token: str
    expires_in: int
    """Seconds."""
    scope: str

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scope,
        }


class Keyring:
    """The signing keys, oldest first; the last one signs."""

    def __init__(self, store: KeyStore, secret: SecretStr) -> None:
        self._store = store
        self._secret = secret.get_secret_value()
        self._keys: list[ECKey] = []
        if self._secret and len(self._secret) < SHORTEST_KEY_SECRET:
            raise ConfigurationError(f"RATHAUS_KEY_SECRET needs at least {SHORTEST_KEY_SECRET} characters")

    async def open(self) -> None:
        """Reads the keys, making them at the very first start; instances that start at once get the same.

        Raises:
            ConfigurationError: the keys were encrypted with another secret.
        """
        if not self._secret:
            log.warning("signing keys are stored unencrypted: set RATHAUS_KEY_SECRET")
        found = await self._store.load()
        if found is None:
            await self._store.create(await asyncio.to_thread(self._content, [_new_key()]))
            found = await self._store.load()
        if found is None:
            raise EngineAway("the signing keys were stored but can't be read")
        self._keys = await asyncio.to_thread(self._read, found)
        if self._secret and any("jwk" in entry for entry in found["keys"]):
            await self._store.replace(found["revision"], await asyncio.to_thread(self._content, self._keys))
            log.info("signing keys are stored encrypted from now on")

    @property
    def current(self) -> ECKey:
        """The key that signs.

        Raises:
            EngineAway: the keys weren't read yet.
        """
        if not self._keys:
            raise EngineAway("the signing keys can't be read yet")
        return self._keys[-1]

    def published(self) -> KeySet:
        """The keys that tokens may be signed with, the newest first. Raises as `current`."""
        newest = self.current
        return KeySet([newest, *reversed(self._keys[-PUBLISHED_KEYS:-1])])

    def _content(self, keys: list[ECKey]) -> dict[str, Any]:
        if not self._secret:
            return {"keys": [{"kid": key.kid, "jwk": key.as_dict(private=True)} for key in keys]}
        salt = sealing.new_salt()
        cipher = sealing.cipher_key(self._secret, salt)
        entries = [{"kid": key.kid, "jwe": sealing.sealed(dict(key.as_dict(private=True)), cipher)} for key in keys]
        return {"salt": salt, "keys": entries}

    def _read(self, found: dict[str, Any]) -> list[ECKey]:
        if all("jwk" in entry for entry in found["keys"]):
            return [ECKey.import_key(entry["jwk"]) for entry in found["keys"]]
        if not self._secret:
            raise ConfigurationError("the signing keys are encrypted: set RATHAUS_KEY_SECRET")
        cipher = sealing.cipher_key(self._secret, found["salt"])
        try:
            return [ECKey.import_key(sealing.opened(entry["jwe"], cipher)) for entry in found["keys"]]
        except ValueError:
            raise ConfigurationError("RATHAUS_KEY_SECRET isn't the one that encrypted the signing keys") from None


class Tokens:
    """Gives tokens out."""

    def __init__(self, settings: Settings, keyring: Keyring, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._keyring = keyring
        self._now = now

    def issue(self, grant: Grant) -> Token:
        """A signed token. Raises EngineAway before the keys were read."""
        key = self._keyring.current
        now = int(self._now())
        scope = " ".join(grant.scopes)
        claims = {
            "iss": self._settings.issuer,
            "aud": self._settings.audience,
            "sub": grant.subject,
            "kind": grant.kind,
            "tenant": grant.tenant,
            "acr": grant.trust_level.value,
            "roles": list(grant.roles),
            "scope": scope,
            "iat": now,
            "exp": now + self._settings.token_seconds,
            "jti": str(uuid4()),
        }
        signed = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
        return Token(signed, self._settings.token_seconds, scope)


class OwnVerifier(Verifier):
    """Identity's own verifier: it needn't fetch the keys that it has."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        super().__init__(settings.issuer, settings.audience, settings.jwks_url)
        self._keyring = keyring

    async def _fetch(self) -> KeySet:
        return self._keyring.published()


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
