"""Stands where motor is: `chassis/mongo.py` runs on it unchanged. Held against the embedded server by
`test_database_stand_in.py`, and by the tests of the store, which run on both.

It knows the operators that the chassis uses, and refuses others. One operation is carried out in one step, a bulk one
document after the other: with the connection lost in between, half of it is done.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteError,
)

from tests.simulation.loop import VirtualLoop, current
from tests.simulation.wire import Conditions, Engine

Document = dict[str, Any]
OnWrite = Callable[[str, Document | None, Document | None], None]
"""Collection, the document before and after: called within each write."""

_ODD_CODE = 11_000_000
"""No error of MongoDB's has it."""


# Documents


_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def copied(value: Any) -> Any:
    """As BSON would give it back: lists for tuples, milliseconds, nothing shared."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {name: copied(each) for name, each in value.items()}
    if kind in {list, tuple}:
        return [copied(each) for each in value]
    if kind is datetime:
        return value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)
    if isinstance(value, Mapping):
        return {name: copied(each) for name, each in value.items()}
    raise TypeError(f"not BSON: {kind}")


def _values(document: Any, path: str) -> list[Any]:
    """What stands at a dotted path; arrays are descended."""
    found = [document]
    for part in path.split("."):
        found = list(_children(found, part))
    return found


def _children(values: list[Any], part: str) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict):
            if part in value:
                yield value[part]
        elif isinstance(value, list):
            if part.isdigit() and int(part) < len(value):
                yield value[int(part)]
            yield from (each[part] for each in value if isinstance(each, dict) and part in each)


_RANKS: dict[type, int] = {
    type(None): 0,
    int: 1,
    float: 1,
    str: 2,
    dict: 3,
    list: 4,
    bytes: 5,
    bool: 6,
    datetime: 7,
}
"""The order of types. Source: MongoDB manual, comparison and sort order."""


def _rank(value: Any) -> int:
    return _RANKS[type(value)]


def _equal(left: Any, right: Any) -> bool:
    """Of the same type, numbers being one; documents with their fields in the same order."""
    if _rank(left) != _rank(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(_equal, left.values(), right.values()))
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _sort_key(value: Any) -> Any:
    """By which values of all types are ordered."""
    if isinstance(value, dict):
        return (3, [(name, _sort_key(each)) for name, each in value.items()])
    if isinstance(value, list):
        return (4, [_sort_key(each) for each in value])
    return (_rank(value), 0 if value is None else value)


def _lacks(value: Any, parts: Sequence[str]) -> bool:
    """Whether nothing stands at a path: in an array, in one of its documents."""
    if not parts:
        return False
    part, *rest = parts
    if isinstance(value, list):
        if part.isdigit() and int(part) < len(value):
            return _lacks(value[int(part)], rest)
        return any(_lacks(each, parts) for each in value if isinstance(each, dict))
    return not isinstance(value, dict) or part not in value or _lacks(value[part], rest)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def _holds(values: list[Any], lacks: bool, name: str, wanted: Any) -> bool:
    """Whether a condition holds of what stands at a path; `lacks`: nothing does, at least in one place."""
    candidates = [*values, *(each for value in values if isinstance(value, list) for each in value)]
    if name in _COMPARED:
        key, rank = _sort_key(wanted), _rank(wanted)
        if wanted is None and lacks:
            return name in {"$gte", "$lte"}
        return any(_rank(each) == rank and _COMPARED[name](_sort_key(each), key) for each in candidates)
    match name:
        case "$eq":
            holds = any(_equal(each, wanted) for each in candidates) or (wanted is None and lacks)
        case "$in":
            holds = any(_holds(values, lacks, "$eq", each) for each in wanted)
        case "$exists":
            holds = bool(values) is bool(wanted)
        case "$ne":
            holds = not _holds(values, lacks, "$eq", wanted)
        case "$not":
            holds = not all(_holds(values, lacks, inner, each) for inner, each in wanted.items())
        case "$elemMatch":
            arrays = [value for value in values if isinstance(value, list)]
            holds = any(matches(each, wanted) for array in arrays for each in array if isinstance(each, dict))
        case _:
            raise NotImplementedError(name)
    return holds


def _is_condition(wanted: Any) -> bool:
    return isinstance(wanted, Mapping) and bool(wanted) and all(name.startswith("$") for name in wanted)


def matches(document: Document, where: Mapping[str, Any]) -> bool:
    """Whether a document matches a filter."""
    for path, wanted in where.items():
        if path == "$or":
            if not any(matches(document, each) for each in wanted):
                return False
            continue
        if path.startswith("$"):
            raise NotImplementedError(path)
        values, lacks = _values(document, path), _lacks(document, path.split("."))
        conditions = wanted if _is_condition(wanted) else {"$eq": wanted}
        if not all(_holds(values, lacks, name, copied(each)) for name, each in conditions.items()):
            return False
    return True


def _parent(document: Any, path: str, *, make: bool) -> tuple[Any, Any]:
    """The container of a path's last part, and that part; no container where it is missing and not made."""
    *way, last = path.split(".")
    for part in way:
        if isinstance(document, list):
            document = document[int(part)]
        elif isinstance(document, dict) and (part in document or make):
            document = document.setdefault(part, {})
        else:
            document = None
    if isinstance(document, list):
        return document, int(last)
    if isinstance(document, dict):
        return document, last
    if make:
        raise WriteError(f"simulated: no field can be made at {path}", 28)
    return None, last


def changed(document: Document, change: Mapping[str, Any]) -> Document:
    """The document after an update."""
    after: Document = copied(document)
    _require_apart([path for fields in change.values() for path in fields])
    for name, fields in change.items():
        for path, value in fields.items():
            parent, last = _parent(after, path, make=name not in {"$unset", "$pull"})
            if parent is not None:
                _change(parent, last, name, copied(value))
    if not _equal(after["_id"], document["_id"]):
        raise WriteError("simulated: the _id can't be changed", 66)
    return after


def _require_apart(paths: Sequence[str]) -> None:
    for number, path in enumerate(paths):
        for other in paths[number + 1 :]:
            if f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}."):
                raise WriteError(f"simulated: {path} and {other} conflict", 40)


def _change(parent: Any, name: Any, how: str, value: Any) -> None:
    if isinstance(parent, list) and name >= len(parent):
        if how in {"$unset", "$pull"}:
            return
        parent.extend([None] * (name + 1 - len(parent)))
    missing = isinstance(parent, dict) and name not in parent
    before = None if missing else parent[name]
    match how:
        case "$set":
            parent[name] = value
        case "$unset" if isinstance(parent, list):
            parent[name] = None
        case "$unset":
            parent.pop(name, None)
        case "$inc":
            parent[name] = value if missing else _of(before, (int, float)) + value
        case "$max":
            if missing or _sort_key(before) < _sort_key(value):
                parent[name] = value
        case "$push":
            many = isinstance(value, dict) and "$each" in value
            array = [*([] if missing else _of(before, (list,))), *(value["$each"] if many else [value])]
            parent[name] = array[value["$slice"] :] if many and "$slice" in value else array
        case "$pull" if not missing:
            parent[name] = [each for each in _of(before, (list,)) if not _pulled(each, value)]
        case "$pull":
            pass
        case _:
            raise NotImplementedError(how)


def _of(value: Any, kinds: tuple[type, ...]) -> Any:
    """A value that must be of some types."""
    if type(value) not in kinds:
        raise WriteError(f"simulated: not for a {type(value).__name__}", 14)
    return value


def _pulled(each: Any, wanted: Any) -> bool:
    if _is_condition(wanted):
        return all(_holds([each], False, name, value) for name, value in wanted.items())
    if isinstance(wanted, dict):
        return isinstance(each, dict) and matches(each, wanted)
    return _equal(each, wanted)


def projected(document: Document, fields: Mapping[str, Any] | None) -> Document:
    """What a reader gets: the fields that are named, or all but those; the id unless it is refused."""
    whole: Document = copied(document)
    named = {name: value for name, value in (fields or {}).items() if name != "_id"}
    if any(named.values()) or (fields and not named and fields["_id"]):
        whole = {"_id": whole["_id"], **_only(whole, list(named))}
    for path, wanted in named.items():
        if not wanted:
            _without(whole, path)
    if fields and not fields.get("_id", 1):
        del whole["_id"]
    return whole


def _only(value: Any, paths: Sequence[str]) -> Any:
    """What stands at some paths; in an array, of each of its documents."""
    if isinstance(value, list):
        return [_only(each, paths) for each in value if isinstance(each, dict | list)]
    found: Document = {}
    for name, each in value.items():
        deeper = [path.removeprefix(f"{name}.") for path in paths if path.startswith(f"{name}.")]
        if name in paths:
            found[name] = each
        elif deeper and isinstance(each, dict | list):
            found[name] = _only(each, deeper)
    return found


def _without(value: Any, path: str) -> None:
    """Removes what stands at a path; in an array, from each of its documents."""
    first, _, rest = path.partition(".")
    if isinstance(value, list):
        for each in value:
            _without(each, path)
    elif isinstance(value, dict) and first in value:
        if rest:
            _without(value[first], rest)
        else:
            del value[first]


class _Result:
    def __init__(self, matched: int = 0, upserted: Any = None, deleted: int = 0) -> None:
        self.matched_count, self.upserted_id, self.deleted_count = matched, upserted, deleted


# The server


class Server(Engine):
    """One database server: documents that outlive every process, outages, and a change feed."""

    def __init__(self, conditions: Conditions, name: str = "", on_write: OnWrite = lambda *_: None) -> None:
        super().__init__(conditions)
        self.name = name
        self.on_write = on_write
        self.data: dict[str, dict[Any, Document]] = {}
        self.indexes: dict[str, dict[str, Any]] = {}
        self.streams: list[_Stream] = []
        self._life = 0
        """Counts restores: what was on its way before one is not carried out after it."""

    def refused(self) -> Exception:
        cause = ServerSelectionTimeoutError if self.conditions.random.random() < 0.5 else AutoReconnect
        return cause("simulated: no connection")

    def broken(self) -> Exception:
        return AutoReconnect("simulated: the connection was lost")

    def unanswered(self) -> Exception:
        return NetworkTimeout("simulated: no answer")

    def odd(self) -> Exception | None:
        code = self.conditions.random.choice([134, 13, 18, 10058, _ODD_CODE])
        return OperationFailure("simulated: an error that nobody foresaw", code)

    def documents(self, collection: str) -> dict[Any, Document]:
        """A collection's documents by id, in the order of their making."""
        return self.data.setdefault(collection, {})

    def snapshot(self) -> dict[str, dict[Any, Document]]:
        """A backup."""
        return dict(copied(self.data)) if self.data else {}

    def restore(self, backup: dict[str, dict[Any, Document]]) -> None:
        """As it was then. Whatever is on its way is not carried out."""
        self._life += 1
        self.data = copied(backup)

    async def operate(self, what: str, operation: Callable[[], Any]) -> Any:
        """One operation of one client."""
        life = self._life

        def _serve() -> Any:
            if self._life != life:
                raise self.broken()
            return operation()

        return await self.ask(what, _serve)

    def put(self, collection: str, document: Document) -> None:
        """Writes a document: every write passes here."""
        documents = self.documents(collection)
        before = documents.get(document["_id"])
        documents[document["_id"]] = document
        self.on_write(collection, before, document)
        if before is None or not _equal(before, document):
            self._notice(collection)

    def remove(self, collection: str, document: Document) -> None:
        """Removes a document."""
        del self.documents(collection)[document["_id"]]
        self.on_write(collection, document, None)
        self._notice(collection)

    def _notice(self, collection: str) -> None:
        for stream in self.streams:
            stream.notice(collection)

    def breaks_off(self, size: int) -> int | None:
        """After how many of a bulk's writes the connection goes; None for a bulk that is whole."""
        if self.conditions.random.random() < self.silent:
            return self.conditions.random.randrange(size + 1)
        return None


class Client:
    """motor's client."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def get_database(self, name: str, **_: Any) -> _Database:
        return _Database(self._server)

    async def drop_database(self, _: str) -> None:
        self._server.data.clear()

    def close(self) -> None:
        pass


class _Database:
    def __init__(self, server: Server) -> None:
        self._server = server

    def get_collection(self, name: str) -> _Collection:
        return _Collection(self._server, name)

    async def command(self, _: str) -> Document:
        return dict(await self._server.operate("ping", lambda: {"ok": 1.0}))

    async def list_collection_names(self) -> list[str]:
        return list(
            await self._server.operate("list", lambda: [name for name, rows in self._server.data.items() if rows])
        )

    def watch(self, pipeline: Sequence[Mapping[str, Any]], max_await_time_ms: int) -> _Stream:
        return _Stream(self._server, set(pipeline[0]["$match"]["ns.coll"]["$in"]), max_await_time_ms / 1000)


class _Stream:
    """A change stream."""

    def __init__(self, server: Server, collections: set[str], seconds: float) -> None:
        self._server, self._collections, self._seconds = server, collections, seconds
        self._changes = 0
        self._changed = asyncio.Event()
        self._process = current()

    async def __aenter__(self) -> _Stream:
        await self._server.operate("watch", lambda: self._server.streams.append(self))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self in self._server.streams:
            self._server.streams.remove(self)

    def notice(self, collection: str) -> None:
        if collection not in self._collections:
            return
        self._changes += 1
        loop: Any = asyncio.get_running_loop()
        later = loop.later if isinstance(loop, VirtualLoop) else loop.call_later
        later(self._server.conditions.latency(), self._changed.set)

    async def try_next(self) -> Document | None:
        if self._server.away(self._process):
            await asyncio.sleep(0.2)
            raise AutoReconnect("simulated: the change stream is gone")
        if not self._changes:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._changed.wait()
            except TimeoutError:
                return None
        self._changes = max(self._changes - 1, 0)
        return {"_id": 1}


class _Collection:
    def __init__(self, server: Server, name: str) -> None:
        self._server, self.name = server, name

    def _found(self, where: Mapping[str, Any]) -> list[Document]:
        documents, wanted = self._server.documents(self.name), where.get("_id")
        if isinstance(wanted, str):
            candidates = [documents[wanted]] if wanted in documents else []
        elif isinstance(wanted, Mapping) and set(wanted) == {"$in"}:
            candidates = [documents[each] for each in wanted["$in"] if each in documents]
        else:
            candidates = list(documents.values())
        return [each for each in candidates if matches(each, where)]

    # Reading

    async def find_one(self, where: Mapping[str, Any], fields: Mapping[str, Any] | None = None) -> Document | None:
        def _first() -> Document | None:
            found = self._found(where)
            return projected(found[0], fields) if found else None

        found: Document | None = await self._server.operate(f"{self.name} find_one", _first)
        return found

    def find(
        self, where: Mapping[str, Any], fields: Mapping[str, Any] | None = None, limit: int = 0, batch_size: int = 500
    ) -> _Cursor:
        return _Cursor(self._server, self, where, fields, limit)

    async def count_documents(self, where: Mapping[str, Any]) -> int:
        return int(await self._server.operate(f"{self.name} count", lambda: len(self._found(where))))

    def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> _Cursor:
        raise NotImplementedError("the chassis's own code sums nothing up")

    # Writing

    async def insert_one(self, document: Document) -> None:
        document = copied(document)

        def _insert() -> None:
            if document["_id"] in self._server.documents(self.name):
                raise DuplicateKeyError("simulated: E11000")
            self._server.put(self.name, copied(document))

        await self._server.operate(f"{self.name} insert {document['_id']}", _insert)

    def _update(self, where: Mapping[str, Any], change: Mapping[str, Any], *, upsert: bool) -> _Result:
        found = self._found(where)
        if found:
            self._server.put(self.name, changed(found[0], change))
            return _Result(1)
        if not upsert:
            return _Result()
        made: Document = {"_id": where["_id"]}
        if made["_id"] in self._server.documents(self.name):
            raise DuplicateKeyError("simulated: E11000")
        made = changed(made, {"$set": {path: value for path, value in where.items() if not _is_condition(value)}})
        self._server.put(self.name, changed(made, change))
        return _Result(0, made["_id"])

    async def update_one(self, where: Mapping[str, Any], change: Mapping[str, Any], upsert: bool = False) -> _Result:
        where, change = copied(where), copied(change)
        what = f"{self.name} update {where.get('_id')} {_brief(change)}"
        result: _Result = await self._server.operate(what, lambda: self._update(where, change, upsert=upsert))
        return result

    async def update_many(self, where: Mapping[str, Any], change: Mapping[str, Any]) -> _Result:
        where, change = copied(where), copied(change)

        def _all() -> _Result:
            found = self._found(where)
            stop = self._server.breaks_off(len(found))
            for document in found[:stop]:
                self._server.put(self.name, changed(document, change))
            if stop is not None:
                raise self._server.broken()
            return _Result(len(found))

        result: _Result = await self._server.operate(f"{self.name} update_many {_brief(change)}", _all)
        return result

    async def delete_one(self, where: Mapping[str, Any]) -> _Result:
        where = copied(where)

        def _first() -> _Result:
            found = self._found(where)[:1]
            for document in found:
                self._server.remove(self.name, document)
            return _Result(deleted=len(found))

        result: _Result = await self._server.operate(f"{self.name} delete {where.get('_id')}", _first)
        return result

    async def bulk_write(self, requests: Sequence[UpdateOne], ordered: bool) -> _Result:
        rows = [(copied(each._filter), copied(each._doc), bool(each._upsert)) for each in requests]

        def _each() -> _Result:
            matched, failed = 0, 0
            stop = self._server.breaks_off(len(rows))
            for where, change, upsert in rows[:stop]:
                try:
                    matched += self._update(where, change, upsert=upsert).matched_count
                except WriteError:
                    failed += 1
            if stop is not None:
                raise self._server.broken()
            if failed:
                raise BulkWriteError({"writeErrors": []})
            return _Result(matched)

        result: _Result = await self._server.operate(f"{self.name} bulk of {len(rows)}", _each)
        return result

    async def create_index(self, fields: Sequence[tuple[str, int]], name: str, **more: Any) -> None:
        indexes = self._server.indexes.setdefault(self.name, {})
        await self._server.operate(
            f"{self.name} index", lambda: indexes.setdefault(name, {"key": list(fields), **more})
        )

    async def index_information(self) -> Document:
        return dict(self._server.indexes.get(self.name, {}))


def _brief(change: Mapping[str, Any]) -> str:
    """An update's operators and fields, for a story."""
    return " ".join(f"{operator}({', '.join(fields)})" for operator, fields in change.items())


class _Cursor:
    def __init__(
        self,
        server: Server,
        collection: _Collection,
        where: Mapping[str, Any],
        fields: Mapping[str, Any] | None,
        limit: int,
    ) -> None:
        self._server, self._collection = server, collection
        self._where, self._fields, self._limit = where, fields, limit
        self._keys: list[tuple[str, int]] = []
        self._rows: list[Document] | None = None

    def sort(self, keys: list[tuple[str, int]]) -> _Cursor:
        self._keys = keys
        return self

    def _read(self) -> list[Document]:
        rows = self._collection._found(self._where)
        for path, direction in reversed(self._keys):
            backwards = direction < 0
            rows.sort(key=lambda row: _sortable(_values(row, path), backwards=backwards), reverse=backwards)
        return [projected(row, self._fields) for row in rows[: self._limit or None]]

    async def to_list(self, length: int | None) -> list[Document]:
        if self._rows is None:
            self._rows = await self._server.operate(f"{self._collection.name} find", self._read)
        taken, self._rows = self._rows[:length], self._rows[length:] if length else []
        return taken

    async def close(self) -> None:
        pass


def _sortable(values: list[Any], *, backwards: bool) -> Any:
    """The value that a row is sorted by: of an array the least, or the greatest. Missing is as null."""
    if [] in values:
        return (-1, 0)
    candidates = [each for value in values for each in (value if isinstance(value, list) else [value])]
    keys = [_sort_key(each) for each in candidates] or [_sort_key(None)]
    return max(keys) if backwards else min(keys)
