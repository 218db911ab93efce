"""Events as they pass, readable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from chassis.events.reading import Span, reader
from contracts.envelope import Envelope, EnvelopeError
from rathaus.operations.installation import SERVICES, Installation


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are shown; None means any."""

    tenant: str | None = None
    case: str | None = None
    name: str | None = None
    """Such as `notice_issued`."""

    def takes(self, envelope: Envelope) -> bool:
        """Whether an event is wanted."""
        return (
            self.tenant in {None, envelope.tenant}
            and self.case in {None, envelope.case, envelope.subject}
            and self.name in {None, envelope.type, envelope.type.split(".")[3]}
        )


@dataclass(frozen=True, slots=True)
class Passed:
    """An event off its topic, with its place; `envelope` is None where it can't be read."""

    record: ConsumerRecord
    envelope: Envelope | None


async def passed(
    installation: Installation, wanted: Wanted, *, since: datetime | None = None, follow: bool = True
) -> AsyncIterator[Passed]:
    """Events from a time on (None: from now on), then those to come if `follow`."""
    async with reader(installation.servers, [topic.name for topic in SERVICES.values()]) as topics:
        spans = await topics.spans(since)
        if since is None and follow:
            spans = {partition: Span(span.end, span.end) for partition, span in spans.items()}
        records = topics.follow(spans) if follow else topics.read(spans)
        async for record in records:
            try:
                envelope = Envelope.parse(record.headers)
            except EnvelopeError:
                yield Passed(record, None)
                continue
            if wanted.takes(envelope):
                yield Passed(record, envelope)


def line(event: Passed) -> str:
    """One event as a line for people."""
    envelope = event.envelope
    if envelope is None:
        return f"{'?':>12}  unreadable: {event.record.topic}/{event.record.partition}/{event.record.offset}"
    clock = envelope.time.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    name = envelope.type.split(".")[3]
    case = f"case {envelope.case}" if envelope.case else f"subject {envelope.subject}"
    epoch = f" epoch {envelope.epoch}" if envelope.epoch else ""
    return f"{clock}  {envelope.tenant:<12} {envelope.stream:<14} {name:<22} #{envelope.sequence}{epoch}  {case}"
