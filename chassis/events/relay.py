"""From documents to the broker: every event said is published, in order within its subject, at least once."""

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
"""Between two tries of a change stream that the server doesn't offer, or whose fault we don't know."""


@dataclass(slots=True)
class _Subject:
    """What one document has to tell, and how far the broker acknowledged it."""

    id: str
    tenant: str
    sequence: int
    kept: int
    """Events in the document."""
    waiting: list[tuple[Envelope, dict[str, Any]]]
    acknowledged: int = 0
    failed: BaseException | None = None
    told: list[Envelope] = field(default_factory=list)

    @property
    def all_told(self) -> bool:
        """Whether nothing of what was read is left to tell."""
        return self.acknowledged == self.sequence or not self.waiting


class Relay:
    """Publishes what the stores' documents have to tell, for as long as the lease is held."""

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
        """`clock` is the one by which the stores say their events, to tell how old the unpublished are.

        `on_success` is called whenever the work list was read and nothing of it stayed unpublished for a fault.
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
        """Relays until cancelled."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, self._settings.relay_longest_pause_seconds)
        pauses = backoff.pauses()
        while True:
            self._signals.published.clear()
            try:
                await self._turn()
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
        """Wakes `run` for what other processes of this service wrote; the indexed read makes it right, not this."""
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

    async def _turn(self) -> None:
        count, oldest = 0, None
        trouble: EngineAway | None = None
        fruitless = 0
        for store in self._stores:
            async for chunk in self._chunks(store):
                count += len(chunk)
                times = [envelope.time for subject in chunk for envelope, _ in subject.waiting]
                oldest = min([*times, *([oldest] if oldest else [])], default=None)
                try:
                    await self._publish(store, chunk)
                    self._on_success()  # a long backlog is no standstill
                except EngineAway as away:
                    # Those behind may do better; two chunks without any success mean that the broker is away.
                    fruitless = 0 if any(subject.acknowledged for subject in chunk) else fruitless + 1
                    if fruitless > 1:
                        raise
                    trouble = away
        if trouble is not None:
            raise trouble
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
        """One event a subject in flight; the next only after its acknowledgement."""
        try:
            turn = [subject for subject in chunk if subject.waiting]
            while turn:
                await self._round(store, turn)
                turn = [subject for subject in turn if subject.waiting and not subject.failed]
        finally:
            failed = next((subject.failed for subject in chunk if subject.failed), None)
            if failed is not None:
                await self._transport.replace_producer()
        await self._mark(store, chunk)
        if failed is not None:
            raise EngineAway(f"not acknowledged: {type(failed).__name__}") from failed

    async def _round(self, store: Store[Any], turn: list[_Subject]) -> None:
        futures: list[asyncio.Future[Any] | BaseException] = []
        broken: EngineAway | None = None
        for subject in turn:
            envelope, data = subject.waiting[0]
            try:
                futures.append(broken or await self._transport.send(store.kind.topic, envelope, data))
            except EngineAway as error:
                broken = error
                futures.append(error)
        sent = [future for future in futures if isinstance(future, asyncio.Future)]
        await asyncio.gather(*sent, return_exceptions=True)
        for subject, future in zip(turn, futures, strict=True):
            problem = future.exception() if isinstance(future, asyncio.Future) else future
            if problem is not None:
                subject.failed = problem
                continue
            envelope, _ = subject.waiting.pop(0)
            subject.acknowledged = envelope.sequence
            subject.told.append(envelope)

    async def _mark(self, store: Store[Any], chunk: list[_Subject]) -> None:
        done = [subject for subject in chunk if subject.acknowledged or not subject.waiting]
        whole = [subject for subject in done if subject.all_told]
        groups = _by_sequence(whole).items()
        left = await asyncio.gather(*(self._mark_all_told(store, sequence, group) for sequence, group in groups))
        part = [subject for subject in done if not subject.all_told] + [subject for group in left for subject in group]
        await store.collection.bulk([_told(subject) for subject in part if subject.acknowledged])
        for subject in whole:
            if subject.kept > self._settings.events_kept:
                await store.archive(subject.tenant, subject.id, subject.sequence - self._settings.events_kept // 2)
        now = self._clock.now()
        for envelope in (envelope for subject in done for envelope in subject.told):
            metrics.EVENTS_PUBLISHED.labels(self._service, envelope.type).inc()
            metrics.PUBLISH_SECONDS.labels(self._service).observe(max((now - envelope.time).total_seconds(), 0.0))

    async def _mark_all_told(self, store: Store[Any], sequence: int, group: list[_Subject]) -> list[_Subject]:
        """Those to be marked as far as they got, since some of the group said more in the meantime."""
        told = {"$max": {"published": sequence}, "$unset": {"unpublished_since": ""}}
        where = {"_id": {"$in": [subject.id for subject in group]}, "sequence": sequence}
        return group if await store.collection.update_all(where, told) < len(group) else []


def _subject(store: Store[Any], document: Document) -> _Subject:
    waiting = [
        envelope_of(store.kind.topic, document, said)
        for said in document["events"]
        if said["sequence"] > document["published"]
    ]
    return _Subject(document["_id"], document["tenant"], document["sequence"], len(document["events"]), waiting)


def _by_sequence(subjects: list[_Subject]) -> dict[int, list[_Subject]]:
    """Those that said equally much are marked by one update: several times as fast as one each."""
    found: dict[int, list[_Subject]] = {}
    for subject in subjects:
        found.setdefault(subject.sequence, []).append(subject)
    return found


def _told(subject: _Subject) -> Update:
    return Update({"_id": subject.id}, {"$max": {"published": subject.acknowledged}})
