"""The invented people of the demonstration, from `demo_people.json` or a file like it.

Any town has them, each with its own address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from chassis.errors import ConfigurationError
from contracts.values import TrustLevel
from services.identity.domain.accounts import Person
from services.identity.domain.staff import Role

METHOD = "demo"
"""As in `account_registered`."""

SAMPLE = Path(__file__).with_name("demo_people.json")
_UNKNOWN_POSTAL_CODE = "00000"
"""For a town that the file doesn't name: a postal code that nobody has."""


@dataclass(frozen=True, slots=True)
class DemoTown:
    """A town on the page."""

    name: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """An invented citizen."""

    slug: str
    given_name: str
    family_name: str
    street: str
    house_number: str
    email: str
    trust_level: TrustLevel

    def living_in(self, town: DemoTown) -> Person:
        """The same person with that town's address."""
        return Person(
            self.given_name,
            self.family_name,
            self.street,
            self.house_number,
            town.postal_code,
            town.name,
            self.email,
        )


@dataclass(frozen=True, slots=True)
class DemoStaff:
    """An invented member of staff."""

    slug: str
    name: str
    roles: tuple[Role, ...]

    def staff_id(self, tenant: str) -> str:
        """Such as `sachbearbeitung-witten`."""
        return f"{self.slug}-{tenant}"


@dataclass(frozen=True, slots=True)
class Demo:
    """What the file holds."""

    towns: dict[str, DemoTown]
    people: tuple[DemoPerson, ...]
    staff: tuple[DemoStaff, ...]

    def town(self, tenant: str) -> DemoTown:
        """How a town is called on the page and in addresses."""
        return self.towns.get(tenant) or DemoTown(tenant.title(), _UNKNOWN_POSTAL_CODE)

    def person(self, slug: str) -> DemoPerson | None:
        """The citizen of that name, or None."""
        return next((each for each in self.people if each.slug == slug), None)

    def staff_member(self, tenant: str, staff_id: str) -> DemoStaff | None:
        """The member of that town's staff, or None."""
        return next((each for each in self.staff if each.staff_id(tenant) == staff_id), None)


@cache
def load(file: Path = SAMPLE) -> Demo:
    """Reads a file once.

    Raises:
        ConfigurationError: it can't be read, or holds something else.
    """
    try:
        return TypeAdapter(Demo).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigurationError(f"RATHAUS_DEMO_PEOPLE: {file} can't be read: {type(error).__name__}") from None
