"""Events of identity: who somebody is."""

from __future__ import annotations

from contracts import topics
from contracts.envelope import Event
from contracts.values import Code, TrustLevel, Uuid


class AccountRegistered(Event):
    """A person's account exists. Subject: the account.

    Emitted at the first sign-in. Says nothing about consent to electronic delivery. Consumed by notifications,
    which opens the mailbox.
    """

    topic = topics.IDENTITY
    name = "account_registered"

    account_id: Uuid
    trust_level: TrustLevel
    method: Code
    """How the person signed in: `demo`, `password`, `bund_id`."""
