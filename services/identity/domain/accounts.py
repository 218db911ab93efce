"""Accounts: a person known to one town, by one way of signing in. Personal data lives here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.change import Change
from contracts.identity import AccountRegistered
from contracts.values import TrustLevel
from kernel.ids import id_of


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """What the way of signing in told us about somebody. Not shown by `repr`, so that no log can hold it."""

    given_name: str
    family_name: str
    street: str
    house_number: str
    postal_code: str
    city: str
    email: str


@dataclass(frozen=True, slots=True)
class Account:
    """State: who somebody is, and how sure we are of it."""

    account_id: str
    method: str
    subject: str
    """How the method names the person."""
    trust_level: TrustLevel
    """At which the data was established; a single sign-in can be at a lower one."""
    person: Person
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """Command: somebody showed who they are."""

    account_id: str
    method: str
    subject: str
    trust_level: TrustLevel
    person: Person


def account_id(tenant: str, method: str, subject: str) -> str:
    """The same person gets the same account in a town at every sign-in, and another one in another town."""
    return id_of(tenant, "account", method, subject)


def sign_in(state: Account | None, command: SignIn, now: datetime) -> Change[Account]:
    """Registers an account at the first sign-in; later ones bring its data up to date.

    A sign-in at a lower trust level changes nothing: what was proven with an identity card isn't overwritten by
    what somebody typed.
    """
    if state is None:
        made = Account(
            command.account_id, command.method, command.subject, command.trust_level, command.person, registered_at=now
        )
        event = AccountRegistered(account_id=command.account_id, trust_level=command.trust_level, method=command.method)
        return Change(made, (event,))
    if not command.trust_level.reaches(state.trust_level):
        return Change(state)
    return Change(replace(state, trust_level=command.trust_level, person=command.person))
