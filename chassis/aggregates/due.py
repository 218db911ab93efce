"""Due work: what must happen later or outside, kept in the aggregate's document with its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from chassis.aggregates.document import DocumentCodec
from chassis.aggregates.kind import Kind, Snapshot
from chassis.logging import get_logger
from chassis.mongo import Collection, Document, Filter, utc_floor

log = get_logger(__name__)

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Work(Generic[S]):
    """A piece of due work: do it, then `Store.on_due`."""

    name: str
    at: datetime
    attempts: int
    snapshot: Snapshot[S]


def due_items(kind: Kind[S], state: S, before: Document) -> Document:
    """What is due in a state, by name. A piece whose time didn't change keeps its attempts."""
    items: Document = {}
    for name, at in kind.due(state).items():
        when = utc_floor(at)
        known = before.get(name)
        items[name] = known if known and known["at"] == when else {"at": when, "next": when, "attempts": 0}
    return items


def is_due(kind: Kind[S], state: S, work: Work[S]) -> bool:
    """Whether this state still asks for that very piece of work."""
    at = kind.due(state).get(work.name)
    return at is not None and utc_floor(at) == work.at


async def overdue(collection: Collection, codec: DocumentCodec[S], now: datetime) -> AsyncIterator[Work[S]]:
    """Everything due by now, of all towns."""
    rows = collection.find({"due_at": {"$lte": now}}, {"events": 0, "requests": 0})
    async for row in rows:
        if "state" not in row:
            continue
        try:
            snapshot = codec.to_snapshot(row)
        except ValueError:  # its text would quote the state
            log.warning("due work can't be read", aggregate=codec.kind.name, id=row["_id"])
            continue
        for name, item in row["due"].items():
            if item["next"] <= now:
                yield Work(name, item["at"], item["attempts"], snapshot)


async def postpone(collection: Collection, work: Work[S], until: datetime) -> None:
    """Marks an attempt that failed: the next one at `until`. Leaves the version alone."""
    where = {"_id": work.snapshot.id, "tenant": work.snapshot.tenant, f"due.{work.name}.at": work.at}
    marked = False
    while not marked:
        found = await collection.find_one(where, {"due": 1, "version": 1})
        if not found:
            return
        marked = await _put_off(collection, {**where, "version": found["version"]}, found, work, until)


async def _put_off(collection: Collection, where: Filter, found: Document, work: Work[S], until: datetime) -> bool:
    """Whether the version is still the one read: else `due_at` would hide what became due in the meantime."""
    others = [item["next"] for name, item in found["due"].items() if name != work.name]
    marks = {
        f"due.{work.name}.next": utc_floor(until),
        f"due.{work.name}.attempts": work.attempts + 1,
        "due_at": min([*others, utc_floor(until)]),
    }
    return await collection.update(where, {"$set": marks})
