"""The document of a parked subject: one for each (consumer, subject), with its events in order.

_id       <consumer><source>, or <consumer>#<topic>/<partition>/<offset> if the event's source can't be read
status    waiting (tried again automatically) or parked (a person decides)
reason    code: not_yet, hole, rejected, failed, undecodable
detail    the error's class and text; no content of the event
events    [{at, topic, partition, offset, key, headers, value}], ordered by `at`, which is the event's position
retry_at  when the partition's owner tries it next; absent while it waits for a person
asked     what an operator requested, and for which event: {action: replay | discard, at: first event, reason, id}
"""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import ConsumerRecord

from chassis.mongo import Document

WAITING = "waiting"
PARKED = "parked"
REPLAY = "replay"
DISCARD = "discard"
HOLE = "hole"


@dataclass(frozen=True, slots=True)
class ProcessingFailure:
    """Why an event can't be applied now, and so is parked."""

    status: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it came from the topic: enough to apply it later."""

    position: int
    topic: str
    partition: int
    offset: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @classmethod
    def from_record(cls, record: ConsumerRecord, position: int) -> StoredEvent:
        """The event of a record."""
        headers = tuple((str(name), bytes(value or b"")) for name, value in record.headers)
        return cls(
            position, record.topic, record.partition, record.offset, record.key or b"", headers, record.value or b""
        )

    def to_document(self) -> Document:
        """The event as it is stored."""
        return {
            "at": self.position,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": self.key,
            "headers": [[name, value] for name, value in self.headers],
            "value": self.value,
        }

    @classmethod
    def from_document(cls, document: Document) -> StoredEvent:
        """The event as it was stored."""
        headers = tuple((name, bytes(value)) for name, value in document["headers"])
        return cls(
            document["at"],
            document["topic"],
            document["partition"],
            document["offset"],
            bytes(document["key"]),
            headers,
            bytes(document["value"]),
        )


@dataclass(frozen=True, slots=True)
class ParkedSubject:
    """A subject's parked events, in order, as they were when they were read."""

    id: str
    status: str
    reason: str
    attempts: int
    request: Document | str | None
    """The operator's request exactly as stored: only this one is removed later, not a newer one."""
    events: tuple[StoredEvent, ...]

    @classmethod
    def from_document(cls, document: Document) -> ParkedSubject:
        """The subject as it was stored."""
        events = sorted(map(StoredEvent.from_document, document["events"]), key=lambda stored: stored.position)
        return cls(
            document["_id"],
            document["status"],
            document["reason"],
            document["attempts"],
            document.get("asked"),
            tuple(events),
        )

    def discard_requested(self, *, behind_hole: bool) -> bool:
        """Whether the first event is to be discarded, or the hole that it is behind at present.

        A request is for the event that was first when the operator made it. It no longer applies once that event is
        done, or is no longer behind the hole that the operator saw.
        """
        if not isinstance(self.request, dict):
            return self.request == DISCARD  # as releases before 2026-12 stored it
        seen_behind_hole = self.request["reason"] == HOLE
        if self.request["at"] != self.events[0].position or seen_behind_hole != behind_hole:
            return False
        return bool(self.request["action"] == DISCARD)
