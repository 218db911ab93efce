"""The aggregates of one kind: reading, and the one write of state, version, seen, events, due work and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NoReturn, TypeVar

from chassis import metrics
from chassis.aggregates import due
from chassis.aggregates.archive import archive_events
from chassis.aggregates.document import DocumentCodec, EventPosition, envelope_of
from chassis.aggregates.due import Work
from chassis.aggregates.kind import Kind, Received, Snapshot
from chassis.aggregates.requests import MAX_REQUESTS_KEPT, Answer, Request, as_repeated, earlier_answer, to_entry
from chassis.change import Change, Transition
from chassis.clock import Clock
from chassis.errors import (
    ConfigurationError,
    DuplicateKey,
    Failure,
    Gone,
    NotFound,
    NotYet,
    OutcomeUnknown,
    PreconditionFailed,
    WriteConflict,
)
from chassis.mongo import Database, Document, Filter, Index
from contracts.envelope import Envelope, Event

R = TypeVar("R")
S = TypeVar("S")

MAX_WRITE_TRIES = 50
"""Of one write, as long as other writers are first."""
_NO_EVENTS = {"events": 0}


class Signals:
    """Wakes this process's relay and workers when something was saved. Never feeds them: their indexed reads do."""

    def __init__(self) -> None:
        self.published = asyncio.Event()
        self.due = asyncio.Event()


class Store(Generic[S]):
    """All aggregates of one kind. Every read and write names the tenant, except for relay and workers."""

    def __init__(self, database: Database, kind: Kind[S], clock: Clock, signals: Signals, service: str) -> None:
        for index in kind.indexes:
            if index.fields[0][0] != "tenant":
                raise ConfigurationError(f"index {index.name} of {kind.name} must begin with the tenant")
        self.kind = kind
        self.collection = database.collection(kind.name)
        self.archived = database.collection(f"{kind.name}_archive")
        self.epoch = 0
        self._codec = DocumentCodec(kind)
        self._clock = clock
        self._signals = signals
        self._service = service

    @property
    def indexes(self) -> tuple[Index, ...]:
        """The kind's own, and the work lists of relay and workers."""
        return (
            *self.kind.indexes,
            Index((("unpublished_since", 1),), "the relay's work list", sparse=True),
            Index((("due_at", 1),), "the workers' work list", sparse=True),
        )

    # Reading

    async def get(self, tenant: str, aggregate_id: str) -> Snapshot[S] | None:
        """One aggregate, or None where there is none or it was deleted."""
        found = await self.collection.find_one({"_id": aggregate_id, "tenant": tenant}, {"events": 0, "requests": 0})
        return self._codec.to_snapshot(found) if found and "state" in found else None

    async def require(self, tenant: str, aggregate_id: str) -> Snapshot[S]:
        """One aggregate.

        Raises:
            NotFound: there is none in this town, or it was deleted.
        """
        found = await self.get(tenant, aggregate_id)
        if found is None:
            raise NotFound(f"no such {self.kind.name}", id=aggregate_id)
        return found

    async def find(
        self, tenant: str, where: Filter, *, sort: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Snapshot[S]]:
        """Those in the town that match; `where` names fields as `state.…`."""
        rows = self.collection.find(
            {**where, "tenant": tenant, "state": {"$exists": True}},
            {"events": 0, "requests": 0},
            sort=sort,
            limit=limit,
        )
        return [self._codec.to_snapshot(row) async for row in rows]

    async def events(self, tenant: str, aggregate_id: str) -> list[tuple[Envelope, dict[str, Any]]]:
        """What an aggregate said, in order: envelope and data."""
        found = await self.collection.find_one({"_id": aggregate_id, "tenant": tenant}, {"events": 1, "tenant": 1})
        return [envelope_of(self.kind.topic, found, said) for said in found.get("events", [])] if found else []

    # Writing
    #
    # The transition of `on_…` gets the state of an aggregate that exists; that of `upsert_on_…` gets None where there
    # is none yet. All get the present instant of the service's clock, and may be called again after a write race.

    async def on_event(
        self,
        event: Received[Any],
        aggregate_id: str,
        transition: Transition[S],
        *,
        if_missing: Failure | None = None,
    ) -> Snapshot[S] | None:
        """Applies an event once to an aggregate that exists: a repetition changes nothing, a write race is tried again.

        Does nothing where the aggregate was deleted. `transition` may raise NotYet or Rejected.
        Returns the aggregate as it is now, or None where nothing was done.

        Raises:
            if_missing: there is no such aggregate yet; where it is None, the event is passed over.
        """

        def _guarded(state: S | None, now: datetime) -> Change[S | None]:
            if state is not None:
                return transition(state, now)
            if if_missing is not None:
                raise if_missing
            return Change(None)

        return await self.upsert_on_event(event, aggregate_id, _guarded)

    async def upsert_on_event(
        self, event: Received[Any], aggregate_id: str, transition: Transition[S | None]
    ) -> Snapshot[S] | None:
        """Applies an event once to an aggregate that it may bring into being. Otherwise as `on_event`."""
        position = [event.envelope.epoch, event.envelope.sequence]
        subject = f"{event.envelope.stream}/{event.envelope.subject}"  # ids are unique within a stream only

        async def _once() -> Snapshot[S] | None:
            found = await self._load(event.tenant, aggregate_id)
            if found and position <= list(found.get("seen", {}).get(subject, [-1, 0])):
                return None
            deleted = found is not None and "state" not in found
            change = Change(None) if deleted else transition(self._codec.to_state(found), self._clock.now())
            return await self._write(event.tenant, aggregate_id, found, change, {f"seen.{subject}": position})

        return await self._recorded(_once)

    async def on_due(self, work: Work[S], transition: Transition[S]) -> Snapshot[S] | None:
        """Records what came of due work, if it is still due; None where somebody else did it already."""
        tenant, aggregate_id = work.snapshot.tenant, work.snapshot.id

        async def _once() -> Snapshot[S] | None:
            found = await self._load(tenant, aggregate_id)
            if not found or found.get("due", {}).get(work.name, {}).get("at") != work.at:
                return None
            state = self._codec.to_state(found)
            if state is None:
                return None
            return await self._write(tenant, aggregate_id, found, transition(state, self._clock.now()), {})

        return await self._recorded(_once)

    async def on_request(
        self,
        request: Request,
        tenant: str,
        aggregate_id: str,
        transition: Transition[S],
        answer: Callable[[Snapshot[S]], Answer],
    ) -> Answer:
        """Carries out an HTTP request once on an aggregate that exists; a repetition gets the same answer.

        A deleting request's `answer` gets the last state.

        Raises:
            NotFound: there is no such aggregate.
            Gone: it was deleted.
            IdempotencyKeyReused: the key came with another body before.
            PreconditionFailed: `request.expected` isn't the present version.
            WriteConflict: other writers were first, each time: repeat with the same key.
            OutcomeUnknown: the database didn't answer; repeat with the same key.
        """

        def _guarded(state: S | None, now: datetime) -> Change[S | None]:
            if state is None:
                raise NotFound(f"no such {self.kind.name}", id=aggregate_id)
            return transition(state, now)

        return await self.upsert_on_request(request, tenant, aggregate_id, _guarded, answer)

    async def upsert_on_request(
        self,
        request: Request,
        tenant: str,
        aggregate_id: str,
        transition: Transition[S | None],
        answer: Callable[[Snapshot[S]], Answer],
    ) -> Answer:
        """Carries out an HTTP request once on an aggregate that it may bring into being. Otherwise as `on_request`."""

        async def _once() -> Answer:
            # After a race the next round tells whether a second delivery of the same request was the other writer, and
            # whether the version named by If-Match is still the present one.
            return await self._request_once(request, tenant, aggregate_id, transition, answer)

        return await self._repeated_while(_once, WriteConflict)

    async def _request_once(
        self,
        request: Request,
        tenant: str,
        aggregate_id: str,
        transition: Transition[S | None],
        answer: Callable[[Snapshot[S]], Answer],
    ) -> Answer:
        found = await self._load(tenant, aggregate_id)
        repeated = earlier_answer(found, request)
        if repeated is not None:
            return repeated
        if found and "state" not in found:
            raise Gone("it was deleted", id=aggregate_id)
        if request.expected is not None and (found is None or found["version"] != request.expected):
            self._changed(aggregate_id)
        before = self._codec.to_state(found)
        change = transition(before, self._clock.now())
        version = (found["version"] if found else 0) + 1
        shown = change.state if change.state is not None else before
        if shown is None:
            raise NotFound(f"no such {self.kind.name}", id=aggregate_id)
        given = answer(Snapshot(tenant, aggregate_id, version, shown))
        await self._write(tenant, aggregate_id, found, change, {}, to_entry(request, given))
        return as_repeated(given)

    def _changed(self, aggregate_id: str) -> NoReturn:
        raise PreconditionFailed("it was changed since you read it: read it again", id=aggregate_id)

    async def _recorded(self, attempt: Callable[[], Awaitable[Snapshot[S] | None]]) -> Snapshot[S] | None:
        """A write for an event or due work: nobody waits for an answer, so an unknown outcome is tried again, too."""
        try:
            # After an unknown outcome the next round's read tells whether it was written.
            return await self._repeated_while(attempt, WriteConflict, OutcomeUnknown)
        except WriteConflict:
            raise NotYet(f"{self.kind.name}: others write it all the time, or its id is another town's") from None

    async def _repeated_while(self, attempt: Callable[[], Awaitable[R]], *passing: type[Failure]) -> R:
        """Repeats a write that one of these failures ended: at once, a bounded number of times. Raises the last one."""
        tries = 1
        while True:
            try:
                return await attempt()
            except passing:
                metrics.WRITE_CONFLICTS.labels(self._service, self.kind.name).inc()
                if tries >= MAX_WRITE_TRIES:
                    raise
            tries += 1
            await asyncio.sleep(0)

    async def _load(self, tenant: str, aggregate_id: str) -> Document | None:
        return await self.collection.find_one({"_id": aggregate_id, "tenant": tenant}, _NO_EVENTS)

    async def _write(
        self,
        tenant: str,
        aggregate_id: str,
        found: Document | None,
        change: Change[S | None],
        extra: Mapping[str, Any],
        request: Document | None = None,
    ) -> Snapshot[S] | None:
        state, events = change
        before: Document = (found or {}).get("state", {})
        dumped = self._codec.as_document(state)
        if found is None and state is None:
            if events:
                raise ConfigurationError(f"events without an aggregate of {self.kind.name} can't be kept")
            return None
        version = (found["version"] if found else 0) + 1
        sequence = int(found["sequence"]) if found else 0
        anchor = state if state is not None else self._codec.to_state(found)
        entries = self._event_entries(events, tenant, aggregate_id, sequence, anchor)
        items = {} if state is None else due.due_items(self.kind, state, (found or {}).get("due", {}))
        times = [item["next"] for item in items.values()]
        marks: Document = {"version": version, "sequence": sequence + len(entries), "due": items, **extra}
        if times:
            marks["due_at"] = min(times)
        if entries:
            marks["unpublished_since"] = entries[0]["time"]
        if found is None:
            await self._insert(tenant, aggregate_id, marks, dumped, entries, request)
        else:
            await self._update(found, marks, before, dumped, entries, request, deleted=state is None)
        if entries:
            self._signals.published.set()
        if times and min(times) <= self._clock.now():
            self._signals.due.set()
        return Snapshot(tenant, aggregate_id, version, state) if state is not None else None

    def _event_entries(
        self, events: Sequence[Event], tenant: str, aggregate_id: str, last: int, state: S | None
    ) -> list[Document]:
        """Events as the document keeps them, numbered on from its last one."""
        now = self._clock.now()
        return [
            self._codec.to_event_entry(event, tenant, aggregate_id, EventPosition(self.epoch, sequence, now), state)
            for sequence, event in enumerate(events, start=last + 1)
        ]

    async def _insert(
        self,
        tenant: str,
        aggregate_id: str,
        marks: Document,
        state: Document,
        entries: list[Document],
        request: Document | None,
    ) -> None:
        plain = {name: value for name, value in marks.items() if not name.startswith("seen.")}
        seen = {name.removeprefix("seen."): value for name, value in marks.items() if name.startswith("seen.")}
        requests = [request] if request else []
        document = {
            "_id": aggregate_id,
            "tenant": tenant,
            **plain,
            "state": state,
            "seen": seen,
            "events": entries,
            "published": 0,
            "requests": requests,
        }
        try:
            await self.collection.insert(document)
        except DuplicateKey:
            raise _write_conflict(aggregate_id) from None

    async def _update(
        self,
        found: Document,
        marks: Document,
        before: Document,
        state: Document,
        entries: list[Document],
        request: Document | None,
        *,
        deleted: bool,
    ) -> None:
        marks |= {
            f"state.{name}": value for name, value in state.items() if name not in before or before[name] != value
        }
        unset = (
            {"state": ""}
            if deleted
            else {f"state.{name}": "" for name in before if self._codec.is_dropped(name, state)}
        )
        if "due_at" not in marks and "due_at" in found:
            unset["due_at"] = ""
        push: Document = {}
        if entries:
            push["events"] = {"$each": entries}
        if request:
            push["requests"] = {"$each": [request], "$slice": -MAX_REQUESTS_KEPT}
        operators: Document = {"$set": marks} | ({"$unset": unset} if unset else {}) | ({"$push": push} if push else {})
        where = {"_id": found["_id"], "tenant": found["tenant"], "version": found["version"]}
        if not await self.collection.update(where, operators):
            raise _write_conflict(found["_id"])

    # For workers (across towns) and relay

    def overdue(self, now: datetime) -> AsyncIterator[Work[S]]:
        """Everything due by now, of all towns."""
        return due.overdue(self.collection, self._codec, now)

    def is_due(self, state: S, work: Work[S]) -> bool:
        """Whether this state still asks for that very piece of work."""
        return due.is_due(self.kind, state, work)

    async def postpone(self, work: Work[S], until: datetime) -> None:
        """Marks an attempt that failed: the next one at `until`. Leaves the version alone."""
        await due.postpone(self.collection, work, until)

    async def archive(self, tenant: str, aggregate_id: str, up_to: int) -> None:
        """Moves events up to a sequence out of the document: first copied, then trimmed."""
        await archive_events(self.collection, self.archived, tenant, aggregate_id, up_to)


def _write_conflict(aggregate_id: str) -> WriteConflict:
    return WriteConflict("somebody else changed it at the same time: try again", id=aggregate_id)
