"""The closed set of value types that event fields are made of. None of them can carry free text.

An event holds no personal data (docs/decisions/0005-identifiers-and-keys.md): a field is an id, a code, an amount, a
time, a hash or a reference. `tests/contract/test_values.py` proves it over all models.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints


@dataclass(frozen=True, slots=True)
class ValueType:
    """Marks an annotated type as a member of the closed set."""

    name: str


def _as_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _rfc3339(value: datetime) -> str:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Uuid = Annotated[str, StringConstraints(pattern=_UUID), ValueType("uuid")]
"""An opaque identifier, RFC 9562, lower case."""

Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,38}$"), ValueType("tenant")]
"""A town's permanent slug."""

Authority = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$"), ValueType("authority")]
"""Who decides: a slug like the tenant's, since the deciding authority need not be the town."""

ServiceId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$"), ValueType("service_id")]
"""A service's permanent slug within its town."""

ActorId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$"), ValueType("actor_id")]
"""Who did it: an account's or staff member's id, or a machine client's."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"), ValueType("code")]
"""A term from a list that the field's description names; lists may grow, so a reader keeps what it does not know."""

LeikaKey = Annotated[str, StringConstraints(pattern=r"^\d{14}$"), ValueType("leika_key")]
RegionalKey = Annotated[str, StringConstraints(pattern=r"^\d{12}$"), ValueType("ars")]
"""Amtlicher Regionalschlüssel (ARS), 12 digits."""
MunicipalityKey = Annotated[str, StringConstraints(pattern=r"^\d{8}$"), ValueType("ags")]
"""Amtlicher Gemeindeschlüssel (AGS), 8 digits."""

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{3,34}$"), ValueType("reference")]
"""A human-readable reference made by us or the town: case reference, payment reference (Kassenzeichen)."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), ValueType("sha256")]
MediaType = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]{1,80}$"), ValueType("media_type")]

DataRef = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9_./:-]{1,300}$"), ValueType("dataref")]
"""Path of an immutable version below the gateway's address, fetched with the reader's own rights."""

Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_as_utc),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
    ValueType("timestamp"),
]
"""An instant in UTC, RFC 3339, microseconds."""

LegalDate = Annotated[date, ValueType("date")]
"""A calendar day in Europe/Berlin on which something counts in law; apart from the envelope's `time`."""

Count = Annotated[int, Field(ge=0), ValueType("count")]
VersionNumber = Annotated[int, Field(ge=1), ValueType("version_number")]
Cents = Annotated[int, Field(ge=0, le=99_999_999), ValueType("cents")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), ValueType("currency")]
"""ISO 4217."""
Flag = Annotated[bool, ValueType("flag")]


class Term(str, Enum):
    """A closed list of terms. Adding one is a break for readers: it needs a new event version."""


class Part(BaseModel):
    """A group of fields within an event; the same value types only."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Part):
    """An amount in cents of a currency (ISO 4217)."""

    cents: Cents
    currency: Currency = "EUR"


class TrustLevel(Term):
    """How sure we are who somebody is (TR-03107; BundID: Basisregistrierung, substanziell, hoch)."""

    NONE = "none"
    BASIC = "basic"
    SUBSTANTIAL = "substantial"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for `none` up to 3 for `high`."""
        return list(TrustLevel).index(self)

    def reaches(self, required: TrustLevel) -> bool:
        """Whether somebody at this level may do what asks for `required`."""
        return self.rank >= required.rank
