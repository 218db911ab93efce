"""The one file that speaks motor: connections, majority reads, journalled majority writes, errors as ours.

Source: MongoDB manual, read and write concerns. Queries are written for what MongoDB and the embedded server both do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.errors import DuplicateKey, EngineAway, OutcomeUnknown

T = TypeVar("T")

Document = dict[str, Any]
Filter = Mapping[str, Any]

_RETRYABLE_CODES = frozenset({6, 7, 89, 91, 134, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436})
"""Server errors that mean "away, or changing its primary": the driver's own list, whose name is private to it.
Source: MongoDB specifications, retryable reads."""
_REFUSED_CODES = frozenset({13, 18})
"""Unauthorized, AuthenticationFailed: somebody changes users or passwords; tried again, like an engine that is away."""


@contextmanager
def _translated(writing: bool) -> Iterator[None]:
    try:
        yield
    except DuplicateKeyError as error:
        raise DuplicateKey from error
    except ServerSelectionTimeoutError as error:
        raise EngineAway("the database can't be reached") from error
    except (NetworkTimeout, AutoReconnect, ConnectionFailure, WriteConcernError) as error:
        raise (OutcomeUnknown if writing else EngineAway)("the database did not answer") from error
    except OperationFailure as error:
        if error.timeout or error.code in _RETRYABLE_CODES:
            raise (OutcomeUnknown if writing else EngineAway)("the database did not answer in time") from error
        if error.code in _REFUSED_CODES:
            raise EngineAway(f"the database refuses this service (error {error.code})") from error
        raise
    except PyMongoError as error:
        if error.timeout:
            raise (OutcomeUnknown if writing else EngineAway)("the database did not answer in time") from error
        raise


_longest: ContextVar[float | None] = ContextVar("rathaus_database_longest", default=None)

_BACKGROUND_SECONDS = 20.0
"""Longest wait of relay, workers and subscribers for one answer; they read backlogs, and nobody waits for them."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Within, no operation waits longer for the database: for what serves HTTP."""
    token = _longest.set(seconds)
    try:
        yield
    finally:
        _longest.reset(token)


async def _answered(operation: Awaitable[T], *, writing: bool) -> T:
    try:
        async with asyncio.timeout(_longest.get()):
            with _translated(writing):
                return await operation
    except TimeoutError as error:
        raise (OutcomeUnknown if writing else EngineAway)("the database did not answer in time") from error


@dataclass(frozen=True, slots=True)
class Index:
    """An index and the query that it serves. Uniqueness is by `_id` only, so there are no unique ones."""

    fields: tuple[tuple[str, int], ...]
    serves: str
    sparse: bool = False

    @property
    def name(self) -> str:
        """Derived from the fields, so that the same declaration is the same index."""
        return "_".join(f"{field}_{direction}" for field, direction in self.fields).replace(".", "_")


@dataclass(frozen=True, slots=True)
class Update:
    """One update of a bulk."""

    filter: Filter
    change: Mapping[str, Any]
    upsert: bool = False


_BULK_PART = 8
"""Parts go side by side: the embedded server carries out one bulk step by step (1.6 times as fast as parts of 25)."""


class Collection:
    """One collection, with majority reads and journalled majority writes."""

    def __init__(self, inner: AsyncIOMotorCollection[Document]) -> None:
        self._inner = inner
        self.name: str = inner.name

    async def find_one(self, where: Filter, fields: Mapping[str, Any] | None = None) -> Document | None:
        """The first match, or None.

        Raises:
            EngineAway: the database can't be reached in time.
        """
        found: Document | None = await _answered(self._inner.find_one(where, fields), writing=False)
        return found

    async def find(
        self,
        where: Filter,
        fields: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        batch: int = 500,
    ) -> AsyncIterator[Document]:
        """All matches by one cursor."""
        cursor = self._inner.find(where, fields, limit=limit, batch_size=batch)
        if sort:
            cursor = cursor.sort(list(sort))
        try:
            while True:
                found = await _answered(cursor.to_list(length=batch), writing=False)
                for document in found:
                    yield document
                if len(found) < batch:
                    return
        finally:
            await cursor.close()

    async def count(self, where: Filter) -> int:
        """How many match."""
        return int(await _answered(self._inner.count_documents(where), writing=False))

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """What a pipeline that only reads comes to, whole: for sums, not for lists."""
        cursor = self._inner.aggregate(list(pipeline))
        found: list[Document] = await _answered(cursor.to_list(length=None), writing=False)
        return found

    async def insert(self, document: Document) -> None:
        """Adds a document.

        Raises:
            DuplicateKey: its `_id` exists.
            OutcomeUnknown: it may or may not have been written.
        """
        await _answered(self._inner.insert_one(document), writing=True)

    async def update(self, where: Filter, change: Mapping[str, Any], *, upsert: bool = False) -> bool:
        """Changes one document; whether one matched (or was made)."""
        result = await _answered(self._inner.update_one(where, change, upsert=upsert), writing=True)
        return bool(result.matched_count or result.upserted_id is not None)

    async def update_all(self, where: Filter, change: Mapping[str, Any]) -> int:
        """The same change to each match; how many matched. Each document is changed by itself, not all or none."""
        result = await _answered(self._inner.update_many(where, change), writing=True)
        return int(result.matched_count)

    async def delete(self, where: Filter) -> bool:
        """Removes one document; whether one matched."""
        result = await _answered(self._inner.delete_one(where), writing=True)
        return bool(result.deleted_count)

    async def bulk(self, updates: Sequence[Update]) -> int:
        """Unordered updates; how many matched."""
        if not updates:
            return 0
        if len(updates) == 1:  # half the time of a bulk of one
            only = updates[0]
            try:
                return int(await self.update(only.filter, only.change, upsert=only.upsert))
            except DuplicateKey as error:
                raise OutcomeUnknown("another one made it at the same time") from error
        parts = [updates[start : start + _BULK_PART] for start in range(0, len(updates), _BULK_PART)]
        return sum(await asyncio.gather(*map(self._bulk, parts)))

    async def _bulk(self, updates: Sequence[Update]) -> int:
        requests = [UpdateOne(dict(each.filter), dict(each.change), upsert=each.upsert) for each in updates]
        try:
            result = await _answered(self._inner.bulk_write(requests, ordered=False), writing=True)
        except BulkWriteError as error:
            raise OutcomeUnknown("some of the writes failed") from error
        return int(result.matched_count)

    async def ensure(self, indexes: Sequence[Index]) -> None:
        """Creates the indexes that are missing."""
        for index in indexes:
            created = self._inner.create_index(list(index.fields), name=index.name, sparse=index.sparse)
            await _answered(created, writing=True)


def _client(url: str, name: str, milliseconds: int) -> AsyncIOMotorClient[Document]:
    return AsyncIOMotorClient(
        url,
        tz_aware=True,
        connect=False,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=int(_BACKGROUND_SECONDS * 1000),
        waitQueueTimeoutMS=milliseconds,
        maxPoolSize=100,
        appname=f"rathaus-{name}",
    )


class Database:
    """One service's own database."""

    def __init__(
        self, url: str, name: str, *, timeout_seconds: float, client: AsyncIOMotorClient[Document] | None = None
    ) -> None:
        """`client`: one that a test brings; `url` and `timeout_seconds` are not used then."""
        self._client = client or _client(url, name, int(timeout_seconds * 1000))
        self.name = name
        self._inner: AsyncIOMotorDatabase[Document] = self._client.get_database(
            name,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True),
        )

    def collection(self, name: str) -> Collection:
        """One of its collections. For the chassis: services get theirs from `Store` and `TenantCollection`."""
        return Collection(self._inner.get_collection(name))

    async def names(self) -> list[str]:
        """Its collections."""
        return sorted(await _answered(self._inner.list_collection_names(), writing=False))

    async def ping(self) -> None:
        """Asks the server.

        Raises:
            EngineAway: no answer in time.
        """
        await _answered(self._inner.command("ping"), writing=False)

    @asynccontextmanager
    async def changes(self, collections: Sequence[str], wait_seconds: float) -> AsyncIterator[AsyncIterator[bool]]:
        """A stream that yields True for each change in these collections and False after `wait_seconds` without one."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"ns.coll": {"$in": list(collections)}}},
            {"$project": {"_id": 1, "ns": 1}},
        ]

        async def _each() -> AsyncIterator[bool]:
            with _translated(writing=False):
                while True:
                    yield await stream.try_next() is not None

        with _translated(writing=False):
            async with self._inner.watch(pipeline, max_await_time_ms=int(wait_seconds * 1000)) as stream:
                yield _each()

    async def drop(self) -> None:
        """Removes the whole database: for tests."""
        with _translated(writing=True):
            await self._client.drop_database(self.name)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()


class TenantCollection:
    """A collection that can't be queried without a tenant: read models and the like."""

    def __init__(self, inner: Collection) -> None:
        self.inner = inner

    async def find_one(self, tenant: str, where: Filter, fields: Mapping[str, Any] | None = None) -> Document | None:
        """The first match in the town."""
        return await self.inner.find_one({**where, "tenant": tenant}, fields)

    async def find(
        self, tenant: str, where: Filter, *, sort: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Document]:
        """The matches in the town."""
        return [found async for found in self.inner.find({**where, "tenant": tenant}, sort=sort, limit=limit)]

    async def aggregate(self, tenant: str, where: Filter, stages: Sequence[Mapping[str, Any]]) -> list[Document]:
        """What a pipeline makes of the matches in the town."""
        return await self.inner.aggregate([{"$match": {**where, "tenant": tenant}}, *stages])

    async def put(self, tenant: str, document_id: str, fields: Mapping[str, Any], when: Filter | None = None) -> bool:
        """Sets fields of one document of the town, making it if need be; `when` guards against older news.

        Returns whether it was written: False where `when` didn't hold.
        """
        where = {**(when or {}), "_id": document_id, "tenant": tenant}
        try:
            return await self.inner.update(where, {"$set": dict(fields)}, upsert=True)
        except DuplicateKey:
            # `when` doesn't hold, or another one made it at the same time.
            return await self.inner.update(where, {"$set": dict(fields)})

    async def delete(self, tenant: str, document_id: str) -> bool:
        """Removes one document of the town."""
        return await self.inner.delete({"_id": document_id, "tenant": tenant})


def utc_floor(at: datetime) -> datetime:
    """BSON keeps milliseconds: what is compared with a stored time is cut to them."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
