"""The store's one write, on the real database and on the simulation's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from chassis import context
from chassis.aggregates import (
    MAX_REQUESTS_KEPT,
    MAX_WRITE_TRIES,
    Answer,
    Change,
    Kind,
    Request,
    Signals,
    Snapshot,
    Store,
    Transition,
)
from chassis.errors import (
    DuplicateKey,
    EngineAway,
    Gone,
    IdempotencyKeyReused,
    NotFound,
    NotYet,
    OutcomeUnknown,
    PreconditionFailed,
    WriteConflict,
)
from chassis.mongo import Collection, Index, TenantCollection
from contracts.envelope import MAX_DATA_BYTES
from tests.support.diaries import OTHER_TOWN, TOWN, Diary, House, a_subject, in_a_while, noting, received, written


def request(key: str = "key-00000001", body: str = "b", expected: int | None = None, client: str = "c") -> Request:
    return Request(client, "POST /x", key, body, expected)


def shown(snapshot: Snapshot[Diary]) -> Answer:
    return Answer(201, {"lines": list(snapshot.state.lines)}, snapshot.etag, f"/x/{snapshot.id}")


async def raw(store: Store[Diary], aggregate_id: str) -> dict[str, Any]:
    found = await store.collection.find_one({"_id": aggregate_id})
    assert found is not None
    return found


def deleting(state: Diary | None, now: datetime) -> Change[None]:
    return Change(None)


class Wrapped:
    """A collection that behaves until told otherwise: the way to a lost answer, or to the moment between two steps."""

    def __init__(self, inner: Collection) -> None:
        self._inner = inner
        self.before: Callable[[str], Any] | None = None
        self.lose: set[str] = set()
        """Operations whose next answer is lost after they happened."""
        self.refuse: set[str] = set()
        """Operations that end as unknown without having happened."""
        self.filters: list[Mapping[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def _around(self, name: str, step: Callable[[], Any]) -> Any:
        if self.before is not None:
            hook, self.before = self.before, None
            await hook(name)
        if name in self.refuse:
            self.refuse.discard(name)
            raise OutcomeUnknown("injected")
        result = await step()
        if name in self.lose:
            self.lose.discard(name)
            raise OutcomeUnknown("injected")
        return result

    async def insert(self, document: dict[str, Any]) -> Any:
        self.filters.append(document)
        return await self._around("insert", lambda: self._inner.insert(document))

    async def update(self, where: Mapping[str, Any], change: Mapping[str, Any], **more: Any) -> Any:
        self.filters.append(where)
        return await self._around("update", lambda: self._inner.update(where, change, **more))

    async def delete(self, where: Mapping[str, Any]) -> Any:
        self.filters.append(where)
        return await self._inner.delete(where)

    async def find_one(self, where: Mapping[str, Any], *more: Any) -> Any:
        self.filters.append(where)
        return await self._inner.find_one(where, *more)

    async def find(self, where: Mapping[str, Any], *more: Any, **options: Any) -> AsyncIterator[dict[str, Any]]:
        self.filters.append(where)
        async for row in self._inner.find(where, *more, **options):
            yield row


@pytest.fixture
def store(house: House) -> Store[Diary]:
    return house.store()


@pytest.fixture
def wrapped(store: Store[Diary]) -> Wrapped:
    made = Wrapped(store.collection)
    store.collection = made  # type: ignore[assignment]
    return made


# Two writers


async def test_events_from_many_sources_at_once_are_all_applied_once(house: House, store: Store[Diary]) -> None:
    target = a_subject()
    events = [received(house, a_subject(), 1) for _ in range(12)]
    await asyncio.gather(
        *(store.upsert_on_event(each, target, written(str(n))) for n, each in enumerate([*events, *events]))
    )
    found = await store.require(TOWN, target)
    assert len(found.state.lines) == 12
    assert found.version == 12


async def test_a_request_is_tried_again_after_a_write_race_unless_it_named_a_version(
    house: House, store: Store[Diary], wrapped: Wrapped
) -> None:
    target = a_subject()
    await store.upsert_on_request(request(), TOWN, target, written("first"), shown)

    async def _other(_: str) -> None:
        await store.upsert_on_event(received(house, a_subject(), 1), target, written("other"))

    wrapped.before = _other
    await store.upsert_on_request(request("key-00000002"), TOWN, target, written("second"), shown)
    wrapped.before = _other
    with pytest.raises(PreconditionFailed):
        await store.upsert_on_request(request("key-00000003", expected=3), TOWN, target, written("third"), shown)
    assert (await store.require(TOWN, target)).state.lines == ("first", "other", "second", "other")


async def test_a_request_that_always_meets_other_writers_is_refused_in_the_end(
    store: Store[Diary], wrapped: Wrapped
) -> None:
    target, tries = a_subject(), 0
    await store.upsert_on_request(request(), TOWN, target, written("first"), shown)

    async def _never(*_: Any) -> bool:
        nonlocal tries
        tries += 1
        return False

    wrapped.update = _never  # type: ignore[assignment]
    with pytest.raises(WriteConflict) as refused:
        await store.upsert_on_request(request("key-00000002"), TOWN, target, written("second"), shown)
    assert (refused.value.status, tries) == (409, MAX_WRITE_TRIES)


async def test_the_same_request_twice_at_once_is_one(store: Store[Diary]) -> None:
    target = a_subject()
    answers = await asyncio.gather(
        *(store.upsert_on_request(request(), TOWN, target, written("once"), shown) for _ in range(8))
    )
    assert {answer.etag for answer in answers} == {'"1"'}
    assert (await store.require(TOWN, target)).state.lines == ("once",)


async def test_a_request_decided_on_an_older_version_is_refused(store: Store[Diary]) -> None:
    target = a_subject()
    await store.upsert_on_request(request(), TOWN, target, written("a"), shown)
    await store.upsert_on_request(request("key-00000002", expected=1), TOWN, target, written("b"), shown)
    with pytest.raises(PreconditionFailed):
        await store.upsert_on_request(request("key-00000003", expected=1), TOWN, target, written("c"), shown)
    with pytest.raises(PreconditionFailed):
        await store.upsert_on_request(request("key-00000004", expected=1), TOWN, a_subject(), written("c"), shown)


# The same again


async def test_a_repeated_request_gets_the_same_answer_whatever_came_between(store: Store[Diary]) -> None:
    target = a_subject()
    first = await store.upsert_on_request(request(), TOWN, target, written("a"), shown)
    for number in range(MAX_REQUESTS_KEPT - 1):
        await store.upsert_on_request(request(f"other-{number:08}"), TOWN, target, written("more"), shown)
    again = await store.upsert_on_request(request(), TOWN, target, written("a"), shown)
    assert again == first
    assert len((await raw(store, target))["requests"]) == MAX_REQUESTS_KEPT
    # The memory is bounded: one more, and the first is forgotten.
    await store.upsert_on_request(request("other-last"), TOWN, target, written("more"), shown)
    assert len((await raw(store, target))["requests"]) == MAX_REQUESTS_KEPT
    assert (await store.upsert_on_request(request(), TOWN, target, written("a"), shown)) != first


async def test_the_same_key_with_another_body_is_refused(store: Store[Diary]) -> None:
    target = a_subject()
    await store.upsert_on_request(request(), TOWN, target, written("a"), shown)
    with pytest.raises(IdempotencyKeyReused):
        await store.upsert_on_request(request(body="other"), TOWN, target, written("b"), shown)
    # Another client may use the same key for itself.
    await store.upsert_on_request(request(body="other", client="d"), TOWN, target, written("c"), shown)
    assert (await store.require(TOWN, target)).state.lines == ("a", "c")


async def test_first_and_repeated_answer_are_the_same_value(house: House, store: Store[Diary]) -> None:
    """Also where the body has times or tuples, which JSON knows as strings and lists."""
    target = a_subject()

    def _dated(snapshot: Snapshot[Diary]) -> Answer:
        return Answer(200, {"at": in_a_while(0), "lines": snapshot.state.lines})

    first = await store.upsert_on_request(request(), TOWN, target, written("a"), _dated)
    assert first == await store.upsert_on_request(request(), TOWN, target, written("a"), _dated)


async def test_a_repeated_event_changes_nothing(house: House, store: Store[Diary]) -> None:
    target, subject = a_subject(), a_subject()
    first = received(house, subject, 1)
    assert await store.upsert_on_event(first, target, noting(house, "a")) is not None
    before = await raw(store, target)
    assert await store.upsert_on_event(first, target, noting(house, "a")) is None
    assert await raw(store, target) == before


async def test_what_led_to_nothing_is_seen_too(house: House, store: Store[Diary]) -> None:
    target, subject = a_subject(), a_subject()
    await store.upsert_on_event(received(house, subject, 1), target, written("a"))
    decided = []

    def _nothing(state: Diary | None, now: datetime) -> Change[Diary | None]:
        decided.append(state)
        return Change(state)

    await store.upsert_on_event(received(house, subject, 2), target, _nothing)
    await store.upsert_on_event(received(house, subject, 2), target, _nothing)
    assert len(decided) == 1


async def test_one_id_in_two_streams_is_two_subjects(house: House, store: Store[Diary]) -> None:
    """Sequences count within a source: another stream's event 1 about the same thing is news."""
    target, subject = a_subject(), a_subject()
    ours = received(house, subject, 1)
    theirs = replace(
        ours, envelope=ours.envelope.model_copy(update={"source": ours.envelope.source.replace("/x", "/y")})
    )
    await store.upsert_on_event(ours, target, written("ours"))
    await store.upsert_on_event(theirs, target, written("theirs"))
    assert (await store.require(TOWN, target)).state.lines == ("ours", "theirs")


async def test_a_restored_line_is_news_and_the_old_one_is_not(house: House, store: Store[Diary]) -> None:
    target, subject = a_subject(), a_subject()
    for sequence in (1, 2, 3):
        await store.upsert_on_event(received(house, subject, sequence), target, written(f"old{sequence}"))
    await store.upsert_on_event(received(house, subject, 2, epoch=1), target, written("new2"))
    await store.upsert_on_event(received(house, subject, 3), target, written("late"))
    await store.upsert_on_event(received(house, subject, 2, epoch=1), target, written("again"))
    assert (await store.require(TOWN, target)).state.lines == ("old1", "old2", "old3", "new2")


async def test_creation_by_an_event_or_a_request_happens_once(house: House, store: Store[Diary]) -> None:
    event = received(house, a_subject(), 1)
    for _ in range(2):
        await store.upsert_on_event(event, event.new_id("copy"), noting(house, "a"))
    assert len(await store.events(TOWN, event.new_id("copy"))) == 1
    made = request()
    for _ in range(2):
        await store.upsert_on_request(made, TOWN, made.new_id("diary"), noting(house, "a"), shown)
    assert len(await store.events(TOWN, made.new_id("diary"))) == 1
    assert request("key-00000009").new_id("diary") != made.new_id("diary")
    assert event.new_id("copy") != received(house, a_subject(), 1).new_id("copy")


# What must exist


async def test_a_request_about_something_that_does_not_exist_is_not_found(store: Store[Diary]) -> None:
    target = a_subject()
    with pytest.raises(NotFound):
        await store.on_request(request(), TOWN, target, written("a"), shown)
    assert await store.collection.find_one({"_id": target}) is None


async def test_an_event_about_something_that_does_not_exist_is_passed_over_or_refused_as_asked(
    house: House, store: Store[Diary]
) -> None:
    target, event = a_subject(), received(house, a_subject(), 1)
    assert await store.on_event(event, target, written("a")) is None
    with pytest.raises(NotYet, match="later"):
        await store.on_event(event, target, written("a"), if_missing=NotYet("later"))
    assert await store.collection.find_one({"_id": target}) is None
    # Neither counts as seen: once it exists, the same event is applied.
    await store.upsert_on_request(request(), TOWN, target, written("first"), shown)
    await store.on_event(event, target, written("a"), if_missing=NotYet("later"))
    assert (await store.require(TOWN, target)).state.lines == ("first", "a")


async def test_a_transition_gets_the_clock_s_present_instant(house: House) -> None:
    clock = house.moved_clock()
    store, target = house.store(), a_subject()

    def _at(_: Diary | None, now: datetime) -> Change[Diary]:
        return Change(Diary(remind=now))

    await store.upsert_on_event(received(house, "s1", 1), target, _at)
    assert (await store.require(TOWN, target)).state.remind == clock.now()
    clock.advance(timedelta(seconds=5))
    [work] = [work async for work in store.overdue(clock.now())]
    await store.on_due(work, _at)
    assert (await store.require(TOWN, target)).state.remind == clock.now()


# Deleting


async def test_a_deleted_aggregate_leaves_a_tombstone(house: House, store: Store[Diary]) -> None:
    target, subject = a_subject(), a_subject()
    made = request()
    await store.upsert_on_request(made, TOWN, target, noting(house, "a"), shown)
    await store.upsert_on_event(received(house, subject, 1), target, written("b"))
    removal = Request("c", f"DELETE /x/{target}", "key-delete-1", "")

    def _delete(state: Diary, now: datetime) -> Change[None]:
        return Change(None, (house.noted(line="deleted"),))

    await store.on_request(removal, TOWN, target, _delete, shown)
    assert await store.get(TOWN, target) is None
    assert await store.find(TOWN, {}) == []
    with pytest.raises(NotFound):
        await store.require(TOWN, target)
    with pytest.raises(Gone):
        await store.upsert_on_request(request("key-00000007"), TOWN, target, written("c"), shown)
    left = await raw(store, target)
    assert "state" not in left
    assert left["due"] == {}
    assert "due_at" not in left
    assert [envelope.sequence for envelope, _ in await store.events(TOWN, target)] == [1, 2]
    assert left["unpublished_since"]
    # A repetition of what deleted it gets its answer; an event repeated or new brings nothing back.
    assert (await store.on_request(removal, TOWN, target, _delete, shown)).status == 201
    assert await store.upsert_on_event(received(house, subject, 1), target, written("back")) is None
    assert await store.upsert_on_event(received(house, subject, 2), target, written("back")) is None
    assert "state" not in await raw(store, target)


# Due work


async def test_due_follows_the_state(house: House) -> None:
    house.moved_clock()
    store, target = house.store(), a_subject()

    def _at(remind: float | None, call: float | None) -> Transition[Diary | None]:
        diary = Diary(remind=remind and in_a_while(remind), call=call and in_a_while(call))  # type: ignore[arg-type]
        return lambda *_: Change(diary)

    async def _moved(n: int, remind: float | None, call: float | None) -> dict[str, Any]:
        await store.upsert_on_event(received(house, f"s{n}", 1), target, _at(remind, call))
        return await raw(store, target)

    assert (await _moved(1, 60, 30))["due_at"] == in_a_while(30)
    assert (await _moved(2, 60, None))["due_at"] == in_a_while(60)
    assert set((await raw(store, target))["due"]) == {"remind"}
    assert "due_at" not in await _moved(3, None, None)


async def test_work_put_off_keeps_its_place_until_the_state_asks_anew(house: House) -> None:
    clock = house.moved_clock()
    store, target = house.store(), a_subject()
    await store.upsert_on_event(received(house, "s1", 1), target, lambda *_: Change(Diary(remind=in_a_while(10))))
    assert [work async for work in store.overdue(clock.now())] == []
    clock.advance(timedelta(seconds=10))
    [work] = [work async for work in store.overdue(clock.now())]
    assert (work.name, work.attempts) == ("remind", 0)
    version = (await raw(store, target))["version"]
    await store.postpone(work, in_a_while(20))
    after = await raw(store, target)
    assert after["version"] == version
    assert after["due_at"] == in_a_while(20)
    assert [work async for work in store.overdue(clock.now())] == []
    # A change that leaves the time alone leaves the waiting alone; another time begins anew.
    await store.upsert_on_event(received(house, "s2", 1), target, written("x"))
    assert (await raw(store, target))["due"]["remind"]["attempts"] == 1
    await store.upsert_on_event(received(house, "s3", 1), target, lambda *_: Change(Diary(remind=in_a_while(11))))
    assert (await raw(store, target))["due"]["remind"]["attempts"] == 0
    assert await store.on_due(work, written("too late")) is None


async def test_putting_off_does_not_hide_work_that_came_meanwhile(house: House) -> None:
    clock = house.moved_clock()
    store, target = house.store(), a_subject()
    await store.upsert_on_event(received(house, "s1", 1), target, lambda *_: Change(Diary(remind=in_a_while(0))))
    [work] = [work async for work in store.overdue(clock.now())]
    wrapped = Wrapped(store.collection)
    store.collection = wrapped  # type: ignore[assignment]

    async def _sooner(_: str) -> None:
        await store.on_event(received(house, "s2", 1), target, lambda s, _: Change(replace(s, call=in_a_while(5))))

    wrapped.before = _sooner
    await store.postpone(work, in_a_while(300))
    assert (await raw(store, target))["due_at"] == in_a_while(5)


# An answer that got lost


@pytest.mark.parametrize("operation", ["insert", "update"])
@pytest.mark.parametrize("happened", [True, False])
async def test_an_event_whose_write_is_unknown_is_applied_once(
    house: House, store: Store[Diary], wrapped: Wrapped, operation: str, happened: bool
) -> None:
    target, subject = a_subject(), a_subject()
    if operation == "update":
        await store.upsert_on_event(received(house, a_subject(), 1), target, noting(house, "before"))
    (wrapped.lose if happened else wrapped.refuse).add(operation)
    await store.upsert_on_event(received(house, subject, 1), target, noting(house, "x"))
    assert not wrapped.lose
    assert not wrapped.refuse
    found = await store.require(TOWN, target)
    assert found.state.lines.count("x") == 1
    said = await store.events(TOWN, target)
    assert [data["line"] for _, data in said].count("x") == 1
    assert [envelope.sequence for envelope, _ in said] == list(range(1, len(said) + 1))


@pytest.mark.parametrize("operation", ["insert", "update"])
@pytest.mark.parametrize("happened", [True, False])
async def test_a_request_whose_write_is_unknown_says_so_and_can_be_repeated(
    house: House, store: Store[Diary], wrapped: Wrapped, operation: str, happened: bool
) -> None:
    target = a_subject()
    if operation == "update":
        await store.upsert_on_request(request("key-before"), TOWN, target, noting(house, "before"), shown)
    (wrapped.lose if happened else wrapped.refuse).add(operation)
    with pytest.raises(OutcomeUnknown):
        await store.upsert_on_request(request(), TOWN, target, noting(house, "x"), shown)
    answer = await store.upsert_on_request(request(), TOWN, target, noting(house, "x"), shown)
    assert answer.status == 201
    assert (await store.require(TOWN, target)).state.lines.count("x") == 1


async def test_due_work_whose_write_is_unknown_is_recorded_once(house: House) -> None:
    clock = house.moved_clock()
    store, target = house.store(), a_subject()
    await store.upsert_on_event(received(house, "s1", 1), target, lambda *_: Change(Diary(remind=clock.now())))
    [work] = [work async for work in store.overdue(clock.now())]
    wrapped = Wrapped(store.collection)
    store.collection = wrapped  # type: ignore[assignment]
    wrapped.lose.add("update")

    def _done(state: Diary, now: datetime) -> Change[Diary]:
        return Change(replace(state, lines=(*state.lines, "done"), remind=None), (house.noted(line="done"),))

    await store.on_due(work, _done)
    assert (await store.require(TOWN, target)).state.lines == ("done",)
    assert len(await store.events(TOWN, target)) == 1


async def test_writes_that_never_get_through_end_as_unknown(
    house: House, store: Store[Diary], wrapped: Wrapped
) -> None:
    tries = 0

    async def _always(*_: Any) -> None:
        nonlocal tries
        tries += 1
        raise OutcomeUnknown("injected")

    wrapped.insert = _always  # type: ignore[method-assign]
    with pytest.raises(EngineAway):
        await store.upsert_on_event(received(house, a_subject(), 1), a_subject(), written("x"))
    assert tries == MAX_WRITE_TRIES


# What may be said


async def test_an_event_that_could_not_be_sent_is_refused_when_saved(house: House, store: Store[Diary]) -> None:
    target = a_subject()
    with pytest.raises(ValueError, match="bytes long"):
        await store.upsert_on_request(request(), TOWN, target, noting(house, "x" * MAX_DATA_BYTES), shown)
    assert await store.collection.find_one({"_id": target}) is None


@pytest.mark.parametrize("wrong", ["case", "subject"])
async def test_an_event_that_no_envelope_can_carry_is_refused_when_saved(
    house: House, store: Store[Diary], wrong: str
) -> None:
    """Else the relay would find it, and stand still before it for ever."""
    target = "with_underscores" if wrong == "subject" else a_subject()

    def _create(_: Diary | None, now: datetime) -> Change[Diary]:
        return Change(Diary(case="not-a-uuid" if wrong == "case" else None), (house.noted(line="x"),))

    with pytest.raises(ValueError, match="validation error"):
        await store.upsert_on_request(request(), TOWN, target, _create, shown)
    assert await store.collection.find_one({"_id": target}) is None


@pytest.mark.parametrize(
    "given", ["00-" + "z" * 32 + "-00f067aa0ba902b7-01", "00-" + "A" * 32 + "-00f067aa0ba902b7-01"]
)
async def test_a_strange_traceparent_harms_no_event(house: House, store: Store[Diary], given: str) -> None:
    target = a_subject()
    with context.entered(context.fresh(traceparent=given)):
        await store.upsert_on_request(request(), TOWN, target, noting(house, "x"), shown)
    [(envelope, _)] = await store.events(TOWN, target)
    assert envelope.traceparent is not None


async def test_events_without_an_aggregate_are_refused(house: House, store: Store[Diary]) -> None:
    with pytest.raises(Exception, match="aggregate"):
        await store.upsert_on_event(
            received(house, a_subject(), 1), a_subject(), lambda *_: Change(None, (house.noted(line="into the void"),))
        )


# Towns


async def test_every_query_names_the_town(house: House, store: Store[Diary], wrapped: Wrapped) -> None:
    target, subject = a_subject(), a_subject()
    await store.upsert_on_request(request(), TOWN, target, noting(house, "a"), shown)
    await store.upsert_on_request(request(), TOWN, target, noting(house, "a"), shown)
    await store.upsert_on_request(request("key-00000002", expected=1), TOWN, target, noting(house, "b"), shown)
    await store.on_event(received(house, subject, 1), target, lambda s, _: Change(replace(s, remind=in_a_while(0))))
    [work] = [each async for each in store.overdue(in_a_while(1))]
    overdue = wrapped.filters.pop()
    assert set(overdue) == {"due_at"}, "only the workers' list is read across towns"
    await store.postpone(work, in_a_while(2))
    await store.on_due(work, lambda s, _: Change(replace(s, remind=None)))
    await store.get(TOWN, target)
    await store.find(TOWN, {"state.case": None}, sort=[("_id", 1)])
    await store.events(TOWN, target)
    await store.archive(TOWN, target, 1)
    await store.upsert_on_request(request("key-00000003"), TOWN, target, deleting, shown)
    assert len(wrapped.filters) > 12
    assert [where for where in wrapped.filters if where.get("tenant") != TOWN] == []


async def test_every_query_of_a_read_model_names_the_town(house: House) -> None:
    wrapped = Wrapped(house.database().collection("model"))
    model = TenantCollection(wrapped)  # type: ignore[arg-type]
    await model.put(TOWN, "a", {"x": 1, "tenant": TOWN})
    await model.find_one(TOWN, {"x": 1})
    assert await model.find_one(OTHER_TOWN, {"tenant": TOWN}) is None
    assert await model.find(OTHER_TOWN, {"x": 1}) == []
    assert not await model.delete(OTHER_TOWN, "a")
    assert not await model.put(OTHER_TOWN, "a", {"x": 2})
    assert (await model.find_one(TOWN, {"_id": "a"}) or {})["x"] == 1
    assert all("tenant" in where for where in wrapped.filters)


async def test_a_read_model_written_at_once_loses_no_field(house: House) -> None:
    model = TenantCollection(house.database().collection("model"))
    for round_ in range(5):
        done = await asyncio.gather(*(model.put(TOWN, f"d{round_}", {f"f{n}": n}) for n in range(8)))
        assert all(done)
        found = await model.find_one(TOWN, {"_id": f"d{round_}"}) or {}
        assert {name for name in found if name.startswith("f")} == {f"f{n}" for n in range(8)}


async def test_older_news_do_not_overwrite_a_read_model(house: House) -> None:
    model = TenantCollection(house.database().collection("model"))
    assert await model.put(TOWN, "a", {"at": 2, "x": "new"}, {"at": {"$lt": 2}})
    assert not await model.put(TOWN, "a", {"at": 1, "x": "old"}, {"at": {"$lt": 1}})
    assert (await model.find_one(TOWN, {"_id": "a"}) or {})["x"] == "new"


async def test_a_town_never_finds_anothers_aggregate(house: House, store: Store[Diary]) -> None:
    target = a_subject()
    await store.upsert_on_request(request(), TOWN, target, noting(house, "a"), shown)
    assert await store.get(OTHER_TOWN, target) is None
    assert await store.find(OTHER_TOWN, {"tenant": TOWN}) == []
    assert await store.events(OTHER_TOWN, target) == []
    with pytest.raises((NotFound, WriteConflict)):
        await store.upsert_on_request(request("key-00000002"), OTHER_TOWN, target, noting(house, "b"), shown)
    with pytest.raises(NotYet):  # parked as waiting, rather than in the way of everything
        await store.upsert_on_event(received(house, a_subject(), 1, tenant=OTHER_TOWN), target, noting(house, "b"))
    assert (await store.require(TOWN, target)).state.lines == ("a",)


# Old and new releases side by side


@dataclass(frozen=True, slots=True)
class NextDiary(Diary):
    """A diary as the next release knows it."""

    mood: str | None = None


class Draft(BaseModel):
    """A state with two variants: this one goes into the other."""

    kind: Literal["draft"] = "draft"
    typed: str = ""


class Sent(BaseModel):
    kind: Literal["sent"] = "sent"
    copy_of: str = ""


async def test_a_field_that_only_a_newer_release_knows_survives_an_older_one(house: House) -> None:
    """Both write to one document in a rolling update."""
    database = house.database()
    old, target = house.store(database), a_subject()
    new = Store(database, Kind("diary", house.topic, NextDiary), house.clock, Signals(), "emitter")
    await new.upsert_on_request(
        request(), TOWN, target, lambda *_: Change(NextDiary(mood="well")), lambda _: Answer(201, {})
    )
    await old.upsert_on_request(request("key-00000002"), TOWN, target, noting(house, "a"), shown)
    now = await new.require(TOWN, target)
    assert (now.state.mood, now.state.lines) == ("well", ("a",))


async def test_fields_of_another_variant_go(house: House) -> None:
    kind: Kind[Any] = Kind("diary", house.topic, Annotated[Draft | Sent, Field(discriminator="kind")])  # type: ignore[arg-type]
    store = Store(house.database(), kind, house.clock, Signals(), "emitter")
    target = a_subject()
    await store.upsert_on_request(
        request(), TOWN, target, lambda *_: Change(Draft(typed="x")), lambda _: Answer(201, {})
    )
    await store.on_request(
        request("key-00000002"),
        TOWN,
        target,
        lambda state, _: Change(Sent(copy_of=state.typed)),
        lambda _: Answer(200, {}),
    )
    assert (await raw(store, target))["state"] == {"kind": "sent", "copy_of": "x"}


# Indexes and marks


@pytest.mark.real_database
async def test_the_declared_indexes_exist_after_start(house: House) -> None:
    service = house.service(lease_seconds=5.0)
    kind = house.kind(indexes=(Index((("tenant", 1), ("state.case", 1)), "a case's diary"),))
    service.store(kind)
    service.collection("model", Index((("tenant", 1), ("x", 1)), "the list by x"))
    try:
        await service.start()
        diary = await service.database._inner.get_collection("diary").index_information()
        assert {"tenant_1_state_case_1", "unpublished_since_1", "due_at_1"} <= set(diary)
        assert diary["unpublished_since_1"].get("sparse")
        assert diary["due_at_1"].get("sparse")
        assert "tenant_1_x_1" in await service.database._inner.get_collection("model").index_information()
    finally:
        await service.stop()
        dropping = house.database()
        assert dropping.name == service.database.name


def test_an_index_that_does_not_begin_with_the_town_stops_the_start(house: House) -> None:
    with pytest.raises(Exception, match="must begin with the tenant"):
        house.store(kind=house.kind(indexes=(Index((("state.case", 1),), "every town's"),)))


async def test_whoever_saves_wakes_relay_and_workers(house: House) -> None:
    clock = house.moved_clock()
    signals = Signals()
    store = house.store(signals=signals)
    await store.upsert_on_event(received(house, "s1", 1), a_subject(), written("a"))
    assert not signals.published.is_set()
    await store.upsert_on_event(received(house, "s1", 1), a_subject(), noting(house, "a"))
    assert signals.published.is_set()
    assert not signals.due.is_set()
    await store.upsert_on_event(received(house, "s1", 1), a_subject(), lambda *_: Change(Diary(remind=clock.now())))
    assert signals.due.is_set()


async def test_a_document_that_exists_is_no_unknown_error(house: House) -> None:
    collection = house.database().collection("diary")
    await collection.insert({"_id": "a", "tenant": TOWN})
    with pytest.raises(DuplicateKey):
        await collection.insert({"_id": "a", "tenant": TOWN})
