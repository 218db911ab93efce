"""From documents to the broker: every saved event is published at least once, in order within its subject."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chassis import metrics
from chassis.aggregates import Signals, Store, envelope_of
from chassis.clock import Clock, SystemClock
from chassis.errors import EngineAway
from chassis.events.transport import Transport
from chassis.logging import get_logger
from chassis.mongo import Database, Document, Update
from chassis.retry import Backoff
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope

log = get_logger(__name__)

CHUNK = 200
"""Subjects in flight at a time."""
_PAST = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_PAUSE_SECONDS = 0.2
_WATCH_PAUSE_SECONDS = 1.0
_UNWATCHABLE_PAUSE_SECONDS = 60.0
"""Between two tries of a change stream that the server doesn't offer, or that failed in an unforeseen way."""


@dataclass(slots=True)
class _Subject:
    """The unpublished events of one document, and how far the broker acknowledged them."""

    id: str
    tenant: str
    sequence: int
    """Of the last event in the document when it was read."""
    kept: int
    """The number of events in the document."""
    waiting: list[tuple[Envelope, dict[str, Any]]]
    """Envelope and data of the events to send, in order."""
    acknowledged: int = 0
    """The sequence of the last event that the broker acknowledged; 0 if none was."""
    failed: BaseException | None = None
    published: list[Envelope] = field(default_factory=list)

    @property
    def all_published(self) -> bool:
        """Whether every event that was read is published."""
        return self.acknowledged == self.sequence or not self.waiting


class Relay:
    """Publishes the events of the stores' documents, for as long as the lease is held."""

    def __init__(
        self,
        service: str,
        stores: list[Store[Any]],
        transport: Transport,
        database: Database,
        signals: Signals,
        settings: ServiceSettings,
        clock: Clock | None = None,
        on_success: Callable[[], None] = lambda: None,
    ) -> None:
        """`clock`: the one that gives the stores' events their times; measures how old unpublished events are.

        `on_success`: called whenever the work list was read and everything in it could be published.
        """
        self._on_success = on_success
        self._clock = clock or SystemClock()
        self._service = service
        self._stores = stores
        self._transport = transport
        self._database = database
        self._signals = signals
        self._settings = settings

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, self._settings.relay_longest_pause_seconds)
        pauses = backoff.pauses()
        while True:
            self._signals.published.clear()
            try:
                await self._publish_all()
            except EngineAway as away:
                metrics.PUBLISH_ERRORS.labels(self._service).inc()
                log.warning("events can't be published at present", reason=away.detail)
                await asyncio.sleep(next(pauses))
            else:
                pauses = backoff.pauses()
                self._on_success()
                await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.relay_poll_seconds):
                await self._signals.published.wait()

    async def watch(self) -> None:
        """Wakes `run` when another process of this service wrote something.

        Only a help: `run` also finds such events by polling.
        """
        names = [store.kind.name for store in self._stores]
        while True:
            try:
                async with self._database.changes(names, 1.0) as changes:
                    async for changed in changes:
                        if changed:
                            self._signals.published.set()
                            self._signals.due.set()
            except EngineAway:
                await asyncio.sleep(_WATCH_PAUSE_SECONDS)
            except Exception as error:
                log.warning("no change stream: other processes' events are found by polling", reason=str(error)[:200])
                await asyncio.sleep(_UNWATCHABLE_PAUSE_SECONDS)

    async def _publish_all(self) -> None:
        count, oldest = 0, None
        failure: EngineAway | None = None
        failed_chunks = 0
        for store in self._stores:
            async for chunk in self._chunks(store):
                count += len(chunk)
                times = [envelope.time for subject in chunk for envelope, _ in subject.waiting]
                oldest = min([*times, *([oldest] if oldest else [])], default=None)
                try:
                    await self._publish(store, chunk)
                    self._on_success()  # a long backlog is no standstill
                except EngineAway as away:
                    # The next chunk may succeed. Two chunks in a row without any success mean that the broker is away.
                    failed_chunks = 0 if any(subject.acknowledged for subject in chunk) else failed_chunks + 1
                    if failed_chunks > 1:
                        raise
                    failure = away
        if failure is not None:
            raise failure
        age = (self._clock.now() - oldest).total_seconds() if oldest else 0.0
        metrics.UNPUBLISHED.labels(self._service).set(count)
        metrics.UNPUBLISHED_AGE.labels(self._service).set(max(age, 0.0))

    async def _chunks(self, store: Store[Any]) -> AsyncIterator[list[_Subject]]:
        fields = {"tenant": 1, "sequence": 1, "published": 1, "events": 1}
        chunk: list[_Subject] = []
        async for document in store.collection.find({"unpublished_since": {"$gt": _PAST}}, fields, batch=CHUNK):
            try:
                chunk.append(_subject(store, document))
            except (ValueError, KeyError) as error:
                reason = type(error).__name__  # its text would quote the document
                log.warning("events can't be read", aggregate=store.kind.name, id=document["_id"], reason=reason)
                continue
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    async def _publish(self, store: Store[Any], chunk: list[_Subject]) -> None:
        """Sends the events of a chunk: one event of each subject at a time, the next only after its acknowledgement."""
        try:
            sending = [subject for subject in chunk if subject.waiting]
            while sending:
                await self._send_next(store, sending)
                sending = [subject for subject in sending if subject.waiting and not subject.failed]
        finally:
            failed = next((subject.failed for subject in chunk if subject.failed), None)
            if failed is not None:
                await self._transport.replace_producer()
        await self._mark(store, chunk)
        if failed is not None:
            raise EngineAway(f"not acknowledged: {type(failed).__name__}") from failed

    async def _send_next(self, store: Store[Any], subjects: list[_Subject]) -> None:
        """Sends the next event of each subject, and waits until all are acknowledged or failed."""
        futures: list[asyncio.Future[Any] | BaseException] = []
        broken: EngineAway | None = None
        for subject in subjects:
            envelope, data = subject.waiting[0]
            try:
                futures.append(broken or await self._transport.send(store.kind.topic, envelope, data))
            except EngineAway as error:
                broken = error
                futures.append(error)
        sent = [future for future in futures if isinstance(future, asyncio.Future)]
        await asyncio.gather(*sent, return_exceptions=True)
        for subject, future in zip(subjects, futures, strict=True):
            problem = future.exception() if isinstance(future, asyncio.Future) else future
            if problem is not None:
                subject.failed = problem
                continue
            envelope, _ = subject.waiting.pop(0)
            subject.acknowledged = envelope.sequence
            subject.published.append(envelope)

    async def _mark(self, store: Store[Any], chunk: list[_Subject]) -> None:
        """Marks in the documents what was published, and archives old events."""
        done = [subject for subject in chunk if subject.acknowledged or not subject.waiting]
        complete = [subject for subject in done if subject.all_published]
        groups = _by_sequence(complete).items()
        left = await asyncio.gather(*(self._mark_complete(store, sequence, group) for sequence, group in groups))
        partial = [subject for subject in done if not subject.all_published]
        partial += [subject for group in left for subject in group]
        await store.collection.bulk([_mark_acknowledged(subject) for subject in partial if subject.acknowledged])
        for subject in complete:
            if subject.kept > self._settings.events_kept:
                await store.archive(subject.tenant, subject.id, subject.sequence - self._settings.events_kept // 2)
        now = self._clock.now()
        for envelope in (envelope for subject in done for envelope in subject.published):
            metrics.EVENTS_PUBLISHED.labels(self._service, envelope.type).inc()
            metrics.PUBLISH_SECONDS.labels(self._service).observe(max((now - envelope.time).total_seconds(), 0.0))

    async def _mark_complete(self, store: Store[Any], sequence: int, group: list[_Subject]) -> list[_Subject]:
        """Takes documents off the work list, except those with newer events.

        Returns the subjects that must be marked one by one, because some of the group has newer events.
        """
        published = {"$max": {"published": sequence}, "$unset": {"unpublished_since": ""}}
        where = {"_id": {"$in": [subject.id for subject in group]}, "sequence": sequence}
        return group if await store.collection.update_all(where, published) < len(group) else []


def _subject(store: Store[Any], document: Document) -> _Subject:
    waiting = [
        envelope_of(store.kind.topic, document, event)
        for event in document["events"]
        if event["sequence"] > document["published"]
    ]
    return _Subject(document["_id"], document["tenant"], document["sequence"], len(document["events"]), waiting)


def _by_sequence(subjects: list[_Subject]) -> dict[int, list[_Subject]]:
    """Subjects with the same sequence are marked by one update, which is several times as fast as one update each."""
    groups: dict[int, list[_Subject]] = {}
    for subject in subjects:
        groups.setdefault(subject.sequence, []).append(subject)
    return groups


def _mark_acknowledged(subject: _Subject) -> Update:
    return Update({"_id": subject.id}, {"$max": {"published": subject.acknowledged}})
