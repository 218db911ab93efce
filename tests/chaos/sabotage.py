"""Starts one service broken, or unruly: `python -m tests.chaos.sabotage services.payments.main`.

What is broken is named by CHAOS_SABOTAGE and is there to be found by the checker. CHAOS_UNRULY is a share of events
whose handlers fail for a while, which a service must bear. Neither is a switch of the product: this wrapper patches the
chassis in its own process, before the service is composed.
"""

from __future__ import annotations

import asyncio
import os
import random
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from chassis.aggregates import Received, Store
from chassis.errors import NotYet
from chassis.events.consumer import Consumer
from chassis.events.handlers import EventHandlers
from chassis.events.parking import ParkingStore, StoredEvent
from chassis.events.relay import Relay
from chassis.events.transport import Transport
from chassis.mongo import Update
from contracts.envelope import Envelope


def commit_first() -> None:
    """Offsets are committed before the work is done: a crash in between loses events."""
    apply = Consumer._apply_until_done

    async def _apply_until_done(self: Any, records: list[Any]) -> None:
        from aiokafka import TopicPartition  # noqa: PLC0415

        partition = TopicPartition(records[0].topic, records[0].partition)
        await self._commit(partition, records[-1].offset + 1)
        await asyncio.sleep(0.3)  # the window in which a crash is felt
        await apply(self, records)

    Consumer._apply_until_done = _apply_until_done  # type: ignore[method-assign]


def mark_first() -> None:
    """Events are marked as published before the broker acknowledged them."""
    publish = Relay._publish

    async def _publish(self: Any, store: Any, chunk: list[Any]) -> None:
        await store.collection.bulk(
            [
                Update(
                    {"_id": subject.id, "sequence": subject.sequence},
                    {"$max": {"published": subject.sequence}, "$unset": {"unpublished_since": ""}},
                )
                for subject in chunk
            ]
        )
        await asyncio.sleep(0.2)
        await publish(self, store, chunk)

    Relay._publish = _publish  # type: ignore[method-assign]


def seen_ignored() -> None:
    """A repeated event is applied again."""
    on_event = Store.upsert_on_event

    async def _on_event(self: Any, event: Received[Any], aggregate_id: str, transition: Any) -> Any:
        load = self._load

        async def _load(tenant: str, found_id: str) -> Any:
            found = await load(tenant, found_id)
            return {**found, "seen": {}} if found else found

        self._load = _load
        try:
            return await on_event(self, event, aggregate_id, transition)
        finally:
            self._load = load

    Store.upsert_on_event = _on_event  # type: ignore[method-assign]


def sends_reordered() -> None:
    """All events of a subject are sent at once, the last first."""

    async def _send_next(self: Any, store: Any, subjects: list[Any]) -> None:
        for subject in subjects:
            for envelope, data in reversed(subject.waiting):
                await (await self._transport.send(store.kind.topic, envelope, data))
            subject.published = [envelope for envelope, _ in subject.waiting]
            subject.acknowledged = subject.waiting[-1][0].sequence
            subject.waiting.clear()

    Relay._send_next = _send_next  # type: ignore[method-assign]


def stale_parked() -> None:
    """Whatever was parked once is taken for parked still: its later events are held to be kept there, and aren't."""
    ever: set[str] = set()
    parked_among = ParkingStore.parked_among

    async def _parked_among(self: Any, sources: Iterable[str]) -> set[str]:
        asked = set(sources)
        ever.update(await parked_among(self, asked))
        return ever & asked

    async def _append(self: Any, document_id: str, stored: StoredEvent) -> bool:
        return True

    ParkingStore.parked_among = _parked_among  # type: ignore[method-assign]
    ParkingStore.append = _append  # type: ignore[method-assign]


def key_changed(transport: type[Any] = Transport) -> None:
    """From the second event on a subject has another key."""
    send = transport.send

    async def _send(self: Any, topic: Any, envelope: Envelope, data: dict[str, Any]) -> Any:
        if envelope.sequence > 1:
            envelope = envelope.model_copy(update={"case": None})
        return await send(self, topic, envelope, data)

    transport.send = _send


def files_forgotten() -> None:
    """A file is named before it is durable, and isn't there."""
    from chassis import files  # noqa: PLC0415

    def _publish(handle: Any, incoming: Any, final: Any) -> None:
        handle.flush()

    files._publish = _publish


SABOTAGES: dict[str, Callable[[], None]] = {
    "commit_first": commit_first,
    "mark_first": mark_first,
    "seen_ignored": seen_ignored,
    "sends_reordered": sends_reordered,
    "stale_parked": stale_parked,
    "key_changed": key_changed,
    "files_forgotten": files_forgotten,
}


def unruly(share: float, seed: int) -> None:
    """A share of the events meets a handler that fails: not yet, after its write, or until it is parked."""
    on = EventHandlers.on
    calls: Counter[str] = Counter()

    def _on(self: EventHandlers, event: Any, handler: Any) -> None:
        async def _failing(received: Received[Any]) -> None:
            mood = random.Random(f"{seed}/{received.envelope.id}").random() / share
            calls[received.envelope.id] += 1
            call = calls[received.envelope.id]
            if mood < 0.5 and call <= 2:
                raise NotYet("unruly: what it refers to isn't there yet")
            if 0.5 <= mood < 0.6 and call <= 3:
                raise RuntimeError("unruly: before its write")
            await handler(received)
            if 0.6 <= mood < 1 and call == 1:
                raise RuntimeError("unruly: after its write")

        on(self, event, _failing)

    EventHandlers.on = _on  # type: ignore[method-assign]


def main() -> None:
    """Patches, then runs the module as if it had been started itself."""
    name = os.environ.pop("CHAOS_SABOTAGE", "")
    share = float(os.environ.pop("CHAOS_UNRULY", "0"))
    seed = int(os.environ.pop("CHAOS_SEED", "0"))
    if name:
        SABOTAGES[name]()
    if share:
        unruly(share, seed)
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
