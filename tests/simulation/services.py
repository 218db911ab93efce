"""Two small services that stand for all: alpha is asked by HTTP and hears beta's events, beta hears alpha's.

    client -> alpha: a line more in an item -> Noted (and NotedV2)
           -> beta: the line in the item's copy, too -> Echoed
           -> alpha: an echo in the item

Both have due work of two kinds. Beta has a read model of the lines. Whatever is lost, doubled or out of order shows in
lines, echoes and read model. An instance may be of an older or a newer release: the newer one's copy has a field more,
and it hears NotedV2, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Protocol

from fastapi import Depends
from pydantic import BaseModel
from starlette.responses import Response

from chassis.aggregates import Answer, Change, Kind, Received, Snapshot, Store, Work
from chassis.auth import Principal
from chassis.http import Access, Caller, Router, respond
from chassis.mongo import TenantCollection
from chassis.service import Service
from contracts.envelope import Event, id_of
from contracts.topics import Topic
from contracts.values import TrustLevel
from tests.simulation.loop import Process

TOWN = "witten"
ALPHA = Topic("alpha", version=1, partitions=3)
BETA = Topic("beta", version=1, partitions=2)
REMIND_SECONDS = 0.5
CALL_SECONDS = 0.3
ROUNDS = 2
"""Due work that leads to work of the same name: calls, one after the other."""


@dataclass(frozen=True, slots=True)
class Item:
    """Alpha's aggregate."""

    lines: tuple[str, ...] = ()
    echoes: tuple[str, ...] = ()
    remind: datetime | None = None
    review: datetime | None = None
    asked: int = 0
    reminded: int = 0
    case: str | None = None


@dataclass(frozen=True, slots=True)
class CopyItem:
    """Beta's aggregate, as the older release knows it."""

    lines: tuple[str, ...] = ()
    call: datetime | None = None
    check: datetime | None = None
    rounds: int = 0
    """Calls still to be made, one after the other."""
    expected: int = 0
    """Calls to be made in all."""
    calls: tuple[str, ...] = ()
    """When each call that was made had been due."""


@dataclass(frozen=True, slots=True)
class NextCopyItem(CopyItem):
    """The same as the newer release knows it."""

    heard: tuple[str, ...] = ()
    """The lines that an instance of the newer release added."""


class Noted(Event):
    """A line was added."""

    topic: ClassVar[Topic] = ALPHA
    name: ClassVar[str] = "noted"

    line: str


class NotedV2(Event):
    """The same, said beside it."""

    topic: ClassVar[Topic] = ALPHA
    name: ClassVar[str] = "noted"
    version: ClassVar[int] = 2

    line: str
    length: int


class Hummed(Event):
    """Nobody listens to this."""

    topic: ClassVar[Topic] = ALPHA
    name: ClassVar[str] = "hummed"


class Echoed(Event):
    """A line was copied."""

    topic: ClassVar[Topic] = BETA
    name: ClassVar[str] = "echoed"

    item: str
    line: str


def _item_due(state: Item) -> dict[str, datetime]:
    found = {"remind": state.remind, "review": state.review}
    return {name: at for name, at in found.items() if at}


def _copy_due(state: CopyItem) -> dict[str, datetime]:
    found = {"call": state.call, "check": state.check}
    return {name: at for name, at in found.items() if at}


ITEMS = Kind("items", ALPHA, Item, due=_item_due, case=lambda state: state.case)
COPIES = Kind("copies", BETA, CopyItem, due=_copy_due)
NEXT_COPIES = Kind("copies", BETA, NextCopyItem, due=_copy_due)


def copy_of(source: str) -> str:
    """The id of an item's copy."""
    return id_of(source, "copy")


class Around(Protocol):
    """What the world does to handlers and workers, and which release an instance is of."""

    newer: bool
    """This instance is of the newer release."""
    both_versions: bool
    """Lines are said as NotedV2 beside Noted, and told apart by themselves."""
    burst: int
    """Events of one move."""

    def handling(self, service: str, event: Received[Any]) -> Awaitable[None]:
        """Before a handler: may fail, may take time."""
        ...

    def handled(self, service: str, event: Received[Any]) -> Awaitable[None]:
        """After its write: may fail."""
        ...

    def outside(self, work: Work[Any]) -> Awaitable[None]:
        """What due work calls: may fail, may take time."""
        ...


class Line(BaseModel):
    """The body of a move."""

    line: str
    remind: bool = False


class Trusting:
    """A verifier for a world without identity."""

    async def verify(self, token: str) -> Principal:
        """Whoever says so is that client."""
        return Principal(token, "person", TOWN, TrustLevel.HIGH)


def alpha(service: Service, _: Process, around: Around) -> None:
    """Composes an instance of alpha."""
    items: Store[Item] = service.store(ITEMS)
    routes = Router("/alpha/v1/{tenant}")

    @routes.post("/items/{item}/lines", status_code=200)
    async def add_line(
        tenant: str, item: str, body: Line, caller: Annotated[Caller, Depends(Access(persons=TrustLevel.BASIC))]
    ) -> Response:
        def _add(state: Item | None, now: datetime) -> Change[Item]:
            before = state or Item(case=id_of("case", item))
            asks = body.remind and before.remind is None
            soon = now + timedelta(seconds=REMIND_SECONDS)
            after = replace(
                before,
                lines=(*before.lines, body.line),
                remind=soon if asks else before.remind,
                review=before.review or (soon - timedelta(seconds=0.2) if asks else None),
                asked=before.asked + asks,
            )
            return Change(after, (*_noted(body.line, around), *(Hummed() for _ in range(around.burst - 1))))

        def _answer(snapshot: Snapshot[Item]) -> Answer:
            return Answer(200, {"lines": len(snapshot.state.lines)}, snapshot.etag)

        return respond(await items.upsert_on_request(caller.change, tenant, item, _add, _answer))

    async def echoed(event: Received[Echoed]) -> None:
        def _echo(state: Item, now: datetime) -> Change[Item]:
            hummed = (Hummed(),) if len(state.echoes) % 3 == 2 else ()
            return Change(replace(state, echoes=(*state.echoes, event.data.line)), hummed)

        await around.handling("alpha", event)
        await items.on_event(event, event.data.item, _echo)  # passed over where a restore forgot the item
        await around.handled("alpha", event)

    async def remind(work: Work[Item]) -> None:
        def _remind(state: Item, now: datetime) -> Change[Item]:
            line = f"r{state.reminded + 1}"
            after = replace(state, remind=None, reminded=state.reminded + 1, lines=(*state.lines, line))
            return Change(after, _noted(line, around))

        await around.outside(work)
        await items.on_due(work, _remind)

    async def review(work: Work[Item]) -> None:
        await around.outside(work)
        await items.on_due(work, lambda state, _: Change(replace(state, review=None)))

    service.route(routes)
    service.event_handlers.on(Echoed, echoed)
    service.work(items, "remind", remind)
    service.work(items, "review", review)


def _noted(line: str, around: Around) -> tuple[Event, ...]:
    """The line, as v1 first, in one write."""
    return (Noted(line=line), *([NotedV2(line=line, length=len(line))] if around.both_versions else []))


def heard_by(*, newer: bool) -> tuple[type[Event], ...]:
    """The newer release hears both versions until the older is gone: by v2 alone it would miss what that one skips."""
    return (Noted, NotedV2) if newer else (Noted,)


def beta(service: Service, _: Process, around: Around) -> None:
    """Composes an instance of beta."""
    copies: Store[Any] = service.store(NEXT_COPIES if around.newer else COPIES)
    made: Callable[..., CopyItem] = NextCopyItem if around.newer else CopyItem

    async def noted(event: Received[Any]) -> None:
        line = event.data.line

        def _copy(state: CopyItem | None, now: datetime) -> Change[CopyItem]:
            before = state or made()
            if around.both_versions and line in before.lines:
                return Change(before)  # heard as the other version
            lines = (*before.lines, line)
            soon = now + timedelta(seconds=CALL_SECONDS)
            calls = before.call is None and len(lines) % 3 == 0
            after = replace(
                before,
                lines=lines,
                call=soon if calls else before.call,
                rounds=ROUNDS if calls else before.rounds,
                expected=before.expected + ROUNDS * calls,
                check=before.check or (soon + timedelta(seconds=0.1) if len(lines) % 2 == 0 else None),
            )
            if isinstance(after, NextCopyItem):
                after = replace(after, heard=(*after.heard, line))
            return Change(after, (Echoed(item=event.envelope.subject, line=line),))

        await around.handling("beta", event)
        await copies.upsert_on_event(event, copy_of(event.envelope.source), _copy)
        await around.handled("beta", event)

    async def call(work: Work[Any]) -> None:
        def _called(state: CopyItem, _: datetime) -> Change[CopyItem]:
            assert state.call is not None
            again = state.call + timedelta(seconds=0.2) if state.rounds > 1 else None
            calls = (*state.calls, work.at.isoformat())
            return Change(replace(state, call=again, rounds=state.rounds - 1, calls=calls))

        await around.outside(work)
        await copies.on_due(work, _called)

    async def check(work: Work[Any]) -> None:
        await around.outside(work)
        await copies.on_due(work, lambda state, _: Change(replace(state, check=None)))

    async def keep(lines: TenantCollection, event: Received[Noted]) -> None:
        place = f"{event.envelope.subject}/{event.data.line}"
        await lines.put(event.tenant, place, {"item": event.envelope.subject, "line": event.data.line})

    for version in heard_by(newer=around.newer and around.both_versions):
        service.event_handlers.on(version, noted)
    service.work(copies, "call", call)
    service.work(copies, "check", check)
    service.read_model("lines").on(Noted, keep)
