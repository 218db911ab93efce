"""The closed set of value types that event fields are made of. None of them can carry free text.

An event holds no personal data (docs/decisions/0005-identifiers-and-keys.md): a field is an id, a code, an amount, a
time, a hash or a reference. `tests/contract/test_values.py` proves it over all models.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from kernel.money import MAX_CENTS
from kernel.timestamps import rfc3339


@dataclass(frozen=True, slots=True)
class ValueType:
    """Marks an annotated type as a member of the closed set; name and description are shown in the JSON Schemas."""

    name: str
    description: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "title": self.name, "description": self.description}


def _as_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # the first or last hours of the calendar, elsewhere
        raise ValueError("not a time in UTC") from error


_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Uuid = Annotated[
    str, StringConstraints(pattern=_UUID), ValueType("Uuid", "An opaque identifier, RFC 9562, lower case.")
]

Tenant = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,38}$"), ValueType("Tenant", "A town's permanent slug.")
]

Authority = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$"),
    ValueType("Authority", "Who decides: a slug like the tenant's, since the deciding authority need not be the town."),
]

ServiceId = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$"),
    ValueType("ServiceId", "A service's permanent slug within its town."),
]

ActorId = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$"),
    ValueType("ActorId", "Who did it: an account's or staff member's id, or a machine client's."),
]

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"),
    ValueType(
        "Code",
        "A term from a list that the field's description names; it may grow, so readers keep what they don't know.",
    ),
]

LeikaKey = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{14}$"),
    ValueType("LeikaKey", "Key of a service in the German service catalogue (LeiKa), 14 digits."),
]
RegionalKey = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{12}$"),
    ValueType("RegionalKey", "Amtlicher Regionalschlüssel (ARS), 12 digits."),
]
MunicipalityKey = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{8}$"),
    ValueType("MunicipalityKey", "Amtlicher Gemeindeschlüssel (AGS), 8 digits."),
]

Reference = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{3,34}$"),
    ValueType(
        "Reference",
        "A human-readable reference made by us or the town: case reference, payment reference (Kassenzeichen).",
    ),
]

Sha256 = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), ValueType("Sha256", "SHA-256 in lower-case hexadecimal.")
]
MediaType = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]{1,80}$"),
    ValueType("MediaType", "Media type (RFC 6838) without parameters."),
]

DataRef = Annotated[
    str,
    StringConstraints(pattern=r"^(/[A-Za-z0-9_:-][A-Za-z0-9_.:-]*)+$", max_length=300),
    ValueType(
        "DataRef", "Path of an immutable version below the gateway's address, fetched with the reader's own rights."
    ),
]

Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_as_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
    ValueType("Timestamp", "An instant in UTC, RFC 3339, microseconds."),
]

LegalDate = Annotated[
    date,
    ValueType(
        "LegalDate",
        "A calendar day in Europe/Berlin on which something counts in law; apart from the envelope's `time`.",
    ),
]

Count = Annotated[int, Field(ge=0), ValueType("Count", "A number of things, from 0.")]
VersionNumber = Annotated[int, Field(ge=1), ValueType("VersionNumber", "The number of a version, from 1.")]
Cents = Annotated[
    int, Field(ge=0, le=MAX_CENTS), ValueType("Cents", "An amount in hundredths of the currency; never a fraction.")
]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), ValueType("Currency", "ISO 4217.")]
Flag = Annotated[bool, ValueType("Flag", "Yes or no.")]


class Term(str, Enum):
    """A closed list of terms. Adding one is a break for readers: it needs a new event version."""


class Part(BaseModel):
    """A group of fields within an event; the same value types only."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


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
