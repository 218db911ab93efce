"""What the gateway promises, on a real Envoy."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rathaus.registry import NAMES
from tests.support.tokens import Issuer
from tests.support.waiting import wait_until

from .conftest import AWAY, ENVOY, ISSUER, Door, gateway, render

pytestmark = pytest.mark.engines

PORTS = {name: 9000 + n for n, name in enumerate(NAMES)}
ATTACHMENT = "/applications/v1/witten/applications/1/attachments/passport"


@pytest.fixture
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url) as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert set(found) - {"instance", "detail"} == {"type", "title", "status"}
    assert bool(found.get("detail")) == (status not in {408, 431, 500, 502}), (
        "say what to do, where there is more to say"
    )
    if status not in {400, 431}:  # refused before they had an id
        assert found["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    return found


class TestConfiguration:
    @pytest.mark.parametrize("more", [{}, {"rate_limit_per_second": 1, "hosts": {"identity": "identity.example"}}])
    def test_envoy_accepts_it(self, tmp_path: Path, more: dict[str, Any]) -> None:
        self.validate(tmp_path, **more)

    def test_with_tls_as_well(self, tmp_path: Path) -> None:
        certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
        subject = ["-subj", "/CN=rathaus.example", "-days", "1"]
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
        subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        self.validate(tmp_path, tls_certificate=str(certificate), tls_key=str(key))

    @staticmethod
    def validate(folder: Path, **more: Any) -> None:
        config = folder / "envoy.yaml"
        config.write_text(render(gateway_port=8080, admin_port=9901, ports=PORTS, issuer=ISSUER, **more))
        command = [str(ENVOY), "--mode", "validate", "-l", "error", "-c", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class TestTokens:
    async def test_a_good_token_passes_and_reaches_the_service(self, http: httpx.AsyncClient, issuer: Issuer) -> None:
        headers = issuer.headers(kind="person", tenant="witten")
        answer = await http.get("/catalog/v1/witten", headers=headers)
        assert answer.status_code == 200
        assert answer.json()["headers"]["authorization"] == headers["Authorization"]

    async def test_without_a_token_the_service_decides(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/catalog/v1/witten")).json()["service"] == "catalog"

    @pytest.mark.parametrize(
        "wrong",
        [{"iss": "https://elsewhere.example"}, {"aud": "others"}, {"exp": 1_000_000_000}],
        ids=["issuer", "audience", "expired"],
    )
    async def test_wrong_claims_are_refused(
        self, http: httpx.AsyncClient, issuer: Issuer, wrong: dict[str, object]
    ) -> None:
        token = issuer.token(**wrong)
        answer = await http.get("/catalog/v1/witten", headers={"Authorization": f"Bearer {token}"})
        assert problem(answer, 401)["type"].endswith("/not_authenticated")
        assert answer.headers["www-authenticate"].startswith('Bearer realm="rathaus"')

    @pytest.mark.parametrize("token", ["nonsense", Issuer().token()], ids=["malformed", "another key's"])
    async def test_bad_tokens_are_refused(self, http: httpx.AsyncClient, token: str) -> None:
        problem(await http.get("/catalog/v1/witten", headers={"Authorization": f"Bearer {token}"}), 401)

    @pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "claims", "signature"])
    async def test_a_changed_token_is_refused(self, http: httpx.AsyncClient, issuer: Issuer, part: int) -> None:
        parts = issuer.token().split(".")
        at = len(parts[part]) // 2
        parts[part] = parts[part][:at] + ("A" if parts[part][at] != "A" else "B") + parts[part][at + 1 :]
        problem(await http.get("/catalog/v1/x", headers={"Authorization": f"Bearer {'.'.join(parts)}"}), 401)

    async def test_an_unsigned_token_is_refused(self, http: httpx.AsyncClient, issuer: Issuer) -> None:
        _, claims, signature = issuer.token().split(".")
        for rest in ("", signature):
            token = f"eyJhbGciOiJub25lIn0.{claims}.{rest}"  # {"alg":"none"}
            problem(await http.get("/catalog/v1/x", headers={"Authorization": f"Bearer {token}"}), 401)

    @pytest.mark.parametrize("more", ["xx", ".x", "="])  # Envoy overlooks one byte more; the services do not
    async def test_a_longer_token_is_refused(self, http: httpx.AsyncClient, issuer: Issuer, more: str) -> None:
        headers = {"Authorization": f"Bearer {issuer.token()}{more}"}
        problem(await http.get("/catalog/v1/x", headers=headers), 401)

    async def test_basic_credentials_reach_the_token_endpoint(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/identity/v1/token", auth=("client", "secret"))
        assert answer.json()["headers"]["authorization"].startswith("Basic ")


class TestDoors:
    @pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/openapi.json", "/elsewhere", "/catalog"])
    async def test_nothing_else_is_reached(self, http: httpx.AsyncClient, path: str) -> None:
        assert problem(await http.get(path), 404)["type"].endswith("/not_found")

    @pytest.mark.parametrize(
        "path", ["/catalog/../metrics", "/catalog/./../metrics", "//metrics", "/catalog/%2e%2e/metrics"]
    )
    async def test_nor_around_a_corner(self, door: Door, path: str) -> None:
        # Written by hand: a client would tidy the path up.
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 404")
        assert b"own" not in answer

    async def test_a_services_metrics_stay_inside(self, http: httpx.AsyncClient) -> None:
        # The path arrives as it is, below the service's name, where there is no such thing.
        assert (await http.get("/catalog/metrics")).json()["path"] == "/catalog/metrics"

    @pytest.mark.parametrize("path", ["/catalog/a%2Fb", "/catalog/a%5Cb"])
    async def test_escaped_slashes_are_refused(self, http: httpx.AsyncClient, path: str) -> None:
        problem(await http.get(path), 400)

    @pytest.mark.parametrize("service", [name for name in NAMES if name != AWAY])
    async def test_each_interface_is_described(self, http: httpx.AsyncClient, service: str) -> None:
        answer = await http.get(f"/{service}/openapi.json")
        assert answer.text == f"{service}'s own"
        assert not [name for name in answer.headers if name == "server" or name.startswith("x-envoy")]

    async def test_the_first_page_lists_the_doors(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert all(f'href="/{service}/openapi.json"' in answer.text for service in NAMES)

    async def test_services_learn_no_address_and_believe_no_visitor(self, http: httpx.AsyncClient) -> None:
        lies = {"x-forwarded-for": "10.0.0.1", "x-envoy-upstream-rq-timeout-ms": "99999"}
        told = (await http.get("/catalog/v1/witten", headers=lies)).json()["headers"]
        assert "x-forwarded-for" not in told
        assert not [name for name in told if name.startswith("x-envoy")]
        assert told["x-request-id"]


class TestLimits:
    async def test_a_long_body_is_refused(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/catalog/v1/x", content=b"x" * 1000)).json()["length"] == 1000
        problem(await http.post("/catalog/v1/x", content=b"x" * 1001), 413)

    async def test_a_long_body_of_unknown_length_too(self, http: httpx.AsyncClient) -> None:
        async def _chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 100

        problem(await http.post("/catalog/v1/x", content=_chunks()), 413)

    async def test_files_may_be_longer_up_to_their_limit(self, http: httpx.AsyncClient) -> None:
        assert (await http.put(ATTACHMENT, content=b"x" * 200_000)).json()["length"] == 200_000
        async with http.stream("PUT", ATTACHMENT, content=b"x" * 200_001) as answer:
            await answer.aread()
            problem(answer, 413)

    async def test_long_headers_are_refused(self, http: httpx.AsyncClient) -> None:
        problem(await http.get("/catalog/v1/x", headers={"x-long": "x" * 20_000}), 431)

    async def test_a_slow_service_is_given_up(self, http: httpx.AsyncClient) -> None:
        assert problem(await http.get("/catalog/slow"), 504)["type"].endswith("/timeout")

    async def test_an_absent_service_is_said_to_be_away(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/payments/v1/witten/demands")
        problem(answer, 503)
        assert answer.headers["retry-after"] == "1"

    async def test_the_log_tells_neither_path_nor_address(self, http: httpx.AsyncClient, door: Door) -> None:
        answer = await http.get(
            "/catalog/v1/witten/Erika-Canary?name=Beispiel-Canary", headers={"user-agent": "Canary"}
        )
        request_id = answer.json()["headers"]["x-request-id"]
        lines = [line for line in await _log(door, request_id) if request_id in line]
        told = json.loads(lines[0])
        assert (told["route"], told["status"], told["method"]) == ("catalog", 200, "GET")
        assert "Canary" not in door.log.read_text()
        assert "127.0.0.1" not in lines[0]


async def _log(door: Door, text: str) -> list[str]:
    """The log, once it has the text: Envoy writes it within ten seconds."""
    await wait_until(lambda: text in door.log.read_text(), timeout=20, what="the access log")
    return door.log.read_text().splitlines()


class TestRates:
    @pytest.fixture
    def strict(self, ports: dict[str, int], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Door]:
        with gateway(tmp_path, ports, **request.param) as made:
            yield made

    @pytest.mark.parametrize(
        ("strict", "path"),
        [
            ({"rate_limit_per_second": 5}, "/catalog/v1/x"),
            ({"client_rate_limit_per_second": 5}, "/catalog/v1/x"),
            ({"sign_in_rate_limit_per_second": 5}, "/identity/v1/token"),
        ],
        indirect=["strict"],
        ids=["all", "client", "sign-in"],
    )
    async def test_too_many_requests_are_refused(self, strict: Door, path: str) -> None:
        async with httpx.AsyncClient(base_url=strict.url) as client:
            answers = [await client.post(path) for _ in range(30)]
        passed = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(passed) >= 10
        assert refused
        problem(refused[0], 429)
        assert refused[0].headers["retry-after"] == "1"

    @pytest.mark.parametrize("strict", [{"sign_in_rate_limit_per_second": 1}], indirect=True)
    async def test_sign_in_has_its_own(self, strict: Door) -> None:
        async with httpx.AsyncClient(base_url=strict.url) as client:
            assert 429 in {(await client.post("/identity/v1/token")).status_code for _ in range(10)}
            assert {(await client.post("/catalog/v1/x")).status_code for _ in range(10)} == {200}

    @pytest.mark.parametrize("strict", [{"max_connections": 2}], indirect=True)
    async def test_connections_are_limited(self, strict: Door) -> None:
        async with httpx.AsyncClient(base_url=strict.url) as first, httpx.AsyncClient(base_url=strict.url) as second:
            assert [(await each.get("/")).status_code for each in (first, second)] == [200, 200]
            async with httpx.AsyncClient(base_url=strict.url) as third:
                with pytest.raises(httpx.TransportError):
                    await third.get("/")


class TestKeysAway:
    async def test_without_the_issuers_keys_tokens_wait(
        self, ports: dict[str, int], tmp_path: Path, issuer: Issuer
    ) -> None:
        with gateway(tmp_path, {**ports, "identity": ports["payments"]}, wait_for_keys=False) as door:
            async with httpx.AsyncClient(base_url=door.url) as client:
                answer = await client.get("/catalog/v1/x", headers=issuer.headers())
                problem(answer, 503)
                assert (await client.get("/catalog/v1/x")).status_code == 200
