"""What secrets become before they are stored: hashes for clients' secrets, a cipher for the signing keys.

Sources: RFC 7914 (scrypt), RFC 7516 (JWE). All of it takes its time: call it in a thread.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from services.identity.domain.clients import HashedSecret

_COST = 2**14
"""scrypt's N: about 40 ms and 16 MB a check (with r=8, p=1)."""
_CIPHER = {"alg": "dir", "enc": "A256GCM"}


def hashed(secret: str) -> HashedSecret:
    """A client's secret with a new salt."""
    salt = secrets.token_bytes(16)
    return HashedSecret(_text(salt), _text(_scrypt(secret, salt)))


def matches(secret: str, stored: HashedSecret) -> bool:
    """Whether that is the secret; takes the same time either way."""
    made = _scrypt(secret, base64.b64decode(stored.salt))
    return hmac.compare_digest(made, base64.b64decode(stored.hash))


def same(given: str, known: str) -> bool:
    """Compares two secrets in a time that tells nothing of either."""
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(known.encode()).digest())


def new_salt() -> str:
    """A salt for `cipher_key`."""
    return _text(secrets.token_bytes(16))


def cipher_key(secret: str, salt: str) -> OctKey:
    """The key that encrypts signing keys, from the installation's key secret."""
    return OctKey.import_key(_scrypt(secret, base64.b64decode(salt)))


def sealed(content: dict[str, Any], key: OctKey) -> str:
    """A private key as a JWE (A256GCM)."""
    return jwe.encrypt_compact(_CIPHER, orjson.dumps(content), key, algorithms=list(_CIPHER.values()))


def opened(token: str, key: OctKey) -> dict[str, Any]:
    """The private key in a JWE.

    Raises:
        ValueError: it was sealed with another key.
    """
    try:
        plain = jwe.decrypt_compact(token, key, algorithms=list(_CIPHER.values())).plaintext
    except JoseError as error:
        raise ValueError("sealed with another key") from error
    found: dict[str, Any] = orjson.loads(plain or b"{}")
    return found


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=8, p=1, dklen=32)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
