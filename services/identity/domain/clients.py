"""Machine clients of a town: clerk systems and other programs, with the scopes that they were given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.change import Change
from chassis.errors import Invalid
from kernel.ids import id_of

TOWN_SCOPES = frozenset({"cases:read", "cases:decide"})
"""What a town can give. `internal` and `operator` come from the installation's settings only."""


@dataclass(frozen=True, slots=True, repr=False)
class HashedSecret:
    """A secret as scrypt (RFC 7914) leaves it, base64; not shown by `repr`."""

    salt: str
    hash: str


@dataclass(frozen=True, slots=True)
class MachineClient:
    """State: a machine client."""

    client_id: str
    scopes: tuple[str, ...]
    secret: HashedSecret
    active: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Admit:
    """Command: this client has these scopes; `secret` None keeps the one that it has."""

    client_id: str
    scopes: frozenset[str]
    secret: HashedSecret | None
    active: bool = True


def document_id(client_id: str) -> str:
    """A client is named without its town when it asks for a token: its id is unique in the installation."""
    return id_of("client", client_id)


def admit(state: MachineClient | None, command: Admit, now: datetime) -> Change[MachineClient]:
    """Lets a machine client in, changes its scopes or secret, or locks it out.

    Raises:
        Invalid: a scope that no town can give, or a new client without a secret.
    """
    beyond = sorted(command.scopes - TOWN_SCOPES)
    if beyond:
        raise _invalid("/body/scopes", f"a town can't give: {', '.join(beyond)}")
    secret = command.secret or (state.secret if state else None)
    if secret is None:
        raise _invalid("/body/secret", "a new client needs a secret")
    return Change(MachineClient(command.client_id, tuple(sorted(command.scopes)), secret, command.active, now))


def _invalid(pointer: str, message: str) -> Invalid:
    return Invalid(message, errors=[{"pointer": pointer, "code": "not_allowed", "message": message}])
