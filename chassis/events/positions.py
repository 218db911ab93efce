"""Positions: where an event stands in its subject's sequence, and how far a consumer has got with each subject.

A position is epoch * SEQUENCES_PER_EPOCH + sequence, so a newer event has a greater position. It is not an offset.
"""

from __future__ import annotations

from collections.abc import Iterable

from chassis.mongo import Collection, Database, Update
from contracts.envelope import Envelope

SEQUENCES_PER_EPOCH = 10**12


def position_of(envelope: Envelope) -> int:
    """The position of an event in its subject's sequence."""
    return envelope.epoch * SEQUENCES_PER_EPOCH + envelope.sequence


def follows(position: int, last: int | None) -> bool:
    """Whether an event may come after the last one read: a repetition, the next one, or the first of a later epoch.

    After a restore, the new epoch begins at or before the sequence that follows the last one read. An event further
    ahead is behind a hole.
    """
    epoch, sequence = divmod(position, SEQUENCES_PER_EPOCH)
    last_epoch, last_sequence = divmod(last or 0, SEQUENCES_PER_EPOCH)
    return epoch < last_epoch or sequence <= last_sequence + 1


class PositionStore:
    """The position of the last event of each subject that a consumer has finished."""

    def __init__(self, database: Database, consumer: str) -> None:
        self.collection: Collection = database.collection("positions")
        self._consumer = consumer

    async def load(self, sources: Iterable[str]) -> dict[str, int]:
        """Positions by source. Subjects that were never read are absent."""
        ids = [self._consumer + source for source in sources]
        rows = self.collection.find({"_id": {"$in": ids}})
        return {row["_id"].removeprefix(self._consumer): int(row["at"]) async for row in rows}

    async def save(self, positions: dict[str, int]) -> None:
        """Saves positions by source. A position only ever grows: a smaller one changes nothing."""
        await self.collection.bulk(
            [
                Update({"_id": self._consumer + source}, {"$max": {"at": position}}, upsert=True)
                for source, position in positions.items()
            ]
        )
