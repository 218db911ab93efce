"""Every topic, declared once: name, partitions, retention.

The number of partitions never changes: growth is a new topic.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A stream of one service's events.

    The key of an event is its case where the subject has one from its creation, else its subject; it never changes, so
    the order of a subject is the order of its partition. Between topics and between subjects there is no order.
    """

    stream: str
    """The emitting service; part of each event's `source` and `type`."""
    version: int
    partitions: int
    retention_ms: int = -1
    """Milliseconds; -1 keeps events without limit."""

    @property
    def name(self) -> str:
        """As Kafka knows it."""
        return f"rathaus.{self.stream}.v{self.version}"


IDENTITY = Topic("identity", version=1, partitions=6)
CATALOG = Topic("catalog", version=1, partitions=6)
APPLICATIONS = Topic("applications", version=1, partitions=12)
PAYMENTS = Topic("payments", version=1, partitions=12)
NOTIFICATIONS = Topic("notifications", version=1, partitions=12)

ALL = (IDENTITY, CATALOG, APPLICATIONS, PAYMENTS, NOTIFICATIONS)
