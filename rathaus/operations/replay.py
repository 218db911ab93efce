"""Reading a service's events again from an earlier point. What was applied does nothing; what was missed is applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.errors import Conflict
from chassis.events.broker_errors import translated
from chassis.events.reading import reader
from rathaus.operations.installation import Installation


@dataclass(frozen=True, slots=True)
class Move:
    """What a replay does to one partition."""

    topic: str
    partition: int
    committed: int | None
    target: int

    @property
    def events(self) -> int:
        """Offsets read again (or skipped, where negative)."""
        return (self.committed or 0) - self.target


async def planned(
    installation: Installation, service: str, *, since: datetime | None = None, offset: int | None = None
) -> list[Move]:
    """What a replay from a time, or from an offset in every partition, would do. Neither: from the beginning."""
    group = installation.group(service)
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.servers)
    with translated():
        await admin.start()
        try:
            committed = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
    topics = sorted({partition.topic for partition in committed})
    if not topics:
        return []
    async with reader(installation.servers, topics) as found:
        spans = await found.spans(since)
    moves = []
    for partition, span in sorted(spans.items()):
        known = committed.get(partition)
        target = span.start if offset is None else min(max(offset, span.start), span.end)
        moves.append(Move(partition.topic, partition.partition, known.offset if known else None, target))
    return moves


async def members(installation: Installation, service: str) -> int:
    """How many members the service's group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.servers)
    with translated():
        await admin.start()
        try:
            answers = await admin.describe_consumer_groups([installation.group(service)])
        finally:
            await admin.close()
    return sum(len(group[5]) for answer in answers for group in answer.groups)


async def replay(installation: Installation, service: str, moves: list[Move]) -> None:
    """Sets the group's offsets.

    Raises:
        Conflict: the group has members: stop the service first.
    """
    active = await members(installation, service)
    if active:
        raise Conflict(f"group {installation.group(service)} has {active} active members: stop {service} first")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=installation.servers, group_id=installation.group(service), enable_auto_commit=False
    )
    with translated():
        await consumer.start()
        try:
            consumer.assign([TopicPartition(move.topic, move.partition) for move in moves])
            await consumer.commit({TopicPartition(move.topic, move.partition): (move.target, "") for move in moves})
        finally:
            await consumer.stop()
