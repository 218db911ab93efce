"""Everything that is the case after a run, read once: documents, topics, offsets, files, the provider's own records."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from chassis.events.reading import reader
from chassis.mongo import Collection
from contracts import topics
from contracts.envelope import Envelope, EnvelopeError
from rathaus.operations.installation import Installation

Document = dict[str, Any]

REGISTER_GROUP = "population-register-witten"
PAST = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything was said."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it lies in its topic."""

    stream: str
    partition: int
    offset: int
    key: str
    envelope: Envelope
    data: Document

    @property
    def name(self) -> str:
        """Such as `notice_issued`."""
        return self.envelope.type.split(".")[3]

    @property
    def place(self) -> str:
        """For a person who wants to look."""
        return f"{self.stream}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Charge:
    """A transaction as the payment provider itself has it."""

    transaction_id: str
    request_id: str
    purpose: str
    cents: int
    paid: bool


@dataclass(slots=True)
class World:
    """All of it, as plain data."""

    documents: dict[str, dict[str, list[Document]]] = field(default_factory=dict)
    """By service and collection."""
    told: list[Told] = field(default_factory=list)
    """In order within each partition."""
    unreadable: list[str] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    files: dict[tuple[str, str], str] = field(default_factory=dict)
    """(town, name of the file): SHA-256 of its bytes."""
    leftovers: int = 0
    """Files that were begun and never finished."""
    mails: dict[str, int] = field(default_factory=dict)
    """By notice."""

    def rows(self, service: str, collection: str) -> list[Document]:
        """Documents of one collection."""
        return self.documents.get(service, {}).get(collection, [])

    def by_id(self, service: str, collection: str) -> dict[str, Document]:
        """Those by id."""
        return {row["_id"]: row for row in self.rows(service, collection)}


async def read(installation: Installation, home: Path, files: Path) -> World:
    """Reads it all; nothing may be moving."""
    world = World()
    for service in (topic.stream for topic in topics.ALL):
        async with installation.database(service) as database:
            found = {}
            for name in await database.names():
                found[name] = [row async for row in database.collection(name).find({})]
            world.documents[service] = found
    await _topics(installation, world)
    world.charges = charges(home / "payment-provider")
    _files(files, world)
    for mail in (home / "outbox").glob("*/*.eml"):
        world.mails[mail.stem] = world.mails.get(mail.stem, 0) + 1
    return world


async def _topics(installation: Installation, world: World) -> None:
    streams = {topic.name: topic.stream for topic in topics.ALL}
    async with reader(installation.servers, list(streams)) as found:
        async for record in found.read(await found.spans()):
            where = f"{record.topic}/{record.partition}/{record.offset}"
            try:
                envelope = Envelope.parse(record.headers)
                told = Told(
                    streams[record.topic],
                    record.partition,
                    record.offset,
                    (record.key or b"").decode(),
                    envelope,
                    json.loads(record.value),
                )
            except (EnvelopeError, ValueError) as error:
                world.unreadable.append(f"{where}: {error}")
                continue
            world.told.append(told)


def charges(folder: Path) -> list[Charge]:
    """From the provider's own database."""
    found = []
    for file in [*folder.glob("*.db"), *folder.glob("*.sqlite*")]:
        if file.suffix.endswith(("-wal", "-shm")):
            continue
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            for transaction, request, bill, outcome, settles, decision in database.execute(
                "SELECT transaction_id, request_id, bill, outcome, settles_at, decision FROM payments"
            ):
                _, cents, _, purpose, _ = json.loads(bill)
                paid = decision == "PAYED" or (decision is None and outcome == "PAYED" and settles is not None)
                found.append(Charge(transaction, request, purpose, cents, paid))
        database.close()
    return found


def _files(root: Path, world: World) -> None:
    """`.../<town>/<two letters>/<hash>`, and `.../incoming/...` while it is written."""
    for path in root.rglob("*"):
        if not path.is_file():
            continue
        if "incoming" in path.parts:
            world.leftovers += 1
        elif len(path.name) == 64:
            world.files[path.parent.parent.name, path.name] = hashlib.sha256(path.read_bytes()).hexdigest()


async def lag(installation: Installation) -> dict[str, int]:
    """By group: events not yet done with, of the topics that the group ever committed."""
    groups = [*(installation.group(topic.stream) for topic in topics.ALL), REGISTER_GROUP]
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.servers)
    await admin.start()
    try:
        committed = {group: await admin.list_consumer_group_offsets(group) for group in groups}
    finally:
        await admin.close()
    async with reader(installation.servers, [topic.name for topic in topics.ALL]) as found:
        spans = await found.spans()
    behind = {}
    for group, known in committed.items():
        read_topics = {place.topic for place in known}
        behind[group] = sum(
            span.end - max(known[place].offset if place in known else 0, span.start)
            for place, span in spans.items()
            if place.topic in read_topics
        )
    return behind


@dataclass(frozen=True, slots=True)
class Unrest:
    """What still moves, or waits."""

    unpublished: int = 0
    lag: int = 0
    waiting: int = 0
    parked: int = 0
    overdue: int = 0
    where: tuple[str, ...] = ()
    """By service and collection, or group."""

    @property
    def quiet(self) -> bool:
        """Nothing."""
        return not (self.unpublished or self.lag or self.waiting or self.overdue)

    def __str__(self) -> str:
        return (
            f"{self.unpublished} subjects unpublished, {self.lag} events behind, {self.waiting} waiting, "
            f"{self.parked} parked, {self.overdue} overdue"
        )


async def unrest(installation: Installation, now: datetime) -> Unrest:
    """How far from quiet it is; `now` is the moved clock's."""
    found: Counter[str] = Counter()
    where: Counter[str] = Counter()
    for service in (topic.stream for topic in topics.ALL):
        async with installation.database(service) as database:
            for name in await database.names():
                for what, count in (await _restless(database.collection(name), now)).items():
                    found[what] += count
                    where[f"{service}.{name} {what}"] += count
    for group, count in (await lag(installation)).items():
        found["lag"] += count
        where[f"{group} behind"] += count
    places = tuple(f"{name} {count}" for name, count in where.items() if count)
    return Unrest(found["unpublished"], found["lag"], found["waiting"], found["parked"], found["overdue"], places)


async def _restless(collection: Collection, now: datetime) -> dict[str, int]:
    if collection.name == "parked":
        return {status: await collection.count({"status": status}) for status in ("waiting", "parked")}
    return {
        "unpublished": await collection.count({"unpublished_since": {"$gt": PAST}}),
        "overdue": await collection.count({"due_at": {"$lte": now}}),
    }
