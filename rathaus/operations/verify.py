"""Proves the topics against the documents: nothing said is missing, first occurrences ascend without a hole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from chassis.events.positions import SEQUENCES_PER_EPOCH, follows, position_of
from chassis.events.reading import reader
from contracts.catalogue import EVENTS
from contracts.envelope import Envelope, EnvelopeError, event_id, source_of
from contracts.topics import Topic
from rathaus.operations.installation import SERVICES, Installation

SHOWN = 20
"""Findings kept of each kind; the counts are whole."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that contradicts a promise."""

    kind: str
    """`invalid_envelope`, `invalid_data`, `wrong_id`, `wrong_key`, `hole`, `moved_partition`,
    `missing_in_topic`, `missing_in_database`, `document`."""
    service: str
    source: str
    detail: str


@dataclass(slots=True)
class Line:
    """One subject as its topic tells it."""

    partition: int
    last: int = 0
    """Place of the furthest first occurrence."""
    holes: list[str] = field(default_factory=list)
    moved: str = ""
    """Where it was first found in another partition. Between partitions there is no order: holes aren't judged."""


@dataclass(slots=True)
class Report:
    """What `verify` found."""

    events: int = 0
    repeats: int = 0
    subjects: int = 0
    documents: int = 0
    unpublished: int = 0
    """Events said and not yet published: not a fault while the relay works."""
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Whether nothing contradicts the promises."""
        return not self.counts

    def add(self, finding: Finding) -> None:
        """Counts a finding, and keeps the first of its kind."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= SHOWN:
            self.findings.append(finding)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"proven": self.proven, **asdict(self)}


async def verify(installation: Installation, services: list[str] | None = None) -> Report:
    """Reads every topic and every document.

    Documents are read before the topics' ends are, so that what is published in the meantime is no finding.
    """
    report = Report()
    for service in services or list(SERVICES):
        topic = SERVICES[service]
        published = await _documents(installation, service, report)
        lines = await _lines(installation, topic, report)
        for finding in _compared(service, published, lines):
            report.add(finding)
        report.subjects += len(lines)
    return report


async def _documents(installation: Installation, service: str, report: Report) -> dict[str, int]:
    """By source: the position up to which its document says that it was published."""
    published: dict[str, int] = {}
    async with installation.database(service) as database:
        for name in await database.names():
            rows = database.collection(name).find(
                {"published": {"$gte": 0}}, {"tenant": 1, "sequence": 1, "published": 1, "events": 1}
            )
            async for row in rows:
                report.documents += 1
                source = source_of(row["tenant"], service, row["_id"])
                report.unpublished += row["sequence"] - row["published"]
                said = [(each["sequence"], each["epoch"]) for each in row["events"]]
                if not _sound(said, row["sequence"], row["published"]):
                    detail = f"sequence {row['sequence']}, published {row['published']}, {len(said)} events kept"
                    report.add(Finding("document", service, source, detail))
                epochs = [epoch for sequence, epoch in said if sequence <= row["published"]]
                published[source] = (epochs[-1] if epochs else 0) * SEQUENCES_PER_EPOCH + row["published"]
    return published


def _sound(said: list[tuple[int, int]], sequence: int, published: int) -> bool:
    """Whether a document's own events end at its sequence without a hole."""
    sequences = [each for each, _ in said]
    whole = sequences == list(range(sequence - len(said) + 1, sequence + 1))
    return whole and 0 <= published <= sequence


async def _lines(installation: Installation, topic: Topic, report: Report) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    async with reader(installation.servers, [topic.name]) as topics:
        async for record in topics.read(await topics.spans()):
            report.events += 1
            for finding in _read(record, topic, lines, report):
                report.add(finding)
    for source, line in lines.items():
        for finding in _broken(source, line, topic):
            report.add(finding)
    return lines


def _broken(source: str, line: Line, topic: Topic) -> Iterator[Finding]:
    """What is wrong with the order of a subject, known only when its whole line was read."""
    if line.moved:
        yield Finding("moved_partition", topic.stream, source, line.moved)
        return
    for hole in line.holes:
        yield Finding("hole", topic.stream, source, hole)


def _read(record: ConsumerRecord, topic: Topic, lines: dict[str, Line], report: Report) -> Iterator[Finding]:
    where = f"{record.topic}/{record.partition}/{record.offset}"
    try:
        envelope = Envelope.parse(record.headers)
    except EnvelopeError as error:
        yield Finding("invalid_envelope", topic.stream, where, str(error)[:200])
        return
    yield from _odd(record, envelope, topic, where)
    line = lines.setdefault(envelope.source, Line(partition=record.partition))
    position = position_of(envelope)
    if line.partition != record.partition and not line.moved:
        line.moved = f"{where}: also in {line.partition}"
    if position <= line.last:
        report.repeats += 1
        return
    if not follows(position, line.last):
        line.holes.append(f"{where}: {envelope.sequence} after {line.last % SEQUENCES_PER_EPOCH}")
    line.last = position


def _odd(record: ConsumerRecord, envelope: Envelope, topic: Topic, where: str) -> Iterator[Finding]:
    if (record.key or b"").decode(errors="replace") != envelope.key:
        yield Finding("wrong_key", topic.stream, envelope.source, where)
    if envelope.stream != topic.stream:
        yield Finding("invalid_envelope", topic.stream, envelope.source, f"{where}: a subject of {envelope.stream}")
    if envelope.id != event_id(envelope.source, envelope.epoch, envelope.sequence):
        yield Finding("wrong_id", topic.stream, envelope.source, where)
    model = EVENTS.get(envelope.type)
    if model is None:
        return  # a type of a newer version: not ours to judge
    try:
        model.model_validate_json(record.value or b"")
    except ValidationError as error:
        yield Finding("invalid_data", topic.stream, envelope.source, f"{where}: {error.error_count()} fields")


def _compared(service: str, published: dict[str, int], lines: dict[str, Line]) -> Iterator[Finding]:
    for source, position in published.items():
        line = lines.get(source)
        if not position % SEQUENCES_PER_EPOCH:
            continue  # it never said anything
        if line is None or line.last < position:
            reached = line.last % SEQUENCES_PER_EPOCH if line else 0
            yield Finding(
                "missing_in_topic",
                service,
                source,
                f"published {position % SEQUENCES_PER_EPOCH}, the topic has {reached}",
            )
    for source in lines.keys() - published.keys():
        yield Finding("missing_in_database", service, source, "the topic tells of it, no document does")
