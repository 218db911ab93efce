"""The HTTP edge of a service on the real database: limits, errors, repetitions, towns."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Annotated, Any

import httpx
import psutil
import pytest
import structlog
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from chassis import context, metrics
from chassis.aggregates import Answer, Change, Snapshot, Store
from chassis.errors import ConfigurationError
from chassis.http import Access, Caller, Paging, Router, after, page, respond
from chassis.service import Service
from contracts.values import TrustLevel
from tests.support.diaries import OTHER_TOWN, TOWN, Diary, House, noting, written
from tests.support.tokens import Issuer
from tests.support.waiting import wait_until

CANARY = "Erika-Beispiel-1964"
ISSUER = Issuer()
BASIC = Access(persons=TrustLevel.BASIC, staff=["clerk"])
EDITING = Access(persons=TrustLevel.BASIC, if_match=True)
PATH = f"/emitter/v1/{TOWN}/diaries"


class Line(BaseModel):
    line: str = Field(min_length=2, max_length=20, examples=["hello"])
    number: int = 0


def shown(snapshot: Snapshot[Diary]) -> Answer:
    body = {"id": snapshot.id, "lines": list(snapshot.state.lines)}
    return Answer(201, body, snapshot.etag, f"{PATH}/{snapshot.id}")


def routes(house: House, store: Store[Diary]) -> Router:
    router = Router("/emitter/v1/{tenant}")

    @router.post("/diaries", status_code=201)
    async def begin(tenant: str, line: Line, caller: Annotated[Caller, Depends(BASIC)]) -> Response:
        change = caller.change
        return respond(
            await store.upsert_on_request(change, tenant, change.new_id("diary"), noting(house, line.line), shown)
        )

    @router.put("/diaries/{diary}")
    async def edit(tenant: str, diary: str, line: Line, caller: Annotated[Caller, Depends(EDITING)]) -> Response:
        answer = await store.on_request(
            caller.change, tenant, diary, lambda state, _: Change(replace(state, lines=(line.line,))), shown
        )
        return respond(replace(answer, status=200))

    @router.get("/diaries")
    async def list_all(
        tenant: str, _: Annotated[Caller, Depends(BASIC)], paging: Annotated[Paging, Depends()]
    ) -> dict[str, Any]:
        found = await store.find(
            tenant, after(paging, "state.case"), sort=[("state.case", 1), ("_id", 1)], limit=paging.limit + 1
        )
        return page(found, paging, lambda each: each.id, lambda each: (each.state.case or "", each.id))

    @router.get("/diaries/{diary}")
    async def one(tenant: str, diary: str, _: Annotated[Caller, Depends(BASIC)]) -> dict[str, Any]:
        return {"lines": (await store.require(tenant, diary)).state.lines}

    @router.put("/files")
    async def upload(
        request: HttpRequest,
        _: Annotated[Caller, Depends(Access(persons=TrustLevel.BASIC, media_types=["application/pdf"]))],
    ) -> dict[str, int]:
        return {"size": sum([len(chunk) async for chunk in request.stream()])}

    @router.get("/breaks")
    async def breaks(_: Annotated[Caller, Depends(BASIC)]) -> None:
        raise RuntimeError(CANARY)

    @router.get("/hangs")
    async def hangs(_: Annotated[Caller, Depends(BASIC)]) -> None:
        await asyncio.Event().wait()

    @router.get("/breaks-off")
    async def breaks_off(_: Annotated[Caller, Depends(BASIC)]) -> Response:
        async def _chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError(CANARY)

        return StreamingResponse(_chunks())

    @router.get("/slow-download")
    async def slow_download(_: Annotated[Caller, Depends(BASIC)]) -> Response:
        async def _chunks() -> AsyncIterator[bytes]:
            for _ in range(8):
                await asyncio.sleep(0.1)
                yield b"x"

        return StreamingResponse(_chunks())

    @router.get("/public")
    async def public(caller: Annotated[Caller, Depends(Access(public=True))]) -> str:
        return caller.principal.subject

    return router


class Edge:
    """A service's HTTP application and a client."""

    def __init__(self, house: House, service: Service) -> None:
        self.house = house
        self.service = service
        service.verifier = ISSUER.verifier()
        self.store = service.store(house.kind())
        service.route(routes(house, self.store))
        transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test")

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**person(), **more.pop("headers", {})}
        if method == "POST":
            headers.setdefault("Idempotency-Key", "key-0000000001")
        return await self.client.request(method, path, headers={k: v for k, v in headers.items() if v}, **more)


def person(**more: Any) -> dict[str, str]:
    return ISSUER.headers(**{"kind": "person", "acr": "basic", "tenant": TOWN, **more})


@pytest.fixture
async def edge(house: House) -> AsyncIterator[Edge]:
    house.database()
    made = Edge(house, house.service(body_limit_bytes=2000, file_limit_bytes=10_000, request_timeout_seconds=3.0))
    yield made
    await made.client.aclose()
    made.service.database.close()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"https://rathaus.example/problems/{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    assert CANARY not in answer.text
    assert "Traceback" not in answer.text
    return body


# Errors


async def test_no_such_route_and_no_such_method(edge: Edge) -> None:
    problem(await edge("GET", "/nowhere"), 404, "not_found")
    refused = await edge("DELETE", PATH)
    problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"]


async def test_content_that_is_not_valid_is_named_but_not_echoed(edge: Edge) -> None:
    for content in ({"line": CANARY * 9}, {"line": "ok", "number": CANARY}, [CANARY], {"lime": CANARY}):
        body = problem(await edge("POST", PATH, json=content), 422, "invalid")
        assert body["errors"][0]["pointer"].startswith("/body")
    headers = {"Content-Type": "application/json"}
    problem(await edge("POST", PATH, content=f'{{"line": "{CANARY}', headers=headers), 422, "invalid")
    problem(await edge("POST", PATH, content=b'{"line": "\xff\xff"}', headers=headers), 400, "bad_request")
    problem(await edge("GET", f"{PATH}?limit={CANARY}"), 422, "invalid")


@pytest.mark.parametrize("given", ["text/plain", "application/xml", None])
async def test_another_type_of_content_is_refused(edge: Edge, given: str | None) -> None:
    headers = {"Content-Type": given} if given else {}
    problem(await edge("POST", PATH, content=b"x=1", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_long_is_refused(edge: Edge, method: str, declared: bool) -> None:
    content = json.dumps({"line": "x" * 3000}).encode()

    async def _chunked() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 500):
            yield content[start : start + 500]

    headers = {"Content-Type": "application/json", "If-Match": '"1"'}
    path = PATH if method == "POST" else f"{PATH}/x"
    answer = await edge(method, path, content=content if declared else _chunked(), headers=headers)
    assert problem(answer, 413, "too_large")["limit"] == 2000


async def test_a_file_has_its_own_limit(edge: Edge) -> None:
    path, headers = f"/emitter/v1/{TOWN}/files", {"Content-Type": "application/pdf"}
    answer = await edge("PUT", path, content=b"x" * 9000, headers=headers)
    assert answer.json() == {"size": 9000}
    problem(await edge("PUT", path, content=b"x" * 11000, headers=headers), 413, "too_large")


async def test_what_nobody_expected_is_a_problem_without_details(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    given = "6f7c8f0e-8a0b-4b57-9f0c-0d4f6f1f2f3a"
    answer = await edge("GET", f"/emitter/v1/{TOWN}/breaks", headers={"X-Request-Id": given})
    problem(answer, 500, "internal")
    assert answer.headers["x-request-id"] == given


async def test_an_answer_that_was_begun_is_broken_off(edge: Edge) -> None:
    with pytest.raises(RuntimeError):
        await httpx.AsyncClient(transport=httpx.ASGITransport(edge.service.app), base_url="http://test").get(
            f"/emitter/v1/{TOWN}/breaks-off", headers=person()
        )


async def test_a_download_may_take_long_while_it_goes_on(house: House) -> None:
    edge = Edge(house, house.service(request_timeout_seconds=0.5))
    assert (await edge("GET", f"/emitter/v1/{TOWN}/slow-download")).content == b"x" * 8
    problem(await edge("GET", f"/emitter/v1/{TOWN}/hangs"), 503, "engine_away")
    await edge.client.aclose()
    edge.service.database.close()


@pytest.mark.parametrize("how", ["dead port", "accepts and is silent"])
async def test_a_database_that_is_away_is_a_503_within_two_seconds(house: House, how: str) -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # the kernel accepts, and nobody ever answers
    port = 9 if how == "dead port" else silent.getsockname()[1]
    url = f"mongodb://127.0.0.1:{port}/?retryWrites=false"
    edge = Edge(house, house.service(mongo_url=url))
    loop = asyncio.get_running_loop()
    for method, path, body in (("GET", f"{PATH}/x", None), ("POST", PATH, {"line": "hello"})):
        began = loop.time()
        answer = await edge(method, path, json=body)
        assert loop.time() - began < 2.0
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"]
    await edge.client.aclose()
    edge.service.database.close()
    silent.close()


async def test_a_database_that_freezes_is_a_503_within_two_seconds(edge: Edge, mongo_engine: Any) -> None:
    assert (await edge("POST", PATH, json={"line": "hello"})).status_code == 201
    loop = asyncio.get_running_loop()
    with frozen(mongo_engine):
        began = loop.time()
        answer = await edge("GET", f"{PATH}/x")
        took = loop.time() - began
    problem(answer, 503, "engine_away")
    assert took < 2.0


@contextlib.contextmanager
def frozen(engine: Any) -> Iterator[None]:
    """The engine's processes stand still, with their connections open."""
    children = [each for each in psutil.Process().children(recursive=True) if "secantusd" in " ".join(each.cmdline())]
    assert children
    for each in children:
        each.suspend()
    try:
        yield
    finally:
        for each in children:
            each.resume()


# Who may


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "not_authenticated"),
        ({"Authorization": "Bearer nonsense"}, 401, "not_authenticated"),
        ({"Authorization": "Basic eDp5"}, 401, "not_authenticated"),
        (person(tenant=OTHER_TOWN), 404, "not_found"),
        (person(acr="none"), 403, "forbidden"),
        (ISSUER.headers(kind="staff", sub="s", tenant=TOWN, roles=["cashier"]), 403, "forbidden"),
        (ISSUER.headers(kind="client", sub="c", tenant="*", scope="internal"), 403, "forbidden"),
    ],
    ids=["no token", "nonsense", "basic", "other town", "trust level", "role", "scope"],
)
async def test_who_may_not(edge: Edge, headers: dict[str, str], status: int, code: str) -> None:
    for method in ("GET", "POST"):
        answer = await edge(method, PATH, headers=headers, **({"json": {"line": "hello"}} if method == "POST" else {}))
        problem(answer, status, code)
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert await edge.store.find(TOWN, {}) == []


async def test_who_may_not_is_told_what_is_needed(edge: Edge) -> None:
    cashier = ISSUER.headers(kind="staff", sub="s", tenant=TOWN, roles=["cashier"])
    assert "role" in (await edge("GET", PATH, headers=cashier)).json()["detail"]
    assert "clerk" in (await edge("GET", PATH, headers=cashier)).json()["detail"]
    assert "trust level" in (await edge("GET", PATH, headers=person(acr="none"))).json()["detail"]


async def test_who_may(edge: Edge) -> None:
    assert (await edge("GET", PATH)).status_code == 200
    clerk = ISSUER.headers(kind="staff", sub="s", tenant=TOWN, roles=["clerk"])
    assert (await edge("GET", PATH, headers=clerk)).status_code == 200
    anybody = await edge("GET", f"/emitter/v1/{TOWN}/public", headers={"Authorization": ""})
    assert anybody.json() == "anonymous"


async def test_who_may_not_is_told_before_the_body_is_read(edge: Edge) -> None:
    problem(await edge("POST", PATH, content=b"{", headers={"Authorization": ""}), 401, "not_authenticated")


async def test_another_towns_diary_is_not_found(edge: Edge) -> None:
    place = (await edge("POST", PATH, json={"line": "hello"})).headers["location"]
    there = place.replace(TOWN, OTHER_TOWN)
    problem(await edge("GET", there, headers=person(tenant=OTHER_TOWN)), 404, "not_found")
    problem(await edge("GET", there), 404, "not_found")


def test_a_route_without_access_stops_the_construction(house: House) -> None:
    router = Router("/emitter/v1")
    with pytest.raises(ConfigurationError, match="names no Access"):

        @router.get("/open")
        async def _open() -> None: ...


@pytest.mark.parametrize("how", ["plain router", "nested", "added", "mounted"])
async def test_no_other_kind_of_route_gets_in(house: House, how: str) -> None:
    service = house.service()
    plain = APIRouter(prefix="/emitter/v1")

    @plain.get("/open")
    async def _open() -> str:
        return "anybody"

    router = Router("/emitter/v1")
    match how:
        case "plain router":
            service.route(plain)  # type: ignore[arg-type]
        case "nested":
            router.include_router(plain)
            service.route(router)
        case "added":
            router.add_route("/open", lambda _: Response("anybody"))
            service.route(router)
        case _:
            router.mount("/open", lambda *_: None)  # type: ignore[arg-type]
            service.route(router)
    with pytest.raises(ConfigurationError):
        _ = service.app
    service.database.close()


# Repetitions and versions


async def test_an_idempotency_key_is_needed_and_works(edge: Edge) -> None:
    for key in ("", "short", "with space in it", "x" * 129):
        headers = {"Idempotency-Key": key}
        problem(await edge("POST", PATH, json={"line": "hello"}, headers=headers), 400, "bad_request")
    first = await edge("POST", PATH, json={"line": "hello"})
    again = await edge("POST", PATH, json={"line": "hello"})
    assert first.status_code == again.status_code == 201
    assert (first.content, first.headers["etag"], first.headers["location"]) == (
        again.content,
        again.headers["etag"],
        again.headers["location"],
    )
    assert len(await edge.store.find(TOWN, {})) == 1
    problem(await edge("POST", PATH, json={"line": "other"}), 422, "idempotency_key_reused")
    other = await edge("POST", PATH, json={"line": "other"}, headers=person(sub="00000000-0000-5000-8000-000000000002"))
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


async def test_two_editors_do_not_overwrite_each_other(edge: Edge) -> None:
    made = await edge("POST", PATH, json={"line": "hello"})
    place, tag = made.headers["location"], made.headers["etag"]
    content = {"line": "changed"}
    problem(await edge("PUT", place, json=content), 428, "precondition_required")
    problem(await edge("PUT", place, json=content, headers={"If-Match": "W/x"}), 400, "bad_request")
    changed = await edge("PUT", place, json=content, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    problem(await edge("PUT", place, json=content, headers={"If-Match": tag}), 412, "precondition_failed")
    keyed = {"If-Match": changed.headers["etag"], "Idempotency-Key": "lost-answer-1"}
    first = await edge("PUT", place, json=content, headers=keyed)
    again = await edge("PUT", place, json=content, headers=keyed)
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])


async def test_too_many_at_a_time_are_refused_at_once(edge: Edge) -> None:
    hanging = [asyncio.create_task(edge("GET", f"/emitter/v1/{TOWN}/hangs")) for _ in range(64)]
    at_work = metrics.HTTP_AT_WORK.labels("emitter")
    await wait_until(lambda: at_work._value.get() == 64)
    refused = await asyncio.wait_for(edge("GET", PATH), 1)
    problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"]
    assert (await edge("GET", "/livez")).status_code == 200
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    await wait_until(lambda: at_work._value.get() == 0)
    assert (await edge("GET", PATH)).status_code == 200


# Pages


async def test_walking_the_pages_finds_each_entry_once(edge: Edge) -> None:
    cases = [f"00000000-0000-5000-8000-00000000000{n % 3}" for n in range(25)]
    for number, case in enumerate(cases):
        await edge.store.collection.insert(
            {"_id": f"d{number:02}", "tenant": TOWN, "version": 1, "state": {"lines": [], "case": case}, "sequence": 0}
        )
    await edge.store.collection.insert(
        {"_id": "theirs", "tenant": OTHER_TOWN, "version": 1, "state": {"lines": [], "case": cases[0]}, "sequence": 0}
    )
    walked: list[str] = []
    query = "limit=4"
    while True:
        found = (await edge("GET", f"{PATH}?{query}")).json()
        walked += found["items"]
        if found["next"] is None:
            break
        assert len(found["items"]) == 4
        query = f"limit=4&cursor={found['next']}"
    assert walked == [f"d{n:02}" for n in sorted(range(25), key=lambda n: (cases[n], n))]


@pytest.mark.parametrize("cursor", ["nonsense", "W10=", "WzEsMiwzXQ==", "e30=", "%FF", "MQ==", "bnVsbA=="])
async def test_a_strange_cursor_is_refused(edge: Edge, cursor: str) -> None:
    problem(await edge("GET", f"{PATH}?cursor={cursor}"), 400, "bad_request")


# What travels along


async def test_the_threads_go_into_the_events(edge: Edge) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    request_id = "6f7c8f0e-8a0b-4b57-9f0c-0d4f6f1f2f3a"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-Id": request_id}
    answer = await edge("POST", PATH, json={"line": "hello"}, headers=headers)
    assert answer.headers["x-request-id"] == request_id
    [(envelope, _)] = await edge.store.events(TOWN, answer.json()["id"])
    assert envelope.correlationid == request_id
    assert envelope.traceparent is not None
    assert envelope.traceparent.split("-")[1] == trace
    assert "b7ad6b7169203331" not in envelope.traceparent, "a span of its own"
    assert context.current().trace_id != trace


@pytest.mark.parametrize("given", ["", "nonsense", "x" * 5000, "<script>", "00-" + "z" * 32 + "-b7ad6b7169203331-01"])
async def test_strange_ids_are_replaced(edge: Edge, given: str) -> None:
    answer = await edge("POST", PATH, json={"line": "hello"}, headers={"X-Request-Id": given, "traceparent": given})
    assert answer.status_code == 201
    assert answer.headers["x-request-id"] != given
    assert await edge.store.events(TOWN, answer.json()["id"])


async def test_nothing_of_a_request_is_logged(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as lines:
        await edge("POST", PATH, json={"line": CANARY})
        await edge("POST", PATH, json={"number": CANARY})
        await edge("GET", f"{PATH}/{CANARY}?x={CANARY}")
    assert [line["status"] for line in lines if line["event"] == "request"] == [201, 422, 404]
    assert CANARY not in str(lines)
    assert CANARY not in str([record.getMessage() for record in caplog.records if record.name != "httpx"])


async def test_methods_of_anybodys_invention_are_no_label(edge: Edge) -> None:
    await edge("CANARY", PATH)
    assert "CANARY" not in (await edge("GET", "/metrics")).text
    assert f'route="{PATH.replace(TOWN, "{tenant}")}"' in (await edge("GET", "/metrics")).text


# The common routes and the description


async def test_alive_and_ready(edge: Edge) -> None:
    assert (await edge("GET", "/livez")).status_code == 200
    ready = await edge("GET", "/readyz")
    assert ready.status_code == 503
    assert ready.json()["checks"] == {
        "state": "starting",
        "database": "ok",
        "broker": "not connected to the broker yet",
        "background": "ok",
    }


async def test_the_description_is_complete(edge: Edge) -> None:
    document = (await edge("GET", "/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    operations = {
        (path, method): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    begin = operations["/emitter/v1/{tenant}/diaries", "post"]
    edit = operations["/emitter/v1/{tenant}/diaries/{diary}", "put"]
    assert {"400", "401", "403", "404", "409", "413", "415", "422", "500", "503"} <= set(begin["responses"])
    assert {"412", "428"} <= set(edit["responses"])
    headers = {each["name"]: each for each in begin["parameters"] if each["in"] == "header"}
    assert headers["Idempotency-Key"]["required"]
    assert {each["name"]: each["required"] for each in edit["parameters"] if each["in"] == "header"} == {
        "Idempotency-Key": False,
        "If-Match": True,
    }
    assert begin["security"] == [{"token": []}]
    assert "security" not in operations["/emitter/v1/{tenant}/public", "get"]
    for operation in operations.values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert "application/problem+json" in response["content"]
    for reference in _references(document):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def _references(node: Any) -> list[str]:
    match node:
        case dict():
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for each in node.values() for found in _references(each)]
        case list():
            return [found for each in node for found in _references(each)]
    return []


async def test_what_is_written_is_read(edge: Edge) -> None:
    made = await edge("POST", PATH, json={"line": "hello"})
    await edge.store.upsert_on_request(
        _request(), TOWN, made.json()["id"], written("more"), lambda each: Answer(200, list(each.state.lines))
    )
    assert (await edge("GET", made.headers["location"])).json() == {"lines": ["hello", "more"]}


def _request() -> Any:
    from chassis.aggregates import Request  # noqa: PLC0415

    return Request("c", "POST /more", "key-more-0001", "b")
