"""Identity's collections. No other file of the service speaks Mongo."""

from __future__ import annotations

from typing import Any

from chassis.aggregates import Kind, Snapshot, Store
from chassis.auth import ALL_TOWNS
from chassis.errors import DuplicateKey
from chassis.mongo import TenantCollection
from chassis.service import Service
from contracts.topics import IDENTITY
from services.identity.domain import clients
from services.identity.domain.accounts import Account
from services.identity.domain.clients import MachineClient
from services.identity.domain.staff import StaffMember

ACCOUNTS = Kind("account", IDENTITY, Account)
STAFF = Kind("staff", IDENTITY, StaffMember)
CLIENTS = Kind("client", IDENTITY, MachineClient)
"""All three are read by `_id` only: they need no further index."""


class Stores:
    """The aggregates of identity and its signing keys."""

    def __init__(self, service: Service) -> None:
        self.accounts: Store[Account] = service.store(ACCOUNTS)
        self.staff: Store[StaffMember] = service.store(STAFF)
        self.clients: Store[MachineClient] = service.store(CLIENTS)
        self.keys = KeyStore(service.collection("signing_keys"))

    async def client(self, client_id: str) -> Snapshot[MachineClient] | None:
        """A machine client, whatever its town: it asks for a token before anybody knows which town it is of."""
        aggregate_id = clients.document_id(client_id)
        found = await self.clients.collection.find_one({"_id": aggregate_id}, {"tenant": 1})
        return await self.clients.get(found["tenant"], aggregate_id) if found else None


class KeyStore:
    """The installation's signing keys: one document, so that instances that start at once agree on one key.

    Layout: `_id`, `tenant` ("*"), `revision`, `salt` (of the key that encrypts, where one does), `keys` (oldest
    first, each `{kid, jwk}` or `{kid, jwe}`).
    """

    _ID = "signing-keys"

    def __init__(self, collection: TenantCollection) -> None:
        self._collection = collection

    async def load(self) -> dict[str, Any] | None:
        """The document, or None before the first start."""
        return await self._collection.find_one(ALL_TOWNS, {"_id": self._ID})

    async def create(self, content: dict[str, Any]) -> None:
        """Stores the first keys, unless another instance was first."""
        try:
            await self._collection.inner.insert({"_id": self._ID, "tenant": ALL_TOWNS, "revision": 1, **content})
        except DuplicateKey:
            return

    async def replace(self, revision: int, content: dict[str, Any]) -> bool:
        """Stores other keys, unless another instance changed them since `revision` was read."""
        return await self._collection.inner.update(
            {"_id": self._ID, "tenant": ALL_TOWNS, "revision": revision},
            {"$set": {**content, "revision": revision + 1}},
        )
