"""Restarts a consumer that hangs: one with events left to read that makes no progress for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from chassis import chance, metrics
from chassis.errors import EngineAway
from chassis.events.handlers import EventHandlers
from chassis.events.partitions import Assignment
from chassis.logging import get_logger

log = get_logger(__name__)

_LAG_TIMEOUT_SECONDS = 5.0
"""The longest that the client may take to tell its lag."""


class Watchdog:
    """Watches the progress of one consumer."""

    def __init__(
        self,
        service: str,
        handlers: EventHandlers,
        assignment: Assignment,
        client: Callable[[], Any],
        restart: Callable[[], Awaitable[None]],
        *,
        stuck_seconds: float,
    ) -> None:
        """`client` gives aiokafka's consumer and raises EngineAway if there is none; `restart` replaces it."""
        self._service = service
        self._handlers = handlers
        self._assignment = assignment
        self._client = client
        self._restart = restart
        self._stuck_seconds = stuck_seconds
        self._progress = chance.monotonic()

    def progressed(self) -> None:
        """Something was finished, or there is a new assignment: the time without progress begins anew."""
        self._progress = chance.monotonic()

    async def check(self) -> None:
        """Restarts the consumer if it made no progress for too long. A consumer without lag needs to make none."""
        lag = await self.lag()
        now = chance.monotonic()
        if lag == 0 or self._assignment.working:
            self._progress = now
        if now - self._progress <= self._stuck_seconds:
            return
        log.error("the consumer makes no progress: it is restarted", lag=lag)
        metrics.CONSUMER_RESTARTS.labels(self._service).inc()
        await self._restart()
        self.progressed()

    async def lag(self) -> int | None:
        """Events not yet finished in our partitions; None if the client doesn't answer, or during a rebalance."""
        if self._assignment.owned is None:
            return None
        assigned = list(self._assignment.owned)
        try:
            async with asyncio.timeout(_LAG_TIMEOUT_SECONDS):
                client = self._client()
                ends = await client.end_offsets(assigned) if assigned else {}
                finished = {partition: await self._finished(client, partition) for partition in assigned}
        except (TimeoutError, KafkaError, IllegalStateError, EngineAway):
            return None
        by_topic: dict[str, int] = {topic.name: 0 for topic in self._handlers.topics}
        for partition, end in ends.items():
            by_topic[partition.topic] += max(end - finished[partition], 0)
        for topic, count in by_topic.items():
            metrics.CONSUMER_LAG.labels(self._service, topic).set(count)
        return sum(by_topic.values())

    async def _finished(self, client: Any, partition: TopicPartition) -> int:
        state = self._assignment.partitions.get(partition)
        if state and state.finished_offset:
            return state.finished_offset
        return int(await client.committed(partition) or 0)
