"""The partitions that are assigned to a consumer, and the work under way in each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition


@dataclass(slots=True)
class PartitionState:
    """The work of one partition."""

    records: deque[ConsumerRecord] = field(default_factory=deque)
    """Fetched and not yet begun."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while events of the partition are applied, so that new and parked ones are never applied side by side."""
    worker: asyncio.Task[None] | None = None
    """Applies `records`."""
    drain: asyncio.Task[None] | None = None
    """Tries parked subjects again."""
    finished_offset: int = 0
    """The offset behind the last finished record; 0 if none was finished here yet."""


class Assignment:
    """The partitions of one consumer."""

    def __init__(self) -> None:
        self.partitions: dict[TopicPartition, PartitionState] = {}
        """Those with work. Records may arrive before the assignment is announced, so one may be missing in `owned`."""
        self.owned: frozenset[TopicPartition] | None = None
        """What the group assigned to us; None between a revocation and the next assignment, when we own nothing. The
        client can't be asked: it names the old partitions until it has new ones."""
        self.rebalances = 0
        """Counts revocations. Records that were fetched before one must not be applied after it."""
        self.stopping = False
        """Set when the consumer stops: what was begun is finished, and nothing new is begun."""

    def state_of(self, partition: TopicPartition) -> PartitionState:
        """The partition's state; made when it is first needed."""
        return self.partitions.setdefault(partition, PartitionState())

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Takes what the group assigned to us."""
        self.owned = frozenset(partitions)

    async def revoke_all(self) -> None:
        """Cancels all unfinished work and waits for its end. Whoever gets a partition reads from its last commit."""
        self.rebalances += 1
        self.owned = None
        revoked, self.partitions = self.partitions, {}
        await cancel_and_wait(task for state in revoked.values() for task in (state.worker, state.drain))

    async def cancel_drains(self) -> None:
        """Cancels the tries of parked subjects and waits for their end."""
        await cancel_and_wait(state.drain for state in self.partitions.values())

    def workers(self) -> list[asyncio.Task[None]]:
        """The tasks that apply records, also those that ended."""
        return [state.worker for state in self.partitions.values() if state.worker]

    @property
    def working(self) -> bool:
        """Whether records are being applied in any partition."""
        return any(not worker.done() for worker in self.workers())


async def cancel_and_wait(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancels tasks and waits for their end."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
