"""Whatever happens to a document, in whatever order: what it says of itself holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chassis.aggregates import Answer, Change, Request, Store
from chassis.clock import SystemClock
from chassis.errors import EngineAway, Failure
from chassis.events.relay import Relay
from contracts.envelope import Envelope
from tests.support.diaries import TOWN, Diary, House, a_subject, noting, received

SOURCES = ("s1", "s2")


class Broker:
    """Stands where the transport is: acknowledges, or fails when told to. Remembers what arrived."""

    def __init__(self) -> None:
        self.arrived: dict[str, list[int]] = {}
        self.failing = 0

    async def send(self, _: Any, envelope: Envelope, __: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.failing:
            self.failing -= 1
            future.set_exception(EngineAway("injected"))
        else:
            self.arrived.setdefault(envelope.subject, []).append(envelope.sequence)
            future.set_result(None)
        return future

    async def replace_producer(self) -> None:
        pass


def machine(house: House, runner: asyncio.Runner) -> type[RuleBasedStateMachine]:
    """The machine of one test: hypothesis makes it anew for each run, on the same house."""
    database = house.database()

    class Document(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.store: Store[Diary] = house.store(database)
            self.subject = a_subject()
            self.broker = Broker()
            self.relay = Relay("emitter", [self.store], self.broker, database, house_signals(), house.settings())  # type: ignore[arg-type]
            self.sequences = dict.fromkeys(SOURCES, 0)
            self.said = 0
            self.told_all = False

        def done(self, step: Coroutine[Any, Any, Any]) -> Any:
            return runner.run(step)

        @rule(source=st.sampled_from(SOURCES), lines=st.integers(0, 3), repeated=st.booleans())
        def event(self, source: str, lines: int, repeated: bool) -> None:
            if not (repeated and self.sequences[source]):
                self.sequences[source] += 1
            event = received(house, f"{source}-{self.subject}"[:60], self.sequences[source])
            self.done(self.store.upsert_on_event(event, self.subject, noting(house, *("x" * lines))))
            self.told_all = False

        @rule(key=st.integers(0, 3), lines=st.integers(0, 2))
        def request(self, key: int, lines: int) -> None:
            change = Request("c", "POST /x", f"key-{key}", str(lines))
            answer = Answer(200, {})
            with contextlib.suppress(Failure):
                self.done(
                    self.store.upsert_on_request(
                        change, TOWN, self.subject, noting(house, *("y" * lines)), lambda _: answer
                    )
                )
            self.told_all = False

        @rule()
        def delete(self) -> None:
            def _gone(state: Diary | None, now: datetime) -> Change[None]:
                return Change(None, (house.noted(line="gone"),))

            change = Request("c", "DELETE /x", a_subject(), "")
            with contextlib.suppress(Failure):
                self.done(self.store.upsert_on_request(change, TOWN, self.subject, _gone, lambda _: Answer(204, None)))
            self.told_all = False

        @rule(failing=st.integers(0, 2))
        def tell(self, failing: int) -> None:
            self.broker.failing = failing
            try:
                self.done(self.relay._publish_all())
                self.told_all = True
            except EngineAway:
                self.told_all = False
            self.broker.failing = 0

        @invariant()
        def what_it_says_of_itself_holds(self) -> None:
            if not hasattr(self, "store"):
                return
            found = self.done(self.store.collection.find_one({"_id": self.subject}))
            if found is None:
                return
            said = [each["sequence"] for each in found["events"]]
            assert said == list(range(1, len(said) + 1))
            assert found["sequence"] == len(said)
            assert found["published"] <= found["sequence"]
            arrived = self.broker.arrived.get(self.subject, [])
            assert list(dict.fromkeys(arrived)) == list(range(1, len(set(arrived)) + 1))
            assert found["published"] <= len(set(arrived))
            if found["published"] < found["sequence"]:
                assert "unpublished_since" in found
            if self.told_all:
                assert found["published"] == found["sequence"]
                assert "unpublished_since" not in found
            marks = [each["mark"] for each in found["requests"]]
            assert len(marks) == len(set(marks))

    return Document


def house_signals() -> Any:
    from chassis.aggregates import Signals  # noqa: PLC0415

    return Signals()


def test_the_document_holds_together(mongo_url: str, tmp_path: Any) -> None:
    holds_together(mongo_url, tmp_path, list(Phase))


def holds_together(mongo_url: str, tmp_path: Any, phases: list[Phase]) -> None:
    with asyncio.Runner() as runner:
        house = House(mongo_url, "", tmp_path)
        house.clock = SystemClock()
        try:
            run_state_machine_as_test(  # type: ignore[no-untyped-call]
                machine(house, runner),
                settings=settings(
                    max_examples=15,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    phases=phases,
                ),
            )
        finally:
            runner.run(house.close())


def test_the_machine_is_able_to_fail(mongo_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that marks what it didn't tell is found out."""

    async def _marks_everything(self: Relay, store: Store[Any], chunk: list[Any]) -> None:
        for subject in chunk:
            await store.collection.update({"_id": subject.id}, {"$set": {"published": subject.sequence}})

    monkeypatch.setattr(Relay, "_publish", _marks_everything)
    with pytest.raises(AssertionError):
        holds_together(mongo_url, tmp_path, [Phase.generate])
