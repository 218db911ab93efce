import asyncio
from typing import Any

import pytest
from joserfc import jwt
from pydantic import SecretStr

from chassis.auth import Principal
from chassis.errors import ConfigurationError, EngineAway, NotAuthenticated
from contracts.values import TrustLevel
from services.identity import sealing
from services.identity.settings import Settings
from services.identity.store import KeyStore
from services.identity.tokens import Grant, Keyring, OwnVerifier, Tokens

PLAIN = SecretStr("")
SECRET = SecretStr("a key secret for tests")


class KeysInMemory(KeyStore):
    """The key store without a database."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None

    async def load(self) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        return self.document

    async def create(self, content: dict[str, Any]) -> None:
        if self.document is None:
            self.document = {"revision": 1, **content}

    async def replace(self, revision: int, content: dict[str, Any]) -> bool:
        if self.document is None or self.document["revision"] != revision:
            return False
        self.document |= {**content, "revision": revision + 1}
        return True


async def opened(store: KeyStore, secret: SecretStr = PLAIN) -> Keyring:
    keyring = Keyring(store, secret)
    await keyring.open()
    return keyring


async def test_instances_that_start_at_once_agree_on_one_key() -> None:
    store = KeysInMemory()
    first, second = await asyncio.gather(opened(store), opened(store))
    assert first.current.kid == second.current.kid


async def test_with_a_secret_no_private_key_is_stored_readable() -> None:
    store = KeysInMemory()
    keyring = await opened(store, SECRET)
    assert store.document is not None
    assert '"d"' not in str(store.document).replace("'", '"')
    assert set(store.document["keys"][0]) == {"kid", "jwe"}
    assert (await opened(store, SECRET)).current.kid == keyring.current.kid


@pytest.mark.parametrize("wrong", [PLAIN, SecretStr("another key secret")])
async def test_without_the_right_secret_it_does_not_start(wrong: SecretStr) -> None:
    store = KeysInMemory()
    await opened(store, SECRET)
    with pytest.raises(ConfigurationError, match="RATHAUS_KEY_SECRET"):
        await opened(store, wrong)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="16"):
        Keyring(KeysInMemory(), SecretStr("short"))


async def test_a_secret_given_later_encrypts_the_keys_that_are_there() -> None:
    store = KeysInMemory()
    before = await opened(store)
    after = await opened(store, SECRET)
    assert after.current.kid == before.current.kid
    assert store.document is not None
    assert set(store.document["keys"][0]) == {"kid", "jwe"}


async def test_the_current_and_the_previous_key_are_published_and_nothing_private() -> None:
    store = KeysInMemory()
    oldest, previous, current = [(await opened(KeysInMemory())).current for _ in range(3)]
    await store.create({"keys": [{"kid": k.kid, "jwk": k.as_dict(private=True)} for k in (oldest, previous, current)]})
    published = (await opened(store)).published().as_dict(private=False)["keys"]
    assert [key["kid"] for key in published] == [current.kid, previous.kid]
    assert all("d" not in key for key in published)


async def test_before_the_keys_are_read_nothing_is_signed() -> None:
    keyring = Keyring(KeysInMemory(), PLAIN)
    with pytest.raises(EngineAway):
        Tokens(Settings(), keyring).issue(Grant("x", "client", "*"))


async def test_a_token_says_what_was_granted() -> None:
    keyring = await opened(KeysInMemory())
    settings = Settings(token_seconds=60)
    token = Tokens(settings, keyring).issue(
        Grant("clerk-1", "staff", "witten", TrustLevel.HIGH, ("clerk",), ("cases:read", "cases:decide"))
    )
    assert (token.expires_in, token.scope) == (60, "cases:read cases:decide")
    assert token.access_token not in repr(token)
    assert await OwnVerifier(settings, keyring).verify(token.access_token) == Principal(
        "clerk-1",
        "staff",
        "witten",
        TrustLevel.HIGH,
        frozenset({"clerk"}),
        frozenset({"cases:read", "cases:decide"}),
    )
    decoded = jwt.decode(token.access_token, keyring.published(), algorithms=["ES256"])
    assert decoded.header["kid"] == keyring.current.kid
    assert decoded.claims["exp"] - decoded.claims["iat"] == 60


async def test_a_token_ends() -> None:
    keyring = await opened(KeysInMemory())
    settings = Settings(token_seconds=60)
    old = Tokens(settings, keyring, now=lambda: 1_000_000_000.0).issue(Grant("x", "client", "*"))
    with pytest.raises(NotAuthenticated):
        await OwnVerifier(settings, keyring).verify(old.access_token)


def test_a_secret_is_recognised_by_its_hash() -> None:
    stored = sealing.hashed("correct horse battery staple")
    assert sealing.matches("correct horse battery staple", stored)
    assert not sealing.matches("correct horse battery stable", stored)
    assert sealing.hashed("correct horse battery staple") != stored
    assert sealing.same("a", "a")
    assert not sealing.same("a", "b")
