"""Tokens that must not pass, settings that must stop the start, and what log lines hold."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from chassis.auth import Verifier
from chassis.errors import ConfigurationError, NotAuthenticated, PeerAway
from chassis.settings import ServiceSettings, load
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ISSUED = Issuer()
VERIFIER = ISSUED.verifier()


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(claims: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return found


async def refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await VERIFIER.verify(token)


async def test_a_good_token_says_who_calls() -> None:
    token = ISSUED.token(kind="staff", sub="clerk-1", roles=["clerk"], tenant="witten", acr="substantial")
    principal = await VERIFIER.verify(token)
    assert (principal.subject, principal.kind, principal.tenant) == ("clerk-1", "staff", "witten")
    assert principal.roles == {"clerk"}
    assert principal.belongs_to("witten")
    assert not principal.belongs_to("steinhagen")


async def test_an_unsigned_token_is_refused() -> None:
    _, claims, _ = ISSUED.token().split(".")
    await refused(f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}.")


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused() -> None:
    _, claims, _ = ISSUED.token().split(".")
    secret = OctKey.import_key(base64.urlsafe_b64encode(ISSUED._key.as_bytes(private=False)).decode())
    signed = jwt.encode({"alg": "HS256", "kid": ISSUED._key.kid}, decoded(claims), secret)
    await refused(signed)


async def test_another_key_is_refused_even_under_a_known_name() -> None:
    _, claims, _ = ISSUED.token().split(".")
    foreign = ECKey.generate_key("P-256")
    await refused(jwt.encode({"alg": "ES256", "kid": ISSUED._key.kid}, decoded(claims), foreign))
    await refused(jwt.encode({"alg": "ES256", "kid": "unknown"}, decoded(claims), foreign))
    await refused(jwt.encode({"alg": "ES256"}, decoded(claims), foreign))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere"},
        {"aud": "somebody else"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"kind": "god"},
        {"kind": ["staff"]},
        {"acr": "very high"},
        {"roles": 5},
        {"roles": None},
        {"scope": None, "kind": {}},
        {"tenant": None, "kind": None},
        {"nbf": 99_999_999_999},
    ],
    ids=str,
)
async def test_wrong_claims_are_refused(claims: dict[str, object]) -> None:
    _, good, _ = ISSUED.token().split(".")
    await refused(jwt.encode({"alg": "ES256", "kid": ISSUED._key.kid}, {**decoded(good), **claims}, ISSUED._key))


async def test_claims_that_are_missing_are_refused() -> None:
    await refused(jwt.encode({"alg": "ES256", "kid": ISSUED._key.kid}, {"iss": ISSUER, "aud": AUDIENCE}, ISSUED._key))


async def test_an_expired_token_is_refused() -> None:
    await refused(ISSUED.token(lifetime=-60))


@given(st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))))
async def test_whatever_is_sent_as_a_token_is_refused(token: str) -> None:
    await refused(token)


@given(st.lists(st.binary(max_size=30), min_size=2, max_size=4))
async def test_whatever_looks_like_a_token_is_refused(parts: list[bytes]) -> None:
    await refused(".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts))


async def test_an_issuer_that_is_away_is_no_fault_of_the_caller() -> None:
    with pytest.raises(PeerAway):
        await Verifier(ISSUER, AUDIENCE, "http://127.0.0.1:9/jwks").verify(ISSUED.token())


# Settings


def test_an_unknown_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATHAUS_KAFKA_ULR", "secret-value")
    with pytest.raises(ConfigurationError, match="RATHAUS_KAFKA_ULR") as found:
        load(ServiceSettings)
    assert "secret-value" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATHAUS_HTTP_PORT", "canary-value"),
        ("RATHAUS_LEASE_SECONDS", "-1"),
        ("RATHAUS_DATABASE_PREFIX", "Canary/../"),
        ("RATHAUS_SERVICE_URLS", "{canary"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as found:
        load(ServiceSettings)
    assert "anary" not in str(found.value)
    assert name in str(found.value) or "service_urls" in str(found.value)


# Logging: in a process of its own, since pytest has handlers too


def logged(script: str) -> list[dict[str, object]]:
    """The lines that a service writes."""
    begin = """
import logging
from pydantic import BaseModel, TypeAdapter
from chassis import context
from chassis.logging import configure, get_logger
from chassis.settings import ServiceSettings
configure("payments", ServiceSettings(log_format="json"))
"""
    done = subprocess.run([sys.executable, "-c", begin + script], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_says_where_it_belongs() -> None:
    ours, theirs = logged("""
with context.entered(context.fresh("c-1"), request_id="c-1", tenant="witten", case=None):
    get_logger("t1").info("done", ms=3)
    logging.getLogger("library").warning("from %s", "elsewhere")
""")
    assert (ours["event"], ours["ms"], ours["level"], ours["logger"]) == ("done", 3, "info", "t1")
    assert theirs["event"] == "from elsewhere"
    for line in (ours, theirs):
        assert (line["service"], line["request_id"], line["tenant"]) == ("payments", "c-1", "witten")
        assert "case" not in line
        assert str(line["timestamp"]).endswith("Z")


def test_an_error_in_the_log_quotes_nothing() -> None:
    """What pydantic says of a wrong value quotes it, and so do other libraries."""
    lines = logged("""
class Person(BaseModel):
    name: int
try:
    try:
        int("Erika")
    except ValueError:
        try:
            TypeAdapter(Person).validate_python({"name": "Erika Beispiel"})
        except ValueError as error:
            raise RuntimeError("it can't be read") from error
except RuntimeError as error:
    get_logger("t2").error("unexpected error", exc_info=error)
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
""")
    assert len(lines) == 2
    for line in lines:
        assert "Beispiel" not in json.dumps(line)
        assert "ValidationError" in str(line["exception"])
        assert "RuntimeError: it can't be read" in str(line["exception"])
        assert "line " in str(line["exception"])
