"""No background task of a service dies in silence, or lives on without success unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import helpers_shared
from pymongo.errors import OperationFailure

from chassis import mongo
from chassis.background import Background
from chassis.errors import EngineAway, OutcomeUnknown
from chassis.service import Service
from tests.support.diaries import House, a_subject, noting, received
from tests.support.waiting import wait_until

WATCHED_WHILE_LEADING = {"relay", "workers", "sweeping of files"}


async def _nothing(*_: Any) -> set[str]:
    return set()


@pytest.fixture
async def service(house: House) -> AsyncIterator[Service]:
    """One with all that a service can have: a store with work, a subscriber, a read model, files."""
    made = house.service("emitter", background_limit_seconds=0.5, sweep_seconds=0.1)
    store = made.store(house.kind())
    made.work(store, "remind", _nothing)
    made.event_handlers.on(house.noted, _nothing)
    made.read_model("lines").on(house.noted, _nothing)
    made.keeps_files(_nothing)
    house.database("emitter")  # dropped at the end
    await made.start()
    await _leads(made)
    yield made
    await made.stop()


async def _leads(service: Service) -> None:
    await wait_until(lambda: set(service.background._watched) >= WATCHED_WHILE_LEADING, what="it leads")


async def _is_ready(service: Service) -> bool:
    try:
        await service.background.check()
    except EngineAway:
        return False
    return True


async def test_every_task_that_is_killed_returns(service: Service) -> None:
    tasks = service.background.running
    assert set(tasks) == {
        "lease",
        "emitter: parked events",
        "emitter: watch over the consumer",
        "emitter.lines.1: parked events",
        "emitter.lines.1: watch over the consumer",
        "lines: generations",
    }
    for name, task in tasks.items():
        task.cancel()

        def _returned(name: str = name, killed: Any = task) -> bool:
            now = service.background.running.get(name)
            return now is not None and now is not killed and not now.done()

        await wait_until(_returned, what=f"{name} returned")
    await _leads(service)


async def test_every_task_of_the_lease_holder_that_is_killed_returns(service: Service, house: House) -> None:
    names = {*WATCHED_WHILE_LEADING, "keeping the lease", "change stream"}

    def _led() -> dict[str, asyncio.Task[Any]]:
        return {task.get_name(): task for task in asyncio.all_tasks() if task.get_name() in names and not task.done()}

    assert set(_led()) == names
    for name in names:
        killed = _led()[name]
        killed.cancel()

        def _returned(name: str = name, killed: Any = killed) -> bool:
            now = _led()
            return set(now) == names and now[name] is not killed

        await wait_until(_returned, what=f"{name} returned")
    store = service.stores[0]
    await store.upsert_on_event(received(house, a_subject(), 1), a_subject(), noting(house, "x"))

    async def _published() -> bool:
        return bool(await house.published())

    await wait_until(_published, what="events are relayed")


async def test_a_task_that_lives_on_without_success_makes_the_service_unready(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _is_ready(service)
    for step, name in (
        ("chassis.events.relay.Relay._publish_all", "relay"),
        ("chassis.work.Workers._look", "workers"),
        ("chassis.sweeping.sweep", "sweeping of files"),
        ("chassis.events.parking.ParkingStore.due", "emitter: parked events"),
        ("chassis.events.watchdog.Watchdog.lag", "emitter: watch over the consumer"),
        ("chassis.readmodels.ReadModel._look", "lines: generations"),
        ("chassis.mongo.Collection.update", "lease"),
    ):
        with monkeypatch.context() as broken:
            broken.setattr(step, _no_rows if step.endswith(".due") else _away)
            if name == "lease":
                broken.setattr("chassis.mongo.Collection.find_one", _away)

            async def _unready(name: str = name) -> bool:
                return name in service.background.overdue()

            await wait_until(_unready, 20, f"{name} is missed")
            assert not await _is_ready(service)

        async def _well() -> bool:
            return await _is_ready(service) and set(service.background._watched) >= WATCHED_WHILE_LEADING

        await wait_until(_well, 20, f"ready again after {name}")


async def _away(*_: Any, **__: Any) -> Any:
    raise EngineAway("injected")


async def _no_rows(*_: Any) -> AsyncIterator[Any]:
    raise EngineAway("injected")
    yield


async def test_a_task_that_fails_whenever_it_is_started_makes_the_service_unready(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is taken again and again meanwhile: that is no success of the relay."""
    with monkeypatch.context() as broken:
        broken.setattr("chassis.events.relay.Relay._publish_all", _broken)
        await wait_until(lambda: service.background.overdue().get("relay", 0) > 2, 20)
    await wait_until(lambda: "relay" not in service.background.overdue(), 20)


async def test_an_instance_that_only_stands_by_is_ready(service: Service, house: House) -> None:
    """The relay's time runs on after a fault, until another instance leads."""
    service.background.watch("relay")
    service._lease_answered(another_holds_it=True)
    assert not WATCHED_WHILE_LEADING & set(service.background._watched)
    assert await _is_ready(service)


async def _broken(*_: Any) -> None:
    raise RuntimeError("a bug of ours")


async def test_readiness_names_what_stands_still(service: Service) -> None:
    service.background.watch("something", every_seconds=0)
    await wait_until(lambda: "something" in service.background.overdue())
    with pytest.raises(EngineAway, match="something: no success for"):
        await service.background.check()


async def test_a_task_that_was_stopped_does_not_return() -> None:
    background, began = Background(60), 0

    async def _work() -> None:
        nonlocal began
        began += 1
        await asyncio.Event().wait()

    background.start("it", _work)
    await wait_until(lambda: began == 1)
    await background.stop("it")
    assert background.running == {}
    assert background._restarts == {}


@pytest.mark.parametrize("code", [134, 13, 18, 999], ids=str)
async def test_one_error_of_the_database_does_not_end_leading(house: House, code: int) -> None:
    """Whatever the database says once, at the worst moment: the instance leads again, and relays."""
    service = house.service("emitter")
    store = service.store(house.kind())
    inner, once = service._lease._collection._inner, [code]

    class _FailsOnce:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def find_one(self, *given: Any) -> Any:
            if once:
                raise OperationFailure("injected", once.pop())
            return inner.find_one(*given)

    service._lease._collection._inner = _FailsOnce()  # type: ignore[assignment]
    house.database("emitter")  # dropped at the end
    await service.start()
    try:
        await store.upsert_on_event(received(house, a_subject(), 1), a_subject(), noting(house, "x"))

        async def _published() -> bool:
            return len(await house.published()) == 1

        await wait_until(_published, what="it leads and relays")
        assert once == []
    finally:
        await service.stop()


def test_what_the_driver_retries_counts_as_away() -> None:
    assert mongo._RETRYABLE_CODES == helpers_shared._RETRYABLE_ERROR_CODES


@pytest.mark.parametrize("writing", [False, True])
def test_a_refusal_is_tried_again_and_is_not_unknown(writing: bool) -> None:
    for code in (13, 18):
        with pytest.raises(EngineAway, match=str(code)) as refused, mongo._translated(writing):
            raise OperationFailure("not authorized", code)
        assert not isinstance(refused.value, OutcomeUnknown)
