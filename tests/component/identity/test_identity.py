"""What identity promises over HTTP, on the real engines."""

from __future__ import annotations

import asyncio
import base64
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from chassis.service import Service
from contracts.identity import AccountRegistered
from services.identity.domain.accounts import account_id
from services.identity.main import compose
from services.identity.settings import Settings
from services.identity.store import Stores
from services.identity.tokens import Keyring
from tests.support.waiting import wait_until

from .conftest import OPERATOR_SECRET, SERVICE_SECRET

pytestmark = pytest.mark.engines

ERIKA = account_id("witten", "demo", "erika-beispiel")
CLIENT_SECRET = "a clerk system's secret for tests"
SCOPES = ["cases:read", "cases:decide"]


async def token_for(http: httpx.AsyncClient, client: str, secret: str, **more: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, **more}
    return await http.post("/identity/v1/token", data=form)


async def operator(http: httpx.AsyncClient) -> dict[str, str]:
    answer = await token_for(http, "operator", OPERATOR_SECRET)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def signed_in(http: httpx.AsyncClient, tenant: str, who: str) -> httpx.Response:
    return await http.post(
        f"/identity/v1/{tenant}/demo-sign-in", json={"person": who}, headers={"Idempotency-Key": str(uuid4())}
    )


async def bearer(http: httpx.AsyncClient, tenant: str, who: str) -> dict[str, str]:
    answer = await signed_in(http, tenant, who)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


class TestTokens:
    async def test_a_client_gets_a_token_that_the_published_keys_verify(self, http: httpx.AsyncClient) -> None:
        answer = await token_for(http, "service-applications", SERVICE_SECRET)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        given = answer.json()
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 900)
        keys = KeySet.import_key_set((await http.get("/identity/v1/jwks")).json())
        claims = jwt.decode(given["access_token"], keys, algorithms=["ES256"]).claims
        assert claims["sub"] == "service-applications"
        assert (claims["kind"], claims["tenant"], claims["scope"]) == ("client", "*", "internal cases:read")

    async def test_by_http_basic_as_well(self, http: httpx.AsyncClient) -> None:
        pair = base64.b64encode(b"operator:operator%27s+secret+for+tests").decode()
        answer = await http.post(
            "/identity/v1/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {pair}"},
        )
        assert answer.status_code == 200

    async def test_scopes_can_be_narrowed_not_widened(self, http: httpx.AsyncClient) -> None:
        narrowed = await token_for(http, "service-applications", SERVICE_SECRET, scope="internal")
        assert narrowed.json()["scope"] == "internal"
        widened = await token_for(http, "service-applications", SERVICE_SECRET, scope="internal operator")
        assert (widened.status_code, widened.json()["error"]) == (400, "invalid_scope")

    @pytest.mark.parametrize("client", ["operator", "nobody"])
    async def test_a_wrong_secret_is_refused_in_oauths_form(self, http: httpx.AsyncClient, client: str) -> None:
        answer = await token_for(http, client, "wrong")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")

    @pytest.mark.parametrize(
        ("form", "code"),
        [({}, "invalid_request"), ({"grant_type": "password"}, "unsupported_grant_type")],
    )
    async def test_other_mistakes(self, http: httpx.AsyncClient, form: dict[str, str], code: str) -> None:
        answer = await http.post("/identity/v1/token", data={**form, "client_id": "operator"})
        assert (answer.status_code, answer.json()["error"]) == (400, code)

    @pytest.mark.parametrize("header", ["Basic ???", "Bearer x", "Basic " + base64.b64encode(b"\xff").decode()])
    async def test_a_broken_header_is_refused(self, http: httpx.AsyncClient, header: str) -> None:
        answer = await http.post(
            "/identity/v1/token", data={"grant_type": "client_credentials"}, headers={"Authorization": header}
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    async def test_discovery_names_what_there_is(self, http: httpx.AsyncClient, settings: Settings) -> None:
        found = (await http.get("/identity/.well-known/openid-configuration")).json()
        assert found["issuer"] == settings.issuer
        assert found["token_endpoint"] == f"{settings.issuer}/v1/token"

    async def test_a_second_instance_signs_with_the_same_key(
        self, http: httpx.AsyncClient, service: Service, settings: Settings
    ) -> None:
        other = compose(settings)
        await other.start()
        try:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=other.app), base_url="http://other"
            ) as second:
                assert (await second.get("/identity/v1/jwks")).json() == (await http.get("/identity/v1/jwks")).json()
                headers = await operator(http)
                answer = await second.put("/identity/v1/witten/staff/kim", json={"roles": ["clerk"]}, headers=headers)
                assert answer.status_code == 200
        finally:
            await other.stop()

    async def test_instances_that_start_at_once_sign_with_one_key(self, settings: Settings) -> None:
        instances = [compose(settings) for _ in range(3)]
        rings = [Keyring(Stores(each).keys, settings.key_secret) for each in instances]
        await asyncio.gather(*(ring.open() for ring in rings))
        assert len({ring.current.kid for ring in rings}) == 1
        await instances[0].database.drop()
        for each in instances:
            each.database.close()

    async def test_the_database_holds_no_readable_private_key(self, service: Service) -> None:
        stored = await service.database.collection("signing_keys").find_one({})
        assert stored is not None
        assert all(set(entry) == {"kid", "jwe"} for entry in stored["keys"])


class TestPeople:
    async def test_the_first_sign_in_registers_the_account_once(
        self, http: httpx.AsyncClient, service: Service
    ) -> None:
        answers = await asyncio.gather(*(signed_in(http, "witten", "erika-beispiel") for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        store = next(store for store in service.stores if store.kind.name == "account")
        said = await store.events("witten", ERIKA)
        assert [(envelope.type, envelope.sequence) for envelope, _ in said] == [(AccountRegistered.type(), 1)]
        assert said[0][1] == {"account_id": ERIKA, "trust_level": "substantial", "method": "demo"}

        async def _published() -> bool:
            found = await service.database.collection("account").find_one({"_id": ERIKA})
            return found is not None and found["published"] == 1

        await wait_until(_published, what="the event is on the topic")

    async def test_a_person_sees_their_own_account(self, http: httpx.AsyncClient) -> None:
        headers = await bearer(http, "witten", "erika-beispiel")
        answer = await http.get("/identity/v1/witten/accounts/me", headers=headers)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "account_id": ERIKA,
            "given_name": "Erika",
            "family_name": "Beispiel",
            "street": "Musterstraße",
            "house_number": "1",
            "postal_code": "58452",
            "city": "Witten",
            "email": "erika.beispiel@example.org",
            "trust_level": "substantial",
        }

    async def test_only_our_own_services_read_accounts_by_id(self, http: httpx.AsyncClient) -> None:
        person = await bearer(http, "witten", "erika-beispiel")
        clerk = await bearer(http, "witten", "sachbearbeitung-witten")
        given = (await token_for(http, "service-applications", SERVICE_SECRET)).json()["access_token"]
        path = f"/identity/v1/witten/accounts/{ERIKA}"
        ours = await http.get(path, headers={"Authorization": f"Bearer {given}"})
        assert (ours.status_code, ours.json()["email"]) == (200, "erika.beispiel@example.org")
        assert (await http.get(path)).status_code == 401
        assert (await http.get(path, headers=person)).status_code == 403
        assert (await http.get(path, headers=clerk)).status_code == 403

    async def test_no_account_crosses_towns(self, http: httpx.AsyncClient) -> None:
        witten = await bearer(http, "witten", "erika-beispiel")
        assert (await http.get("/identity/v1/steinhagen/accounts/me", headers=witten)).status_code == 404
        given = (await token_for(http, "service-applications", SERVICE_SECRET)).json()["access_token"]
        answer = await http.get(
            f"/identity/v1/steinhagen/accounts/{ERIKA}", headers={"Authorization": f"Bearer {given}"}
        )
        assert answer.status_code == 404

    async def test_nobody_of_that_name(self, http: httpx.AsyncClient) -> None:
        assert (await signed_in(http, "witten", "nobody")).status_code == 404
        assert (await signed_in(http, "witten", "sachbearbeitung-steinhagen")).status_code == 404


class TestDemoOff:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"demo_sign_in": False})

    async def test_without_the_setting_nobody_is_invented(self, http: httpx.AsyncClient) -> None:
        form = {"tenant": "witten", "person": "erika-beispiel"}
        answers = (
            await signed_in(http, "witten", "erika-beispiel"),
            await http.get("/identity/demo"),
            await http.post("/identity/demo", data=form),
        )
        assert {answer.status_code for answer in answers} == {403}
        assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


class TestPage:
    async def test_the_page_lists_everybody_in_german_first(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/identity/demo")
        assert answer.status_code == 200
        assert "script" not in answer.headers["content-security-policy"]
        text = answer.text
        assert text.index("Vorführung") < text.index("Demonstration")
        assert all(name in text for name in ("Erika Beispiel", "sachbearbeitung-witten", "kasse-steinhagen"))

    async def test_another_town_on_request(self, http: httpx.AsyncClient) -> None:
        text = (await http.get("/identity/demo?town=bergheim")).text
        assert "sachbearbeitung-bergheim" in text
        assert "witten" not in text

    async def test_the_button_shows_a_token_that_works(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/identity/demo", data={"tenant": "witten", "person": "erika-beispiel"})
        assert answer.headers["cache-control"] == "no-store"
        token = answer.text.partition("readonly>")[2].partition("<")[0]
        found = await http.get("/identity/v1/witten/accounts/me", headers={"Authorization": f"Bearer {token}"})
        assert found.json()["account_id"] == ERIKA
        assert "curl -H" in answer.text


class TestStaff:
    async def test_who_is_appointed_signs_in_with_these_roles(self, http: httpx.AsyncClient, service: Service) -> None:
        admin = await bearer(http, "witten", "verwaltung-witten")
        made = await http.put("/identity/v1/witten/staff/kim", json={"roles": ["cashier", "clerk"]}, headers=admin)
        assert made.json() == {"staff_id": "kim", "roles": ["clerk", "cashier"], "active": True}
        token = (await signed_in(http, "witten", "kim")).json()["access_token"]
        principal = await service.verifier.verify(token)
        assert (principal.subject, principal.kind) == ("kim", "staff")
        assert principal.roles == {"clerk", "cashier"}

    async def test_who_is_locked_out_does_not(self, http: httpx.AsyncClient) -> None:
        headers = await operator(http)
        path = "/identity/v1/witten/staff/sachbearbeitung-witten"
        await http.put(path, json={"roles": ["clerk"], "active": False}, headers=headers)
        assert (await signed_in(http, "witten", "sachbearbeitung-witten")).status_code == 403

    async def test_if_match_keeps_two_apart(self, http: httpx.AsyncClient) -> None:
        headers = await operator(http)
        path = "/identity/v1/witten/staff/kim"
        first = await http.put(path, json={"roles": ["clerk"]}, headers=headers)
        read = {**headers, "If-Match": first.headers["etag"]}
        assert (await http.put(path, json={"roles": ["admin"]}, headers=read)).status_code == 200
        assert (await http.put(path, json={"roles": ["editor"]}, headers=read)).status_code == 412

    @pytest.mark.parametrize("who", ["sachbearbeitung-witten", "erika-beispiel"])
    async def test_others_appoint_nobody(self, http: httpx.AsyncClient, who: str) -> None:
        headers = await bearer(http, "witten", who)
        answer = await http.put("/identity/v1/witten/staff/kim", json={"roles": ["admin"]}, headers=headers)
        assert answer.status_code == 403

    async def test_another_towns_admin_neither(self, http: httpx.AsyncClient) -> None:
        headers = await bearer(http, "steinhagen", "verwaltung-steinhagen")
        answer = await http.put("/identity/v1/witten/staff/kim", json={"roles": ["admin"]}, headers=headers)
        assert answer.status_code == 404

    async def test_unknown_roles_are_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.put("/identity/v1/witten/staff/kim", json={"roles": ["king"]}, headers=await operator(http))
        assert answer.status_code == 422


class TestClients:
    async def test_a_town_lets_a_clerk_system_in(self, http: httpx.AsyncClient, service: Service) -> None:
        admin = await bearer(http, "witten", "verwaltung-witten")
        path = "/identity/v1/witten/clients/meldewesen-witten"
        made = await http.put(path, json={"scopes": SCOPES, "secret": CLIENT_SECRET}, headers=admin)
        assert made.json() == {"client_id": "meldewesen-witten", "scopes": sorted(SCOPES), "active": True}
        token = (await token_for(http, "meldewesen-witten", CLIENT_SECRET)).json()["access_token"]
        principal = await service.verifier.verify(token)
        assert (principal.tenant, principal.scopes) == ("witten", set(SCOPES))
        stored = await Stores(service).clients.collection.find_one({})
        assert CLIENT_SECRET not in str(stored)

    async def test_a_locked_out_or_renewed_client_gets_no_token_by_the_old_secret(
        self, http: httpx.AsyncClient
    ) -> None:
        admin = await bearer(http, "witten", "verwaltung-witten")
        path = "/identity/v1/witten/clients/meldewesen-witten"
        await http.put(path, json={"scopes": SCOPES, "secret": CLIENT_SECRET}, headers=admin)
        await http.put(path, json={"scopes": SCOPES, "secret": CLIENT_SECRET[::-1]}, headers=admin)
        assert (await token_for(http, "meldewesen-witten", CLIENT_SECRET)).status_code == 401
        assert (await token_for(http, "meldewesen-witten", CLIENT_SECRET[::-1])).status_code == 200
        await http.put(path, json={"scopes": SCOPES, "active": False}, headers=admin)
        assert (await token_for(http, "meldewesen-witten", CLIENT_SECRET[::-1])).status_code == 401

    @pytest.mark.parametrize("scope", ["internal", "operator"])
    async def test_no_town_gives_the_installations_scopes(self, http: httpx.AsyncClient, scope: str) -> None:
        answer = await http.put(
            "/identity/v1/witten/clients/meldewesen-witten",
            json={"scopes": [scope], "secret": CLIENT_SECRET},
            headers=await operator(http),
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/body/scopes"

    async def test_a_taken_id_is_refused(self, http: httpx.AsyncClient) -> None:
        headers = await operator(http)
        body = {"scopes": ["cases:read"], "secret": CLIENT_SECRET}
        await http.put("/identity/v1/witten/clients/meldewesen", json=body, headers=headers)
        others = await http.put("/identity/v1/steinhagen/clients/meldewesen", json=body, headers=headers)
        own = await http.put("/identity/v1/witten/clients/operator", json=body, headers=headers)
        assert (others.status_code, own.status_code) == (409, 409)
