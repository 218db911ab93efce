"""The simulated population register: its rules, and on a real Kafka before a gateway that fails in every way."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st

from examples.population_register import clerk as clerk_module
from examples.population_register.clerk import COMPLETE, Clerk, key_of
from examples.population_register.cloud_events import Event, NotAnEvent, parse
from examples.population_register.gateway import Gateway
from examples.population_register.register import Entry, decide, load
from examples.population_register.settings import PEOPLE, Settings, SettingsMissing, from_environment
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
PERSON = {"given_name": "Erika", "family_name": "Beispiel", "date_of_birth": "1985-04-01"}


# The register


def test_who_is_in_it_once_gets_an_extract() -> None:
    decision = decide(PERSON, load(PEOPLE))
    assert decision.outcome == "granted"
    assert "Musterstraße 1" in decision.result["register_address"]
    assert decision.result["register_date_of_birth"] == "01.04.1985"


@pytest.mark.parametrize("spelling", ["ERIKA", " erika ", "Erika"])
def test_names_are_found_as_people_write_them(spelling: str) -> None:
    assert decide({**PERSON, "given_name": spelling}, load(PEOPLE)).outcome == "granted"


def test_a_name_in_another_unicode_form_is_found() -> None:
    asked = {"given_name": "Ays\u0327e", "family_name": "Probe", "date_of_birth": "1992-12-24"}
    assert decide(asked, load(PEOPLE)).outcome == "granted"


def test_who_is_not_in_it_or_twice_is_refused_with_grounds() -> None:
    entry = Entry("Erika", "Beispiel", "1985-04-01", "hier", "2020-01-01")
    for entries in ((), (entry, replace(entry, address="dort"))):
        decision = decide(PERSON, entries)
        assert (decision.outcome, dict(decision.result)) == ("refused", {})
        assert decision.grounds


@given(st.dictionaries(st.sampled_from(sorted(PERSON)), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_any_form_is_decided(asked: dict[str, Any]) -> None:
    assert decide(asked, load(PEOPLE)).outcome in {"granted", "refused"}


# Events


def _headers(event: str, **more: str) -> list[tuple[str, bytes]]:
    fields = {"specversion": "1.0", "id": event, "type": COMPLETE, "tenant": "witten", **more}
    return [(f"ce_{name}", value.encode()) for name, value in fields.items()]


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], b"{}"),
        (_headers("1", specversion="0.3"), b"{}"),
        (_headers("1"), None),
        (_headers("1"), b"{"),
        (_headers("1"), b"[]"),
        ([*_headers("1"), ("ce_subject", b"\xff")], b"{}"),
    ],
)
def test_what_is_no_event_is_told(headers: list[tuple[str, bytes | None]], value: bytes | None) -> None:
    with pytest.raises(NotAnEvent):
        parse(headers, value)


def test_the_key_of_an_event_is_always_the_same() -> None:
    event = Event(str(uuid4()), COMPLETE, "witten", {})
    assert key_of(event) == key_of(replace(event))
    assert key_of(event) != key_of(replace(event, id=str(uuid4())))


def test_it_does_not_start_without_its_secrets() -> None:
    with pytest.raises(SettingsMissing, match="CLIENT_SECRET"):
        from_environment({"KAFKA_URL": "k", "GATEWAY_URL": "g", "CLIENT_ID": "c"})


def test_it_imports_nothing_of_ours() -> None:
    for file in (ROOT / "examples" / "population_register").glob("*.py"):
        assert not any(
            line.startswith((f"from {name}", f"import {name}"))
            for line in file.read_text().splitlines()
            for name in ("kernel", "contracts", "service_format", "chassis", "services", "rathaus")
        ), file


# On a real Kafka


@dataclass
class Platform:
    """A gateway that keeps what it was told, and answers what the test wants first."""

    first: list[Callable[[httpx.Request], httpx.Response]] = field(default_factory=list)
    submission: dict[str, Any] = field(default_factory=lambda: {"content": {"data": PERSON}})
    decisions: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    effects: dict[str, str] = field(default_factory=dict)
    status: str = "in_processing"
    tokens: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/identity/v1/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 900})
        assert request.headers["authorization"] == f"Bearer t{self.tokens}"
        if request.method == "POST" and self.first:
            return self.first.pop(0)(request)
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and "/submissions/" in request.url.path:
            return httpx.Response(200, json=self.submission)
        if request.method == "GET":
            return httpx.Response(200, json={"status": self.status})
        return self.decided(request)

    def decided(self, request: httpx.Request) -> httpx.Response:
        case, key = request.url.path.split("/")[-2], request.headers["idempotency-key"]
        self.decisions.append((case, key, json.loads(request.content)))
        if self.effects.setdefault(case, key) != key:
            return httpx.Response(409, json={"decision_id": "d"}, headers={"content-type": "application/problem+json"})
        return httpx.Response(201, json={})


@pytest.fixture
async def topic(kafka_url: str) -> str:
    name = f"register-test-{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_url)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1)])
    await admin.close()
    return name


@dataclass
class World:
    kafka_url: str
    topic: str
    folder: Path
    platform: Platform
    group: str = field(default_factory=lambda: f"register-{uuid4()}")

    @property
    def settings(self) -> Settings:
        return Settings(
            self.kafka_url,
            "http://gateway",
            "register",
            "secret",
            topic=self.topic,
            group=self.group,
            data_dir=self.folder,
        )

    @asynccontextmanager
    async def clerk(self) -> AsyncIterator[Clerk]:
        gateway = Gateway(self.settings, httpx.MockTransport(self.platform))
        clerk = Clerk(self.settings, load(PEOPLE), gateway)
        working = asyncio.create_task(clerk.work())
        try:
            await wait_until(lambda: clerk.ready, what="the clerk is ready")
            yield clerk
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await gateway.close()

    async def say(self, case: str | None = None, **headers: str) -> str:
        """A complete application, as Kafka would carry it. Returns the case."""
        case = case or str(uuid4())
        dataref = f"/applications/v1/witten/cases/{case}/submissions/{uuid4()}"
        data = {"case_id": case, "service_id": "registration-certificate", "dataref": dataref}
        await self.send(_headers(str(uuid4()), **headers), json.dumps(data).encode(), case)
        return case

    async def send(self, headers: list[tuple[str, bytes]], value: bytes, key: str) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka_url)
        await producer.start()
        try:
            await producer.send_and_wait(self.topic, value, key.encode(), headers=headers)
        finally:
            await producer.stop()

    async def decided(self, case: str) -> None:
        await wait_until(lambda: case in self.platform.effects, what=f"case {case} is decided")


@pytest.fixture
async def world(kafka_url: str, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clerk_module, "PAUSES", (0.01, 0.05))
    return World(kafka_url, topic, tmp_path, Platform())


async def test_a_complete_application_is_decided(world: World) -> None:
    async with world.clerk():
        case = await world.say()
        await world.decided(case)
    (_, key, body) = next(each for each in world.platform.decisions if each[0] == case)
    assert body["outcome"] == "granted"
    assert len(key) == 36


async def test_what_is_not_its_own_is_left_alone(world: World) -> None:
    async with world.clerk():
        others = [
            await world.say(tenant="steinhagen"),
            await world.say(type="de.rathaus.applications.application_submitted.v1"),
        ]
        await world.send([], b"no event", "x")
        await world.decided(await world.say())
        await world.decided(await world.say())
    assert not set(others) & set(world.platform.effects)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_a_gateway_that_is_away_is_asked_again(world: World, status: int) -> None:
    world.platform.first = [lambda _: httpx.Response(status)] * 4
    async with world.clerk():
        case = await world.say()
        await world.decided(case)
    assert len([each for each in world.platform.decisions if each[0] == case]) == 1


async def test_a_lost_answer_has_one_effect(world: World) -> None:
    def _lost(request: httpx.Request) -> httpx.Response:
        world.platform.decided(request)
        raise httpx.ReadTimeout("lost", request=request)

    world.platform.first = [_lost]
    async with world.clerk():
        case = await world.say()
        await wait_until(lambda: len([1 for each in world.platform.decisions if each[0] == case]) == 2)
        await world.decided(await world.say())
    first, second = (each for each in world.platform.decisions if each[0] == case)
    assert first == second


async def test_nothing_is_read_again_after_its_answer_and_nothing_is_missed(world: World) -> None:
    async with world.clerk():
        before = await world.say()
        await world.decided(before)
    meanwhile = await world.say()
    asked = len([1 for each in world.platform.decisions if each[0] == before])
    async with world.clerk():
        await world.decided(meanwhile)
    assert len([1 for each in world.platform.decisions if each[0] == before]) == asked == 1


async def test_a_case_that_is_decided_already_is_done(world: World) -> None:
    async with world.clerk():
        case = str(uuid4())
        world.platform.effects[case] = "somebody else's"
        await world.say(case)
        await wait_until(lambda: any(each[0] == case for each in world.platform.decisions))
        await world.decided(await world.say())
    assert not (world.folder / "put_aside.jsonl").exists()


async def test_a_conflict_of_the_moment_is_tried_again(world: World) -> None:
    world.platform.first = [lambda _: httpx.Response(409, json={})]
    async with world.clerk():
        await world.decided(await world.say())


async def test_what_repetition_does_not_mend_is_put_aside_without_names(world: World) -> None:
    world.platform.first = [lambda _: httpx.Response(422, json={"title": "The content isn't valid"})]
    async with world.clerk():
        case = await world.say()
        file = world.folder / "put_aside.jsonl"
        await wait_until(file.exists)
        await world.decided(await world.say())
    assert case in file.read_text()
    assert "Erika" not in file.read_text()


async def test_its_token_goes_nowhere_else(world: World) -> None:
    async with world.clerk():
        case = str(uuid4())
        data = {"case_id": case, "service_id": "registration-certificate", "dataref": "//elsewhere.example/x"}
        await world.send(_headers(str(uuid4())), json.dumps(data).encode(), case)
        await wait_until((world.folder / "put_aside.jsonl").exists)


async def test_it_runs_as_a_program(kafka_url: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {
        "KAFKA_URL": kafka_url,
        "GATEWAY_URL": "http://127.0.0.1:9",
        "CLIENT_ID": "register",
        "CLIENT_SECRET": "secret",
        "GROUP": f"register-{uuid4()}",
        "PORT": str(port),
        "DATA_DIR": str(tmp_path),
    }
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.population_register", cwd=ROOT, env={**os.environ, **told}
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def _alive() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx.HTTPError:
                    return False

            await wait_until(_alive, what="the register is alive")
    finally:
        program.terminate()
        assert await asyncio.wait_for(program.wait(), 10) in {
            0,
            -signal.SIGTERM,
        }  # uvicorn ends, then says by which signal
