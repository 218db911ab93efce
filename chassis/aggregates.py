"""The store's one write: state, version, seen, events, due work and answers of an aggregate, in one document.

Layout of a document (docs/decisions/0002-one-document-aggregate.md):

    _id, tenant        the subject's id; the town
    version            counts the writes of handlers; relay and lease marks leave it alone
    state              what the domain knows; absent in a tombstone
    seen               {stream/subject: [epoch, sequence]} of each subject listened to: the last event applied
    sequence           of the last event said
    events             the events said, in order
    published          sequence of the last event that the broker acknowledged
    unpublished_since  set while published < sequence
    due, due_at        {name: {at, next, attempts}}; the earliest `next`
    requests           the last idempotency keys, with body hash and answer
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Generic, NoReturn, TypeVar, Union, cast, get_args, get_origin

import orjson
from pydantic import BaseModel, TypeAdapter

from chassis import context, metrics
from chassis.change import Change, Transition
from chassis.clock import Clock
from chassis.errors import (
    ConfigurationError,
    DuplicateKey,
    Failure,
    Gone,
    IdempotencyKeyReused,
    NotFound,
    NotYet,
    OutcomeUnknown,
    PreconditionFailed,
    WriteConflict,
)
from chassis.logging import get_logger
from chassis.mongo import Database, Document, Filter, Index, utc_floor
from contracts.envelope import MAX_DATA_BYTES, Envelope, Event, event_id, id_of, source_of
from contracts.topics import Topic

log = get_logger(__name__)

__all__ = [
    "Answer",
    "Change",
    "Kind",
    "Received",
    "Request",
    "Signals",
    "Snapshot",
    "Store",
    "Transition",
    "Work",
    "envelope_of",
]

R = TypeVar("R")
S = TypeVar("S")
E = TypeVar("E", bound=Event)

MAX_REQUESTS_KEPT = 20
MAX_WRITE_TRIES = 50
"""Of one write, as long as other writers are first."""
_NO_EVENTS = {"events": 0}


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """What sort of aggregate: its collection, its topic and its state class."""

    name: str
    """The collection."""
    topic: Topic
    """Where its events go."""
    state: type[S]
    """A frozen dataclass or pydantic model; any type that pydantic can adapt."""
    due: Callable[[S], Mapping[str, datetime]] = field(default=lambda _: {})
    """Pure: what must be done later or outside in this state, by name, and when. A state change can't forget it."""
    case: Callable[[S], str | None] = field(default=lambda _: None)
    """The case, where the subject has one from its creation: the events' key. Must never change."""
    authority: Callable[[S], str | None] = field(default=lambda _: None)
    """Who decides; the town where None."""
    indexes: tuple[Index, ...] = ()
    """On `state.…`, always beginning with `tenant`."""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[S]):
    """An aggregate as it was read."""

    tenant: str
    id: str
    version: int
    state: S

    @property
    def etag(self) -> str:
        """Strong entity tag (RFC 9110 § 8.8.3)."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """A typed event with its envelope, as a subscriber gets it."""

    envelope: Envelope
    data: E

    @property
    def tenant(self) -> str:
        """The town."""
        return self.envelope.tenant

    def new_id(self, role: str) -> str:
        """The id of the aggregate that this event brings into being in that role: the same for a second delivery."""
        return id_of(self.envelope.source, role)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP request was answered, kept so that a repetition gets the same."""

    status: int
    body: Any
    """JSON."""
    etag: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request that changes something: who, by which key, and which version it was decided on."""

    client: str
    """The token's subject."""
    route: str
    """Method and path."""
    key: str
    """Idempotency-Key, or for PUT, PATCH and DELETE a fresh one: those are idempotent by themselves."""
    body_hash: str
    expected: int | None = None
    """Version named by If-Match."""

    def new_id(self, role: str) -> str:
        """The id of the aggregate that this request brings into being: the same for a repetition."""
        return id_of(self.client, self.route, self.key, role)

    @property
    def mark(self) -> str:
        """What is remembered in the document."""
        return id_of(self.client, self.route, self.key)


@dataclass(frozen=True, slots=True)
class Work(Generic[S]):
    """A piece of due work: do it, then `Store.on_due`."""

    name: str
    at: datetime
    attempts: int
    snapshot: Snapshot[S]


class Signals:
    """Wakes this process's relay and workers when something was saved. Never feeds them: their indexed reads do."""

    def __init__(self) -> None:
        self.published = asyncio.Event()
        self.due = asyncio.Event()


@functools.cache
def _adapter(state: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, state))


def _fields_of(state: Any) -> frozenset[str] | None:
    """The names of a state's fields, of all its variants; None where they can't be told."""
    if dataclasses.is_dataclass(state):
        return frozenset(each.name for each in dataclasses.fields(state))
    if isinstance(state, type) and issubclass(state, BaseModel):
        return frozenset(state.model_fields)
    if get_origin(state) is Annotated:
        return _fields_of(get_args(state)[0])
    if get_origin(state) in {Union, UnionType}:
        variants = [_fields_of(each) for each in get_args(state)]
        known = [each for each in variants if each is not None]
        return frozenset().union(*known) if len(known) == len(variants) else None
    return None


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
        self._adapter: TypeAdapter[S] = _adapter(cast(Hashable, kind.state))
        self._fields = _fields_of(kind.state)
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
        return self._snapshot(found) if found and "state" in found else None

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
        return [self._snapshot(row) async for row in rows]

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
            change = Change(None) if deleted else transition(self._state(found), self._clock.now())
            return await self._write(event.tenant, aggregate_id, found, change, {f"seen.{subject}": position})

        return await self._recorded(_once)

    async def on_due(self, work: Work[S], transition: Transition[S]) -> Snapshot[S] | None:
        """Records what came of due work, if it is still due; None where somebody else did it already."""
        tenant, aggregate_id = work.snapshot.tenant, work.snapshot.id

        async def _once() -> Snapshot[S] | None:
            found = await self._load(tenant, aggregate_id)
            if not found or found.get("due", {}).get(work.name, {}).get("at") != work.at:
                return None
            state = self._state(found)
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
        repeated = self._repeated(found, request)
        if repeated is not None:
            return repeated
        if found and "state" not in found:
            raise Gone("it was deleted", id=aggregate_id)
        if request.expected is not None and (found is None or found["version"] != request.expected):
            self._changed(aggregate_id)
        before = self._state(found)
        change = transition(before, self._clock.now())
        version = (found["version"] if found else 0) + 1
        shown = change.state if change.state is not None else before
        if shown is None:
            raise NotFound(f"no such {self.kind.name}", id=aggregate_id)
        given = answer(Snapshot(tenant, aggregate_id, version, shown))
        body = orjson.dumps(given.body)
        entry = {
            "mark": request.mark,
            "hash": request.body_hash,
            "status": given.status,
            "body": body.decode(),
            "etag": given.etag,
            "location": given.location,
        }
        await self._write(tenant, aggregate_id, found, change, {}, entry)
        return replace(given, body=orjson.loads(body))  # as a repetition will see it

    def _changed(self, aggregate_id: str) -> NoReturn:
        raise PreconditionFailed("it was changed since you read it: read it again", id=aggregate_id)

    @staticmethod
    def _repeated(found: Document | None, request: Request) -> Answer | None:
        for entry in (found or {}).get("requests", []):
            if entry["mark"] != request.mark:
                continue
            if entry["hash"] != request.body_hash:
                raise IdempotencyKeyReused("this Idempotency-Key was used with another body")
            return Answer(entry["status"], orjson.loads(entry["body"]), entry["etag"], entry["location"])
        return None

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

    def _state(self, found: Document | None) -> S | None:
        return self._adapter.validate_python(found["state"]) if found and "state" in found else None

    def _snapshot(self, found: Document) -> Snapshot[S]:
        return Snapshot(found["tenant"], found["_id"], found["version"], self._adapter.validate_python(found["state"]))

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
        dumped: Document = {} if state is None else self._adapter.dump_python(state, mode="json")
        if found is None and state is None:
            if events:
                raise ConfigurationError(f"events without an aggregate of {self.kind.name} can't be kept")
            return None
        version = (found["version"] if found else 0) + 1
        sequence = int(found["sequence"]) if found else 0
        anchor = state if state is not None else self._state(found)
        said = [
            self._said(event, tenant, aggregate_id, sequence + n, anchor) for n, event in enumerate(events, start=1)
        ]
        due = {} if state is None else self._due(state, (found or {}).get("due", {}))
        times = [item["next"] for item in due.values()]
        marks: Document = {"version": version, "sequence": sequence + len(said), "due": due, **extra}
        if times:
            marks["due_at"] = min(times)
        if said:
            marks["unpublished_since"] = said[0]["time"]
        if found is None:
            await self._insert(tenant, aggregate_id, marks, dumped, said, request)
        else:
            await self._update(found, marks, before, dumped, said, request, deleted=state is None)
        if said:
            self._signals.published.set()
        if times and min(times) <= self._clock.now():
            self._signals.due.set()
        return Snapshot(tenant, aggregate_id, version, state) if state is not None else None

    async def _insert(
        self,
        tenant: str,
        aggregate_id: str,
        marks: Document,
        state: Document,
        said: list[Document],
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
            "events": said,
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
        said: list[Document],
        request: Document | None,
        *,
        deleted: bool,
    ) -> None:
        marks |= {
            f"state.{name}": value for name, value in state.items() if name not in before or before[name] != value
        }
        unset = {"state": ""} if deleted else {f"state.{name}": "" for name in before if self._drops(name, state)}
        if "due_at" not in marks and "due_at" in found:
            unset["due_at"] = ""
        push: Document = {}
        if said:
            push["events"] = {"$each": said}
        if request:
            push["requests"] = {"$each": [request], "$slice": -MAX_REQUESTS_KEPT}
        operators: Document = {"$set": marks} | ({"$unset": unset} if unset else {}) | ({"$push": push} if push else {})
        where = {"_id": found["_id"], "tenant": found["tenant"], "version": found["version"]}
        if not await self.collection.update(where, operators):
            raise _write_conflict(found["_id"])

    def _drops(self, name: str, state: Document) -> bool:
        """Whether a field is to go. One that only a newer release knows stays: both may run, in a rolling update."""
        return name not in state and (self._fields is None or name in self._fields)

    def _said(self, event: Event, tenant: str, aggregate_id: str, sequence: int, state: S | None) -> Document:
        if event.topic != self.kind.topic:
            raise ConfigurationError(f"{event.type()} doesn't belong to {self.kind.topic.name}")
        data = event.model_dump(mode="json")
        size = len(orjson.dumps(data))
        if size > MAX_DATA_BYTES:
            raise ValueError(
                f"{event.type()} of {aggregate_id} is {size} bytes long; at most {MAX_DATA_BYTES} are allowed"
            )
        now = context.current()
        source = source_of(tenant, self.kind.topic.stream, aggregate_id)
        said = {
            "sequence": sequence,
            "epoch": self.epoch,
            "id": event_id(source, self.epoch, sequence),
            "type": event.type(),
            "dataschema": event.schema_id(),
            "time": utc_floor(self._clock.now()),
            "case": self.kind.case(state) if state is not None else None,
            "authority": (self.kind.authority(state) if state is not None else None) or tenant,
            "causationid": now.causation_id,
            "correlationid": now.correlation_id,
            "traceparent": now.traceparent,
            "data": data,
        }
        envelope_of(self.kind.topic, {"_id": aggregate_id, "tenant": tenant}, said)  # else the relay would stumble
        return said

    def _due(self, state: S, before: Document) -> Document:
        items: Document = {}
        for name, at in self.kind.due(state).items():
            when = utc_floor(at)
            known = before.get(name)
            items[name] = known if known and known["at"] == when else {"at": when, "next": when, "attempts": 0}
        return items

    # For workers only: across towns

    async def overdue(self, now: datetime) -> AsyncIterator[Work[S]]:
        """Everything due by now, of all towns."""
        rows = self.collection.find({"due_at": {"$lte": now}}, {"events": 0, "requests": 0})
        async for row in rows:
            if "state" not in row:
                continue
            try:
                snapshot = self._snapshot(row)
            except ValueError:  # its text would quote the state
                log.warning("due work can't be read", aggregate=self.kind.name, id=row["_id"])
                continue
            for name, item in row["due"].items():
                if item["next"] <= now:
                    yield Work(name, item["at"], item["attempts"], snapshot)

    def is_due(self, state: S, work: Work[S]) -> bool:
        """Whether this state still asks for that very piece of work."""
        at = self.kind.due(state).get(work.name)
        return at is not None and utc_floor(at) == work.at

    async def archive(self, tenant: str, aggregate_id: str, up_to: int) -> None:
        """Moves events up to a sequence out of the document: first copied, then trimmed."""
        found = await self.collection.find_one({"_id": aggregate_id, "tenant": tenant}, {"events": 1})
        for said in (found or {}).get("events", []):
            if said["sequence"] > up_to:
                break
            copy = {
                "_id": f"{aggregate_id}/{said['sequence']}",
                "tenant": tenant,
                "subject": aggregate_id,
                "said": said,
            }
            with contextlib.suppress(DuplicateKey):
                await self.archived.insert(copy)
        where = {"_id": aggregate_id, "tenant": tenant}
        await self.collection.update(where, {"$pull": {"events": {"sequence": {"$lte": up_to}}}})

    async def postpone(self, work: Work[S], until: datetime) -> None:
        """Marks an attempt that failed: the next one at `until`. Leaves the version alone."""
        where = {"_id": work.snapshot.id, "tenant": work.snapshot.tenant, f"due.{work.name}.at": work.at}
        marked = False
        while not marked:
            found = await self.collection.find_one(where, {"due": 1, "version": 1})
            if not found:
                return
            marked = await self._put_off({**where, "version": found["version"]}, found, work, until)

    async def _put_off(self, where: Filter, found: Document, work: Work[S], until: datetime) -> bool:
        """Whether the version is still the one read: else `due_at` would hide what became due in the meantime."""
        others = [item["next"] for name, item in found["due"].items() if name != work.name]
        marks = {
            f"due.{work.name}.next": utc_floor(until),
            f"due.{work.name}.attempts": work.attempts + 1,
            "due_at": min([*others, utc_floor(until)]),
        }
        return await self.collection.update(where, {"$set": marks})


def _write_conflict(aggregate_id: str) -> WriteConflict:
    return WriteConflict("somebody else changed it at the same time: try again", id=aggregate_id)


def envelope_of(topic: Topic, document: Document, said: Document) -> tuple[Envelope, dict[str, Any]]:
    """An event as a document keeps it, as envelope and data."""
    tenant, subject = document["tenant"], document["_id"]
    envelope = Envelope(
        id=said["id"],
        source=source_of(tenant, topic.stream, subject),
        type=said["type"],
        subject=subject,
        time=said["time"],
        sequence=said["sequence"],
        epoch=said["epoch"],
        tenant=tenant,
        authority=said["authority"],
        case=said["case"],
        causationid=said["causationid"],
        correlationid=said["correlationid"],
        traceparent=said["traceparent"],
        dataschema=said["dataschema"],
    )
    return envelope, said["data"]
