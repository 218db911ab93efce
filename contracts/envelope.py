"""CloudEvents 1.0 in Kafka's binary mode: attributes as `ce_` headers, the event's JSON as the value.

Sources: CloudEvents core 1.0.2, Kafka protocol binding 1.0.2, extensions sequence and distributed tracing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Self
from uuid import uuid5

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.topics import Topic
from contracts.values import Authority, Tenant, Timestamp, Uuid
from kernel.ids import NAMESPACE
from kernel.ids import id_of as id_of  # noqa: PLC0414 - ids of events and of aggregates are asked for together

SEQUENCE_DIGITS = 12
MAX_EPOCH = 999_999
CONTENT_TYPE = "application/json"
MAX_DATA_BYTES = 262_144
"""An event's JSON may be at most this long; checked when it is saved, so that sending can't fail on it."""

SCHEMA_BASE = "https://rathaus.example/contracts"


class EnvelopeError(ValueError):
    """The headers are not those of one of our events."""


class Event(BaseModel):
    """What happened, as a fact: a frozen model of value types. Subclasses name their type and topic."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    topic: ClassVar[Topic]
    name: ClassVar[str]
    """Past tense, snake case."""
    version: ClassVar[int] = 1

    @classmethod
    def type(cls) -> str:
        """The CloudEvents type, such as `de.rathaus.applications.application_submitted.v1`."""
        return f"de.rathaus.{cls.topic.stream}.{cls.name}.v{cls.version}"

    @classmethod
    def schema_id(cls) -> str:
        """The `$id` of the JSON Schema and the `dataschema` attribute."""
        return f"{SCHEMA_BASE}/{cls.type()}.json"


class Envelope(BaseModel):
    """The attributes that travel with each event."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    id: Uuid
    source: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9-]+/[a-z0-9-]+/[A-Za-z0-9-]+$")]
    """`/<tenant>/<stream>/<subject>`."""
    type: Annotated[str, StringConstraints(pattern=r"^de\.rathaus\.[a-z_]+\.[a-z_]+\.v[0-9]+$")]
    subject: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    time: Timestamp
    """When it was said, by the emitting service's clock. Legal dates are data."""
    sequence: int = Field(ge=1, lt=10**SEQUENCE_DIGITS)
    """Contiguous from 1 within a source; as a header zero-padded to 12 digits."""
    epoch: int = Field(default=0, ge=0, le=MAX_EPOCH)
    """Raised when the emitting service's database was restored from a backup: a new line of sequences begins."""
    tenant: Tenant
    authority: Authority
    case: Uuid | None = None
    causationid: Uuid | None = None
    """The event that led to this one, if one did."""
    correlationid: Uuid | None = None
    """Shared by everything that one request set off."""
    traceparent: (
        Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")] | None
    ) = None
    """W3C Trace Context."""
    dataschema: str | None = None

    @property
    def key(self) -> str:
        """The Kafka key: the case where there is one, else the subject."""
        return self.case or self.subject

    @property
    def stream(self) -> str:
        """The emitting service."""
        return self.source.split("/")[2]

    def headers(self) -> list[tuple[str, bytes]]:
        """As Kafka headers; absent attributes are left out."""
        fields = self.model_dump(mode="json", exclude_none=True)
        fields["sequence"] = f"{self.sequence:0{SEQUENCE_DIGITS}d}"
        rows = {"specversion": "1.0", **fields}
        found = [(f"ce_{name}", str(value).encode()) for name, value in rows.items()]
        return [*found, ("content-type", CONTENT_TYPE.encode())]

    @classmethod
    def parse(cls, headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Reads Kafka headers.

        Raises:
            EnvelopeError: a header is missing, malformed, not UTF-8, or of another CloudEvents version.
        """
        try:
            found = {
                name[3:]: value.decode() for name, value in headers if name.startswith("ce_") and value is not None
            }
        except UnicodeDecodeError as error:
            raise EnvelopeError("a header is not UTF-8") from error
        if found.pop("specversion", None) != "1.0":
            raise EnvelopeError("not a CloudEvents 1.0 event in binary mode")
        try:
            envelope = cls.model_validate(found)
        except ValueError as error:
            raise EnvelopeError(f"headers are not those of an event: {error}") from error
        if envelope.source != source_of(envelope.tenant, envelope.stream, envelope.subject):
            raise EnvelopeError("source, tenant and subject contradict each other")
        return envelope


def source_of(tenant: str, stream: str, subject: str) -> str:
    """The CloudEvents source of an aggregate."""
    return f"/{tenant}/{stream}/{subject}"


def event_id(source: str, epoch: int, sequence: int) -> str:
    """The same event has the same id however often it is said."""
    return str(uuid5(NAMESPACE, f"{source}#{epoch}.{sequence}"))
