"""A town on the installation: its names, keys and contact. A change is a new revision; earlier ones stay readable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

from chassis.change import Change
from chassis.errors import Conflict
from contracts import datarefs
from contracts.catalog import TownRegistered
from contracts.values import MunicipalityKey, RegionalKey
from service_format.model import Language, Line, Model, Url
from service_format.texts import Localized

RESERVED = frozenset({"towns", "service-format", "operations"})
"""Words of the catalog's own paths: no town is called so."""


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError) as error:
        raise ValueError("not a time zone of the IANA list") from error
    return value


class Contact(Model):
    """Where the town is reached."""

    street: Line
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
    city: Line
    phone: Annotated[str, StringConstraints(pattern=r"^\+[0-9][0-9 ]{4,28}[0-9]$")] | None = None
    """International, with the leading plus."""
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[a-zA-Z0-9.-]+$", max_length=200)] | None = None
    website: Url | None = None


class TownAsData(Model):
    """A town as data."""

    names: Localized
    sample: bool
    """Invented, or a real town shown with invented services."""
    ars: Annotated[tuple[RegionalKey, ...], Field(min_length=1, max_length=50)]
    """Amtliche Regionalschlüssel. They change with mergers: never the key of data."""
    ags: Annotated[tuple[MunicipalityKey, ...], Field(max_length=50)] = ()
    """Amtliche Gemeindeschlüssel; associations of towns have none."""
    contact: Contact
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=20)] = ("de", "en")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class Town:
    """State: a town with all its revisions, the present one last."""

    tenant: str
    revisions: tuple[TownAsData, ...]
    registered_at: datetime
    changed_at: datetime

    @property
    def present(self) -> TownAsData:
        """As it is now."""
        return self.revisions[-1]


@dataclass(frozen=True, slots=True)
class Register:
    """Command: this is the town now."""

    tenant: str
    town: TownAsData


def register(state: Town | None, command: Register, now: datetime) -> Change[Town]:
    """Registers a town, or changes it; the same content again changes and says nothing.

    Raises:
        Conflict: the slug is a word of the catalog's own paths.
    """
    if command.tenant in RESERVED:
        raise Conflict("no town can be called so: it is a word of the catalog's own paths")
    if state is None:
        made = Town(command.tenant, (command.town,), now, now)
    elif state.present == command.town:
        return Change(state)
    else:
        made = replace(state, revisions=(*state.revisions, command.town), changed_at=now)
    told = TownRegistered(
        tenant=made.tenant,
        ars=made.present.ars,
        ags=made.present.ags,
        dataref=datarefs.town_revision(made.tenant, len(made.revisions)),
    )
    return Change(made, (told,))
