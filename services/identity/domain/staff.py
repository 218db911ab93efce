"""Staff: who works in a town's administration, and in which roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from chassis.change import Change
from kernel.ids import id_of


class Role(str, Enum):
    """What a member of staff may do."""

    CLERK = "clerk"
    """Decides cases."""
    EDITOR = "editor"
    """Writes the catalogue's services."""
    REVIEWER = "reviewer"
    """Publishes what somebody else wrote."""
    CASHIER = "cashier"
    """Sees what is owed and paid."""
    ADMIN = "admin"
    """Appoints staff and lets clerk systems in."""


@dataclass(frozen=True, slots=True)
class StaffMember:
    """State: a member of staff."""

    staff_id: str
    roles: tuple[Role, ...]
    active: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Appoint:
    """Command: these are now the roles of this member of staff; `active` False locks them out."""

    staff_id: str
    roles: frozenset[Role]
    active: bool = True


def document_id(tenant: str, staff_id: str) -> str:
    """Two towns may both have a `sachbearbeitung`."""
    return id_of(tenant, "staff", staff_id)


def appoint(state: StaffMember | None, command: Appoint, now: datetime) -> Change[StaffMember]:
    """Sets roles and whether they may sign in. Tokens given out before run out by themselves."""
    made = StaffMember(command.staff_id, tuple(sorted(command.roles, key=list(Role).index)), command.active, now)
    unchanged = state is not None and (state.roles, state.active) == (made.roles, made.active)
    return Change(state if state is not None and unchanged else made)
