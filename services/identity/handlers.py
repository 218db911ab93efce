"""What identity does: sign people in, appoint staff, let machine clients in, give tokens out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from chassis.aggregates import Answer, Request, Snapshot
from chassis.clock import Clock
from chassis.errors import Conflict, EngineAway, Forbidden, NotFound
from services.identity import demo, sealing
from services.identity.domain import accounts, clients, staff
from services.identity.domain.accounts import Account, SignIn
from services.identity.domain.clients import Admit, MachineClient
from services.identity.domain.staff import Appoint, StaffMember
from services.identity.settings import Settings
from services.identity.store import Stores
from services.identity.tokens import Grant, Token, Tokens

HASHES_AT_A_TIME = 4
"""Each check of a secret takes 16 MB: bounded, whatever comes in."""
HASHES_WAITING = 64
_NOBODY = sealing.hashed("nobody's secret")


class OAuthError(Exception):
    """A token request refused (RFC 6749 § 5.2)."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True, repr=False)
class ClientCredentials:
    """A machine client's request for a token. Not shown by `repr`."""

    client_id: str
    client_secret: str
    scope: str | None
    """Scopes asked for, separated by blanks; None: all that the client has."""


@dataclass(frozen=True, slots=True, repr=False)
class AdmitClient:
    """What is to hold for a machine client. Not shown by `repr`."""

    client_id: str
    scopes: frozenset[str]
    secret: str | None
    active: bool


class Handlers:
    """The use cases; each is one atomic write at most."""

    def __init__(self, stores: Stores, tokens: Tokens, settings: Settings, clock: Clock) -> None:
        self._stores = stores
        self._tokens = tokens
        self._settings = settings
        self._clock = clock
        self._hashing = asyncio.Semaphore(HASHES_AT_A_TIME)
        self._waiting = 0
        self.invented = demo.load(settings.demo_people or demo.SAMPLE)
        """Whom one can sign in as where demo sign-in is allowed."""

    # People

    async def sign_in_as_demo(self, tenant: str, who: str, request: Request) -> Token:
        """A token for an invented person or member of staff; a person's first sign-in registers the account.

        Raises:
            Forbidden: this installation has no demo sign-in, or the member of staff is locked out.
            NotFound: nobody is called so.
        """
        self.require_demo()
        person = self.invented.person(who)
        if person is None:
            return self._tokens.issue(await self._staff_grant(tenant, who))
        account_id = accounts.account_id(tenant, demo.METHOD, who)
        command = SignIn(account_id, demo.METHOD, who, person.trust_level, person.living_in(self.invented.town(tenant)))
        await self._sign_in(tenant, command, request)
        return self._tokens.issue(Grant(account_id, "person", tenant, command.trust_level))

    def require_demo(self) -> None:
        """Raises Forbidden where this installation has no demo sign-in."""
        if not self._settings.demo_sign_in:
            raise Forbidden("this installation has no demo sign-in")

    async def account(self, tenant: str, account_id: str) -> Snapshot[Account]:
        """One account. Raises NotFound."""
        return await self._stores.accounts.require(tenant, account_id)

    async def _sign_in(self, tenant: str, command: SignIn, request: Request) -> None:
        found = await self._stores.accounts.get(tenant, command.account_id)
        if found and accounts.sign_in(found.state, command, self._clock.now()).state == found.state:
            return
        await self._stores.accounts.upsert_on_request(
            request,
            tenant,
            command.account_id,
            lambda state, now: accounts.sign_in(state, command, now),
            lambda _: Answer(204, None),
        )

    # Staff

    async def appoint_staff(self, tenant: str, command: Appoint, request: Request) -> Answer:
        """Sets the roles of a member of staff."""
        return await self._stores.staff.upsert_on_request(
            request,
            tenant,
            staff.document_id(tenant, command.staff_id),
            lambda state, now: staff.appoint(state, command, now),
            lambda made: Answer(200, staff_shown(made.state), made.etag),
        )

    async def _staff_grant(self, tenant: str, staff_id: str) -> Grant:
        found = await self._stores.staff.get(tenant, staff.document_id(tenant, staff_id))
        if found:
            if not found.state.active:
                raise Forbidden("locked out")
            return _grant_of(tenant, staff_id, found.state.roles)
        invented = self.invented.staff_member(tenant, staff_id)
        if invented is None:
            raise NotFound("nobody is called so here")
        return _grant_of(tenant, staff_id, invented.roles)

    # Machine clients

    async def admit_client(self, tenant: str, wanted: AdmitClient, request: Request) -> Answer:
        """Lets a clerk system in, changes its scopes or secret, or locks it out.

        Raises:
            Conflict: the id is another town's, or the installation's own.
            Invalid: a scope that no town can give, or a new client without a secret.
        """
        known = await self._stores.client(wanted.client_id)
        if wanted.client_id in self._settings.bootstrap_clients or (known and known.tenant != tenant):
            raise Conflict("this client id is taken: choose another", id=wanted.client_id)
        secret = await self._hash(wanted.secret) if wanted.secret else None
        command = Admit(wanted.client_id, wanted.scopes, secret, wanted.active)
        return await self._stores.clients.upsert_on_request(
            request,
            tenant,
            clients.document_id(wanted.client_id),
            lambda state, now: clients.admit(state, command, now),
            lambda made: Answer(200, client_shown(made.state), made.etag),
        )

    async def give_token(self, asked: ClientCredentials) -> Token:
        """A token for a machine client (RFC 6749 § 4.4).

        Raises:
            OAuthError: `invalid_client` or `invalid_scope`.
        """
        grant = await self._authenticated(asked.client_id, asked.client_secret)
        if grant is None:
            raise OAuthError("invalid_client", "unknown client, or not its secret", 401)
        if asked.scope is None:
            return self._tokens.issue(grant)
        wanted = asked.scope.split()
        if not wanted or not set(wanted) <= set(grant.scopes):
            raise OAuthError("invalid_scope", "the client doesn't have all of these scopes")
        narrowed = tuple(scope for scope in grant.scopes if scope in wanted)
        return self._tokens.issue(Grant(grant.subject, "client", grant.tenant, scopes=narrowed))

    async def _authenticated(self, client_id: str, secret: str) -> Grant | None:
        own = self._settings.bootstrap_clients.get(client_id)
        if own is not None:
            known = sealing.same(secret, own.secret.get_secret_value())
            return Grant(client_id, "client", own.tenant, scopes=own.scopes) if known else None
        found = await self._stores.client(client_id)
        # An unknown client takes as long as a wrong secret does.
        right = await self._matches(secret, found.state if found else None)
        if found is None or not right or not found.state.active:
            return None
        return Grant(client_id, "client", found.tenant, scopes=found.state.scopes)

    async def _hash(self, secret: str) -> clients.HashedSecret:
        async with self._hashing:
            return await asyncio.to_thread(sealing.hashed, secret)

    async def _matches(self, secret: str, client: MachineClient | None) -> bool:
        if self._waiting >= HASHES_WAITING:
            raise EngineAway("too many token requests at once")
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(sealing.matches, secret, client.secret if client else _NOBODY)
        finally:
            self._waiting -= 1


def _grant_of(tenant: str, staff_id: str, roles: tuple[staff.Role, ...]) -> Grant:
    return Grant(staff_id, "staff", tenant, roles=tuple(role.value for role in roles))


def account_shown(account: Account) -> dict[str, Any]:
    """An account as JSON."""
    person = account.person
    return {
        "account_id": account.account_id,
        "given_name": person.given_name,
        "family_name": person.family_name,
        "street": person.street,
        "house_number": person.house_number,
        "postal_code": person.postal_code,
        "city": person.city,
        "email": person.email,
        "trust_level": account.trust_level.value,
    }


def staff_shown(member: StaffMember) -> dict[str, Any]:
    """A member of staff as JSON."""
    return {
        "staff_id": member.staff_id,
        "roles": [role.value for role in member.roles],
        "active": member.active,
    }


def client_shown(client: MachineClient) -> dict[str, Any]:
    """A machine client as JSON, without its secret."""
    return {"client_id": client.client_id, "scopes": list(client.scopes), "active": client.active}
