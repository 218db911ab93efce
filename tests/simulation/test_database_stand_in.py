"""What the stand-in for the database promises, asked of the embedded server as well: the same steps on both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from bson import Int64

from chassis.mongo import Collection, Database, Index, Update
from tests.simulation.database import Client, Server
from tests.simulation.wire import Calm
from tests.support.waiting import wait_until

Document = dict[str, Any]
AT = datetime(2026, 11, 22, 9, 0, 0, 123456, UTC)


@pytest.fixture
async def both(mongo_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """A database on the embedded server, and its stand-in."""
    name = f"t_{secrets.token_hex(5)}"
    real = Database(mongo_url, name, timeout_seconds=5.0)
    client: Any = Client(Server(Calm()))
    stand_in = Database("", name, timeout_seconds=5.0, client=client)
    try:
        yield real, stand_in
    finally:
        for each in (real, stand_in):
            await each.drop()
            each.close()


async def outcome(step: Callable[[], Awaitable[object]]) -> object:
    """What a step gives back, or how it fails."""
    try:
        return await step()
    except Exception as error:
        return type(error).__name__


async def rows(collection: Collection, where: Mapping[str, Any] | None = None, *more: Any, **options: Any) -> Any:
    """All matches."""
    return [row async for row in collection.find(where or {}, *more, **options)]


async def filled(both: tuple[Database, Database], documents: Sequence[Document]) -> tuple[Collection, Collection]:
    """The same collection on both, with the same documents."""
    real, stand_in = (each.collection(f"c{secrets.token_hex(3)}") for each in both)
    for document in documents:
        await real.insert(dict(document))
        await stand_in.insert(dict(document))
    return real, stand_in


def plain(value: Any) -> Any:
    """A value with its types, so that 1, 1.0 and True are three; in no order of fields."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{'int' if isinstance(value, Int64) else type(value).__name__} {value!r}"


def by_id(found: Any) -> Any:
    return sorted(found, key=lambda row: row["_id"]) if isinstance(found, list) else found


# Filters

PEOPLE: list[Document] = [
    {"_id": "a", "name": "anna", "age": 30, "tags": ["x", "y"], "at": AT},
    {"_id": "b", "name": "bert", "age": None, "tags": [], "at": AT + timedelta(milliseconds=1)},
    {"_id": "c", "age": 40.5, "tags": ["y"], "state": {"case": None, "kind": "new"}, "events": []},
    {"_id": "d", "age": 0, "tags": "y", "state": {"case": "1"}, "events": [{"at": 1}, {"at": 2, "q": "z"}]},
    {"_id": "e", "age": True, "state": {"kind": "new", "case": None}, "events": [{"at": 2}, {"at": 3}]},
    {"_id": "f", "age": "30", "state": None, "events": [{"at": 5}, 7], "tags": [["x", "y"]]},
    {"_id": "g", "age": 2**40, "state": {}, "events": None, "tags": [None], "raw": b"\x00\xff"},
    {"_id": "h", "age": 1, "wide": [1, 9], "state": {"case": {"n": 1}}, "events": [{"at": None}]},
    {"_id": "i", "wide": [{"n": 1, "m": 2}, {"n": 3, "m": 4}], "state": {"case": ["1", "2"]}, "flag": False},
    {"_id": "j", "events": [{"at": 1}, {"q": "z"}], "wide": [[1], 9], "state": [{"case": None}]},
]

FILTERS: list[Document] = [
    {},
    {"_id": "a"},
    {"_id": "a", "name": "bert"},
    {"_id": {"$in": ["a", "c", "zz"]}},
    {"_id": {"$in": []}},
    {"_id": {"$gt": "c", "$lte": "f"}},
    {"_id": {"$ne": "a"}},
    {"name": None},
    {"name": {"$exists": True}},
    {"name": {"$exists": False}},
    {"name": {"$ne": None}},
    {"name": {"$in": [None, "anna"]}},
    {"age": None},
    {"age": {"$ne": 30}},
    {"age": {"$gt": 0}},
    {"age": {"$gte": 0}},
    {"age": {"$lt": 40}},
    {"age": {"$lte": 30}},
    {"age": {"$gt": 0, "$lt": 40}},
    {"age": 0},
    {"age": False},
    {"age": 1},
    {"age": True},
    {"age": 30.0},
    {"age": "30"},
    {"age": {"$gt": "2"}},
    {"age": {"$in": [0, 1, "30"]}},
    {"age": {"$exists": False}},
    {"age": {"$not": {"$gt": 10}}},
    {"tags": "y"},
    {"tags": ["y"]},
    {"tags": ["x", "y"]},
    {"tags": ["y", "x"]},
    {"tags": []},
    {"tags": None},
    {"tags": {"$in": ["x"]}},
    {"tags": {"$in": [["y"], []]}},
    {"tags": {"$ne": "y"}},
    {"tags.1": {"$exists": True}},
    {"tags": {"$not": {"$in": ["x", "y"]}}},
    {"at": AT},
    {"at": {"$lte": AT}},
    {"at": {"$gt": AT}},
    {"at": AT.astimezone(timezone(timedelta(hours=2)))},
    {"at": AT.replace(microsecond=123000)},
    {"state": {"case": None, "kind": "new"}},
    {"state": {"kind": "new", "case": None}},
    {"state": {}},
    {"state": None},
    {"state": {"$exists": True}},
    {"state.case": None},
    {"state.case": "1"},
    {"state.case": {"$exists": True}},
    {"state.case": {"$ne": None}},
    {"state.case": {"n": 1}},
    {"state.case.n": 1},
    {"state.case.n": {"$exists": False}},
    {"state.kind": {"$in": ["new", None]}},
    {"events": []},
    {"events": None},
    {"events": {"$ne": []}},
    {"events": {"$exists": True, "$ne": None}},
    {"events.at": 2},
    {"events.at": None},
    {"events.at": {"$lt": 2}},
    {"events.at": {"$gte": 2}},
    {"events.at": {"$not": {"$lt": 2}}},
    {"events.0.at": 1},
    {"events.1.at": {"$gt": 2}},
    {"events.q": {"$exists": True}},
    {"events": {"$elemMatch": {"at": 2}}},
    {"events": {"$elemMatch": {"at": 2, "q": "z"}}},
    {"events": {"$elemMatch": {"at": {"$gt": 1, "$lt": 3}}}},
    {"events": {"$elemMatch": {"at": 2}, "$not": {"$elemMatch": {"at": {"$lt": 2}}}}},
    {"events": {"$not": {"$elemMatch": {"at": {"$lt": 2}}}}},
    {"events": {"at": 1}},
    {"events": {"at": 2, "q": "z"}},
    {"wide": {"$gt": 3, "$lt": 8}},
    {"wide.n": 1, "wide.m": 4},
    {"wide": {"$elemMatch": {"n": 1, "m": 4}}},
    {"wide": {"$elemMatch": {"n": 1, "m": 2}}},
    {"raw": b"\x00\xff"},
    {"raw": {"$exists": True}},
    {"flag": False},
    {"flag": 0},
    {"flag": {"$ne": True}},
    {"$or": [{"name": "anna"}, {"state.kind": "new", "_id": {"$gt": "d"}}]},
    {"name": {"$exists": True}, "$or": [{"age": 30}, {"age": None}]},
    {"events.q": None},
    {"events.q": "z"},
    {"events.q": {"$in": [None]}},
    {"events.q": {"$ne": None}},
    {"wide": 9},
    {"wide.1": 9},
    {"age": {"$gte": None}},
    {"missing.path.deep": None},
    {"name.first": {"$exists": True}},
]


async def test_filters_find_the_same(both: tuple[Database, Database]) -> None:
    real, stand_in = await filled(both, PEOPLE)
    differ = []
    for where in FILTERS:
        wanted, found = [
            [row["_id"] for row in by_id(await rows(each, where, {"_id": 1}))] for each in (real, stand_in)
        ]
        counted = [await each.count(where) for each in (real, stand_in)]
        if wanted != found or counted != [len(wanted)] * 2:
            differ.append((where, wanted, found, counted))
    assert differ == []


# Updates

THING: Document = {
    "_id": "a",
    "n": 5,
    "f": 1.5,
    "text": "x",
    "none": None,
    "list": [1, 2, 3, 2],
    "rows": [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}, {"k": 3}],
    "sub": {"a": 1, "b": {"c": 2}},
    "at": AT,
}

CHANGES: list[Document] = [
    {"$set": {"n": 6}},
    {"$set": {"new": {"x": [1, (2, 3)], "at": AT, "raw": b"\x01"}}},
    {"$set": {"sub.b.c": 3, "sub.z": None, "deep.er.still": 1}},
    {"$set": {"rows.0.v": "z", "rows.2.v": "c"}},
    {"$set": {"list.1": 9}},
    {"$set": {"list.5": 9}},
    {"$set": {"sub": {"only": 1}}},
    {"$set": {"text.x": 1}},
    {"$set": {"none.x": 1}},
    {"$set": {"_id": "a", "n": 7}},
    {"$set": {"_id": "other"}},
    {"$unset": {"n": "", "missing": "", "sub.b.c": "", "nothing.at.all": ""}},
    {"$unset": {"sub.a": 1, "text": ""}},
    {"$unset": {"list.1": ""}},
    {"$unset": {"rows.0.v": ""}},
    {"$inc": {"n": 1, "f": 1, "made": 3, "sub.a": -2, "sub.made": 1}},
    {"$inc": {"text": 1}},
    {"$inc": {"none": 1}},
    {"$max": {"n": 9, "f": 1, "made": 4, "sub.a": 1}},
    {"$max": {"n": 5.0}},
    {"$max": {"text": 5}},
    {"$max": {"n": "text"}},
    {"$max": {"none": 1}},
    {"$max": {"n": None}},
    {"$max": {"at": AT + timedelta(seconds=1)}},
    {"$max": {"at": AT - timedelta(seconds=1)}},
    {"$push": {"list": 4, "made": "first", "sub.made": {"x": 1}}},
    {"$push": {"list": {"$each": [4, 5]}, "made": {"$each": []}}},
    {"$push": {"list": {"$each": [4, 5], "$slice": -3}}},
    {"$push": {"list": {"$each": [], "$slice": -2}}},
    {"$push": {"made": {"$each": [1, 2, 3], "$slice": -2}}},
    {"$push": {"list": {"$each": [4], "$slice": -100}}},
    {"$push": {"list": [4, 5]}},
    {"$push": {"list": {"each": 1}}},
    {"$push": {"text": 1}},
    {"$push": {"none": 1}},
    {"$pull": {"list": 2}},
    {"$pull": {"list": {"$gt": 1}}},
    {"$pull": {"list": {"$in": [1, 3]}}},
    {"$pull": {"rows": {"k": 2}}},
    {"$pull": {"rows": {"k": {"$lte": 2}}}},
    {"$pull": {"rows": {"v": None}}},
    {"$pull": {"missing": 1}},
    {"$pull": {"text": 1}},
    {"$pull": {"sub.b": 1}},
    {"$set": {"n": 1}, "$unset": {"text": ""}, "$push": {"list": 7}, "$inc": {"f": 1}},
    {"$set": {"n": 1}, "$inc": {"n": 1}},
    {"$set": {"sub": 1}, "$inc": {"sub.a": 1}},
    {"$set": {"n": 1, "sub.a": 2, "sub.b": 3}},
    {"$set": {"sub": {"x": 1}, "sub.a": 2}},
]


async def test_updates_change_the_same(both: tuple[Database, Database]) -> None:
    sides = await filled(both, [])
    differ = []
    for number, change in enumerate(CHANGES):
        told = []
        for each in sides:
            await each.insert({**THING, "_id": f"a{number}"})
            mine = (
                {"$set": {**change["$set"], "_id": f"a{number}"}}
                if change.get("$set", {}).get("_id") == "a"
                else change
            )
            answer = await outcome(lambda each=each, mine=mine: each.update({"_id": f"a{number}"}, mine))  # type: ignore[misc]  # noqa: B023
            told.append((answer, await each.find_one({"_id": f"a{number}"})))
        if plain(told[0]) != plain(told[1]):
            differ.append((change, *told))
    assert differ == []


# Everything else

Step = Callable[[Database, Collection], Awaitable[object]]


async def same(both: tuple[Database, Database], documents: Sequence[Document], *steps: Step) -> None:
    """Runs the steps on both; every outcome, and all documents after each, must be the same."""
    sides = await filled(both, documents)
    for number, step in enumerate(steps):
        told = [
            (await outcome(lambda d=d, c=c: step(d, c)), by_id(await rows(c)))  # type: ignore[misc]  # noqa: B023
            for d, c in zip(both, sides, strict=True)
        ]
        assert plain(told[1]) == plain(told[0]), f"step {number}"


def updating(where: Document, change: Document, *, upsert: bool = False) -> Step:
    return lambda _, c: c.update(where, change, upsert=upsert)


async def test_upserts_make_the_same(both: tuple[Database, Database]) -> None:
    at = {"$set": {"at": 2, "x": "new"}}
    await same(
        both,
        [{"_id": "old", "at": 5, "tenant": "witten"}],
        updating({"_id": "a"}, {"$set": {"x": 1}}, upsert=True),
        updating({"_id": "a"}, {"$max": {"at": 3}}, upsert=True),
        updating({"_id": "a"}, {"$max": {"at": 2}}, upsert=True),
        updating({"_id": "b"}, {"$max": {"at": 3}}, upsert=True),
        updating({"_id": "c", "tenant": "witten"}, {"$inc": {"n": 2}, "$push": {"l": 1}}, upsert=True),
        updating({"_id": "d", "at": {"$lt": 2}, "tenant": "witten"}, at, upsert=True),
        updating({"_id": "old", "at": {"$lt": 2}, "tenant": "witten"}, at, upsert=True),
        updating({"_id": "old", "tenant": "other"}, at, upsert=True),
        updating({"_id": "old", "at": {"$lte": 5}, "tenant": "witten"}, at, upsert=True),
        updating({"_id": "e", "state.case": "1"}, {"$set": {"state.kind": "new"}}, upsert=True),
        updating({"_id": "f", "x": {"$exists": False}}, {"$unset": {"y": ""}, "$set": {"z": AT}}, upsert=True),
        updating({"_id": "g", "x": {"a": 1}}, {"$set": {"y": 1}}, upsert=True),
        updating({"_id": "h", "x": [1]}, {"$pull": {"x": 1}, "$set": {"y": 1}}, upsert=True),
        updating({"_id": "nobody"}, {"$set": {"x": 1}}),
    )


async def test_writes_tell_the_same(both: tuple[Database, Database]) -> None:
    def _bulk(*updates: Update) -> Step:
        return lambda _, c: c.bulk(updates)

    await same(
        both,
        [{"_id": each, "n": number % 2, "l": [1]} for number, each in enumerate("abcdef")],
        lambda _, c: c.insert({"_id": "a"}),
        lambda _, c: c.insert({"_id": "g", "n": 7}),
        lambda _, c: c.insert({"_id": "g", "n": 8}),
        lambda _, c: c.update_all({"n": 1}, {"$set": {"n": 2}, "$push": {"l": 2}}),
        lambda _, c: c.update_all({"n": 1}, {"$set": {"n": 3}}),
        lambda _, c: c.update_all({"_id": {"$in": ["a", "b", "zz"]}}, {"$unset": {"l": ""}, "$max": {"n": 9}}),
        lambda _, c: c.update_all({}, {"$set": {"all": True}}),
        lambda _, c: c.update_all({"_id": {"$in": ["c", "g"]}}, {"$push": {"n": 1}}),
        lambda _, c: c.delete({"_id": "a", "n": 0}),
        lambda _, c: c.delete({"_id": "a", "n": 9}),
        lambda _, c: c.delete({"_id": "a"}),
        lambda _, c: c.delete({"_id": "b", "l": []}),
        _bulk(),
        _bulk(Update({"_id": "b"}, {"$set": {"n": 1}})),
        _bulk(Update({"_id": "zz"}, {"$set": {"n": 1}})),
        _bulk(Update({"_id": "b"}, {"$inc": {"n": 1}}), Update({"_id": "zz"}, {"$inc": {"n": 1}})),
        _bulk(*(Update({"_id": f"new{n}"}, {"$max": {"at": n}}, upsert=True) for n in range(20))),
        _bulk(*(Update({"_id": f"new{n}"}, {"$max": {"at": 10}}, upsert=True) for n in range(20))),
        # One of them can't be done: the others are.
        _bulk(
            Update({"_id": "c", "n": 77}, {"$set": {"n": 1}}, upsert=True),
            Update({"_id": "d"}, {"$set": {"bulk": 1}}),
            Update({"_id": "e"}, {"$set": {"bulk": 1}}),
        ),
        _bulk(Update({"_id": "c", "n": 77}, {"$set": {"n": 1}}, upsert=True)),
        _bulk(Update({"_id": "d"}, {"$push": {"n": 1}}), Update({"_id": "e"}, {"$set": {"bulk": 2}})),
        _bulk(*[Update({"_id": "d"}, {"$inc": {"twice": 1}})] * 2),
    )


READS: list[tuple[Document, Document | None, Document]] = [
    ({}, None, {"sort": [("_id", 1)]}),
    ({}, None, {"sort": [("_id", -1)], "limit": 3}),
    ({}, {"_id": 1}, {"sort": [("age", 1), ("_id", 1)]}),
    ({}, {"_id": 1}, {"sort": [("age", -1), ("_id", 1)]}),
    ({}, {"_id": 1}, {"sort": [("age", -1), ("_id", -1)], "limit": 4}),
    ({}, {"_id": 1}, {"sort": [("state.case", 1), ("_id", 1)]}),
    ({}, {"_id": 1}, {"sort": [("at", -1), ("_id", 1)]}),
    ({}, {"_id": 1}, {"sort": [("tags", 1), ("_id", 1)]}),
    ({}, {"_id": 1}, {"sort": [("tags", -1), ("_id", 1)]}),
    ({}, {"_id": 1}, {"sort": [("_id", 1)], "batch": 2}),
    ({}, {"_id": 1}, {"sort": [("_id", 1)], "batch": 5, "limit": 5}),
    ({}, {"name": 1, "age": 1}, {"sort": [("_id", 1)]}),
    ({}, {"age": 1, "name": 1}, {"sort": [("_id", 1)]}),
    ({}, {"name": 1, "_id": 0}, {"sort": [("_id", 1)]}),
    ({}, {"events": 0, "tags": 0}, {"sort": [("_id", 1)]}),
    ({}, {"_id": 0}, {"sort": [("_id", 1)]}),
    ({}, {"missing": 1}, {"sort": [("_id", 1)]}),
    ({}, {"missing": 0}, {"sort": [("_id", 1)]}),
    ({}, {}, {"sort": [("_id", 1)]}),
    ({}, {"state.case": 1}, {"sort": [("_id", 1)]}),
    ({}, {"state.case": 0}, {"sort": [("_id", 1)]}),
    ({}, {"events.at": 1}, {"sort": [("_id", 1)]}),
    ({"_id": {"$gt": "c"}}, {"_id": 1}, {"sort": [("_id", 1)], "limit": 2}),
]


async def test_reads_give_the_same(both: tuple[Database, Database]) -> None:
    sides, differ = await filled(both, PEOPLE), []
    for where, fields, options in READS:
        found = [plain(await rows(each, where, fields, **options)) for each in sides]
        if found[0] != found[1]:
            differ.append((where, fields, options, *found))
    assert differ == []
    for where in ({"_id": "a"}, {"_id": "a", "age": 31}, {"name": "bert"}):
        assert plain(await sides[0].find_one(where)) == plain(await sides[1].find_one(where))


async def test_values_come_back_the_same(both: tuple[Database, Database]) -> None:
    """Times to the millisecond and in UTC, bytes, tuples as lists, big and small numbers; nothing is shared."""
    berlin = timezone(timedelta(hours=1))
    value = {
        "at": AT,
        "before": datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        "berlin": datetime(2026, 11, 22, 10, 0, 0, 999, berlin),
        "raw": b"\x00\xff",
        "tuple": (1, (2, AT)),
        "numbers": [0, -1, 2**31, 2**53 + 1, -(2**63), 1.0, 0.1, -0.0],
        "text": "Grüße \u0000",
        "empty": {"a": {}, "b": []},
        "yes": True,
        "nothing": None,
    }
    await same(both, [{"_id": "a", **value}], updating({"_id": "a"}, {"$set": {"x": value}, "$push": {"l": value}}))
    for database in both:
        collection, given = database.collection("shared"), {"_id": "a", "l": [1]}
        await collection.insert(given)
        given["l"].append(2)  # type: ignore[attr-defined]
        found = await collection.find_one({"_id": "a"})
        assert found is not None
        assert found["l"] == [1]
        found["l"].append(3)
        assert (await collection.find_one({"_id": "a"}) or {})["l"] == [1]


async def test_indexes_and_collections_are_told_the_same(both: tuple[Database, Database]) -> None:
    index = Index((("tenant", 1), ("state.case", -1)), "a list", sparse=True)
    told = []
    for database in both:
        await database.ping()
        before = await database.names()
        collection = database.collection("things")
        await collection.ensure([index, index])
        await collection.insert({"_id": "a"})
        information = await database._inner.get_collection("things").index_information()
        told.append((before, await database.names(), information[index.name]["key"], information[index.name]["sparse"]))
    assert told[0] == told[1]


async def test_a_stream_tells_of_the_changes_that_it_was_asked_for(both: tuple[Database, Database]) -> None:
    for database in both:
        watched, other = database.collection("watched"), database.collection("other")
        await watched.insert({"_id": "before"})
        async with database.changes(["watched"], 0.1) as changes:
            assert not await anext(changes)
            await other.insert({"_id": "a"})
            assert not await anext(changes)
            await watched.insert({"_id": "a"})
            await watched.update({"_id": "a"}, {"$set": {"x": 1}})
            told = 0

            async def _both(changes: Any = changes) -> bool:
                nonlocal told
                told += await anext(changes)
                return told == 2

            await wait_until(_both)
            await watched.update({"_id": "nobody"}, {"$set": {"x": 1}})
            assert not await anext(changes)
            await watched.delete({"_id": "a"})
            assert await anext(changes)
            await watched.update({"_id": "before"}, {"$unset": {"x": 1}})
            assert not await anext(changes)
