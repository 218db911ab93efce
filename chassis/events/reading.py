"""Reading topics as they lie, outside any group: for operators' tools and proofs, not for handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from chassis.errors import EngineAway, NotFound
from chassis.events.broker_errors import translated

_LOOK_MS = 500


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where one partition is read: `[start, end)`."""

    start: int
    end: int


class Reader:
    """All partitions of some topics, without committing anything."""

    def __init__(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self.partitions = partitions

    async def spans(self, since: datetime | None = None) -> dict[TopicPartition, Span]:
        """What lies there now, from the beginning or from a time."""
        with translated():
            starts: dict[TopicPartition, int] = await self._consumer.beginning_offsets(self.partitions)
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self.partitions)
            if since is not None:
                starts = await self.offsets_at(since, ends)
        return {partition: Span(starts[partition], ends[partition]) for partition in self.partitions}

    async def offsets_at(self, since: datetime, ends: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The first offset at or after a time in each partition; the end where there is none."""
        stamp = int(since.timestamp() * 1000)
        with translated():
            found = await self._consumer.offsets_for_times(dict.fromkeys(self.partitions, stamp))
        return {
            partition: found[partition].offset if found.get(partition) else ends[partition]
            for partition in self.partitions
        }

    async def committed(self) -> dict[TopicPartition, int | None]:
        """What the reader's group committed in each partition."""
        with translated():
            self._consumer.assign(self.partitions)
            return {partition: await self._consumer.committed(partition) for partition in self.partitions}

    async def read(self, spans: dict[TopicPartition, Span]) -> AsyncIterator[ConsumerRecord]:
        """Every record of the spans; in order within a partition."""
        left = {partition: span for partition, span in spans.items() if span.start < span.end}
        self._consumer.assign(list(left))
        for partition, span in left.items():
            self._consumer.seek(partition, span.start)
        while left:
            with translated():
                batch = await self._consumer.getmany(*left, timeout_ms=_LOOK_MS, max_records=5000)
                reached = {partition: await self._consumer.position(partition) for partition in left}
            for partition, records in batch.items():
                for record in records:
                    if record.offset < spans[partition].end:
                        yield record
            left = {partition: span for partition, span in left.items() if reached[partition] < span.end}
            self._consumer.pause(*(partition for partition in reached if partition not in left))

    async def follow(self, spans: dict[TopicPartition, Span]) -> AsyncIterator[ConsumerRecord]:
        """Every record from the spans' starts on, without end."""
        self._consumer.assign(self.partitions)
        for partition, span in spans.items():
            self._consumer.seek(partition, span.start)
        while True:
            with translated():
                batch = await self._consumer.getmany(timeout_ms=_LOOK_MS)
            for records in batch.values():
                for record in records:
                    yield record


@asynccontextmanager
async def reader(servers: Sequence[str], topics: Sequence[str], *, group: str | None = None) -> AsyncIterator[Reader]:
    """A reader of some topics; with a `group`, one that can ask what the group committed, without joining it.

    Raises:
        EngineAway: the broker can't be reached.
        NotFound: a topic doesn't exist.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(servers), group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        with translated():
            await consumer.start()
            known = await consumer.topics()
            missing = [topic for topic in topics if topic not in known]
            if missing:
                raise NotFound(f"no such topic: {', '.join(missing)}")
            partitions = [
                TopicPartition(topic, number)
                for topic in topics
                for number in sorted(await _partitions(consumer, topic))
            ]
        yield Reader(consumer, partitions)
    finally:
        with suppress(KafkaError):
            await consumer.stop()


async def events_left(servers: Sequence[str], group: str, topics: Sequence[str]) -> int:
    """How many events lie before a group in all partitions of some topics. Raises as `reader`."""
    async with reader(servers, topics, group=group) as found:
        spans = await found.spans()
        done = await found.committed()
    return sum(max(span.end - (done[partition] or span.start), 0) for partition, span in spans.items())


async def _partitions(consumer: Any, topic: str) -> set[int]:
    found = consumer.partitions_for_topic(topic)
    if not found:
        await consumer._client.force_metadata_update()  # noqa: SLF001 - aiokafka has no public refresh
        found = consumer.partitions_for_topic(topic)
    if not found:
        raise EngineAway(f"the broker says nothing of topic {topic}")
    return set(found)
