"""What must hold once everything is healed and at rest. It reads documents and topics, never the services' memory,
except to ask that each background task is alive and no partition is kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from chassis.events.positions import SEQUENCES_PER_EPOCH
from contracts.envelope import Envelope, source_of
from tests.simulation.database import Document
from tests.simulation.services import ALPHA, BETA, TOWN, copy_of
from tests.simulation.world import AGGREGATES, HEARS, World

TOPICS = {"alpha": ALPHA, "beta": BETA}


# At rest?


def unrest(world: World) -> list[str]:
    """What is still to be done; empty once everything is at rest."""
    found = [] if world.finished == world.options.clients else [f"clients {world.finished}/{world.options.clients}"]
    for name in AGGREGATES:
        found += _unrest_of(world, name)
    pointer = world.servers["beta"].documents("meta").get("read_model:lines", {})
    if pointer.get("building") is not None:
        found.append(f"the read model's generation {pointer['building']} is being made")
    return found


def _unrest_of(world: World, name: str) -> list[str]:
    found, server = [], world.servers[name]
    for row in server.documents(AGGREGATES[name]).values():
        if row["published"] != row["sequence"] or "unpublished_since" in row:
            found.append(f"{name} {row['_id'][:8]} published {row['published']} of {row['sequence']}")
        if row.get("due"):
            found.append(f"{name} {row['_id'][:8]} has due work: {row['due']}")
    for row in server.documents("parked").values():
        at = [event["at"] for event in row["events"]]
        found.append(f"{name} {row['_id']} is parked: {row['status']}, {row['reason']}, {row['detail']}, {at}")
    for instance in world.alive(name):
        groups = sorted(consumer.group.name for consumer in instance.consumers)
        if groups != sorted(_groups(world, name)):
            found.append(f"{instance.name} is in the groups {groups}")
    for group in _groups(world, name):
        for place in world.kafka.partitions(HEARS[name].name):
            done, end = world.kafka.group(group).offsets.get(place, 0), len(world.kafka.logs[place])
            if done < end:
                found.append(f"{group} has read {done} of {end} of {place.topic}/{place.partition}")
    return found


def _groups(world: World, name: str) -> list[str]:
    pointer = world.servers["beta"].documents("meta").get("read_model:lines", {"live": 1})
    return [f"rathaus.{name}", *([f"rathaus.beta.lines.{pointer['live']}"] if name == "beta" else [])]


# Right?


def check(world: World) -> list[str]:
    """All that is wrong."""
    found = list(world.findings)
    topics = _topics(world)
    for name in AGGREGATES:
        for row in world.servers[name].documents(AGGREGATES[name]).values():
            found += _check_line(world, name, row, topics.get(source_of(TOWN, name, row["_id"]), []))
    if world.restored is None:
        found += _check_effects(world)
    else:
        found += _check_after_restore(world)
    found += _check_processes(world)
    return [*found, *world.loop.problems]


Told = tuple[int, int, str, bytes, int]
"""Epoch, sequence, id, data, partition."""


def _topics(world: World) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for place, log in world.kafka.logs.items():
        for record in log:
            each = Envelope.parse(record.headers)
            found.setdefault(each.source, []).append(
                (each.epoch, each.sequence, each.id, record.value, place.partition)
            )
    return found


def said(world: World, name: str, row: Document) -> dict[int, Document]:
    """What a document said, with what was archived, by sequence."""
    archive = world.servers[name].documents(f"{AGGREGATES[name]}_archive").values()
    kept = {each["said"]["sequence"]: each["said"] for each in archive if each["subject"] == row["_id"]}
    return kept | {each["sequence"]: each for each in row["events"]}


def _check_line(world: World, name: str, row: Document, told: list[Told]) -> list[str]:
    """Document, archive and topic tell the same line."""
    who, found, kept = f"{name} {row['_id'][:8]}", [], said(world, name, row)
    if sorted(kept) != list(range(1, row["sequence"] + 1)):
        found.append(f"{who} keeps {sorted(kept)} of {row['sequence']}")
    if world.restored is None or name == "beta":
        first = list(dict.fromkeys(sequence for _, sequence, *_ in told))
        if first != list(range(1, row["sequence"] + 1)):
            found.append(f"{who}: the topic has {first} first, {row['sequence']} were said")
    else:
        found += [f"{who}: {each}" for each in _check_epochs(told)]
    for sequence, each in kept.items():
        same = [data for epoch, number, _, data, _ in told if (epoch, number) == (each["epoch"], sequence)]
        if not same or any(orjson.loads(data) != each["data"] for data in same):
            found.append(f"{who}: event {sequence} isn't in the topic as it was said")
    if any(
        each["id"] != i
        for epoch, number, i, *_ in told
        for each in [kept.get(number)]
        if each and each["epoch"] == epoch
    ):
        found.append(f"{who}: an event has two ids")
    if len({place for *_, place in told}) > 1:
        found.append(f"{who} is in several partitions")
    marks = [each["mark"] for each in row["requests"]]
    if len(marks) != len(set(marks)):
        found.append(f"{who} remembers a request twice")
    return found


def _check_epochs(told: list[Told]) -> list[str]:
    """After a restore each epoch's line ascends by one from where it begins, at or before the old one's end."""
    found, ends = [], 0
    for epoch in sorted({epoch for epoch, *_ in told}):
        first = list(dict.fromkeys(number for each, number, *_ in told if each == epoch))
        if first != list(range(first[0], first[0] + len(first))) or first[0] > ends + 1:
            found.append(f"the line of epoch {epoch} is {first}, the one before ended at {ends}")
        ends = first[-1]
    return found


def _line_of(world: World, name: str, source: str, at: int) -> str | None:
    """The line that the event in a place told."""
    row = world.servers[name].documents(AGGREGATES[name]).get(source.rsplit("/", 1)[1])
    each = said(world, name, row).get(at % SEQUENCES_PER_EPOCH) if row else None
    return each["data"].get("line") if each else None


def _optional(world: World, consumer: str, source: str) -> set[str]:
    """The lines of a source that an operator may have given up for a consumer."""
    emitter = source.split("/")[2]
    lines = {
        _line_of(world, emitter, source, at) for who, what, at in world.wishes if (who, what) == (consumer, source)
    }
    return {line for line in lines if line is not None}


def _without(lines: list[str], optional: set[str], there: list[str]) -> list[str]:
    """What is to be expected where some lines may be missing."""
    return [line for line in lines if line in there or line not in optional]


def _check_effects(world: World) -> list[str]:
    """Every line that was acknowledged has every effect once, in order."""
    found = []
    items, copies = world.servers["alpha"].documents("items"), world.servers["beta"].documents("copies")
    for item, lines in world.acknowledged.items():
        row = items.get(item)
        if row is None:
            found.append(f"item {item[:8]} is lost")
            continue
        found += [f"item {item[:8]}: {each}" for each in _check_item(row["state"], [line for _, line in lines])]
        copy = copies.get(copy_of(source_of(TOWN, "alpha", item)))
        if copy is None:
            if set(row["state"]["lines"]) - _optional(world, "beta", source_of(TOWN, "alpha", item)):
                found.append(f"item {item[:8]} has no copy")
            continue
        found += [f"item {item[:8]}: {each}" for each in _check_copy(world, row, copy)]
    return found + _check_read_model(world)


def _check_item(state: Document, lines: list[str]) -> list[str]:
    found, count = [], Counter(state["lines"])
    found += [f"line {line} is there {count[line]} times" for line in lines if count[line] != 1]
    if any(times != 1 for times in count.values()):
        found.append(f"lines are doubled: {count}")
    if state["asked"] != state["reminded"] or state["remind"] or state["review"]:
        found.append(f"reminded {state['reminded']} of {state['asked']} times")
    return found


def _check_copy(world: World, row: Document, copy: Document) -> list[str]:
    found = []
    source, echo_source = source_of(TOWN, "alpha", row["_id"]), source_of(TOWN, "beta", copy["_id"])
    lines, copied, echoes = row["state"]["lines"], copy["state"]["lines"], row["state"]["echoes"]
    if copied != _without(lines, _optional(world, "beta", source), copied):
        found.append(f"lines {lines}, the copy's {copied}")
    if echoes != _without(copied, _optional(world, "alpha", echo_source), echoes):
        found.append(f"the copy's lines {copied}, echoes {echoes}")
    if copy["state"]["call"] or copy["state"]["check"]:
        found.append("its copy has work to do")
    calls = copy["state"]["calls"]
    if len(calls) != copy["state"]["expected"] or len(set(calls)) != len(calls):
        found.append(f"its copy expected {copy['state']['expected']} calls, one each: {calls}")
    for name, subject, heard_from in (("beta", copy, row), ("alpha", row, copy)):
        found += _check_marks(world, name, subject, heard_from)
    return found


def _check_marks(world: World, name: str, row: Document, heard_from: Document) -> list[str]:
    """`seen` is the last event that has an effect here, the position the last of all."""
    other = "alpha" if name == "beta" else "beta"
    source = source_of(TOWN, other, heard_from["_id"])
    found = []
    position = world.servers[name].documents("positions").get(name + source, {}).get("at")
    if position != heard_from["sequence"]:
        found.append(f"{name} has read {position} of {heard_from['sequence']} of {source[-20:]}")
    heard = [number for number, each in said(world, other, heard_from).items() if _has_effect(world, each)]
    given_up = {at for who, what, at in world.wishes if (who, what) == (name, source)}
    seen = row["seen"].get(f"{other}/{heard_from['_id']}", [0, 0])
    if not world.scenario.both_versions and heard and seen != [0, max(heard)] and not given_up & set(heard):
        found.append(f"{name} {row['_id'][:8]} has seen {seen}, {max(heard)} was last")
    return found


def _has_effect(world: World, each: Document) -> bool:
    return str(each["type"]).endswith(("noted.v1", "echoed.v1"))


def _check_read_model(world: World) -> list[str]:
    """It has the lines of the topic, whichever generation serves."""
    pointer = world.servers["beta"].documents("meta").get("read_model:lines", {"live": 1})
    if world.rebuilt and pointer["live"] != world.rebuilt:
        return [f"generation {world.rebuilt} of the read model was asked for, {pointer['live']} serves"]
    rows = world.servers["beta"].documents(f"lines_{pointer['live']}").values()
    kept = Counter((row["item"], row["line"]) for row in rows)
    items = world.servers["alpha"].documents("items").values()
    expected = Counter((row["_id"], line) for row in items for line in row["state"]["lines"])
    wished = {
        (source.rsplit("/", 1)[1], _line_of(world, "alpha", source, at))
        for who, source, at in world.wishes
        if who.startswith("beta.")
    }
    if kept != expected and not (set(kept) <= set(expected) and set(expected) - set(kept) <= wished):
        return [f"the read model has {len(kept)} lines of {len(expected)}"]
    return []


def _check_after_restore(world: World) -> list[str]:
    """What was acknowledged before the backup or after the restore is there, once; what others heard stands."""
    assert world.restored is not None
    made, restored = world.restored
    found = []
    items = world.servers["alpha"].documents("items")
    for item, lines in world.acknowledged.items():
        row = items.get(item)
        safe = [line for at, line in lines if at < made or at > restored]
        if row is None:
            found += [f"item {item[:8]} is lost"] if safe else []
            continue
        count = Counter(row["state"]["lines"])
        found += [f"item {item[:8]}: line {line} is there {count[line]} times" for line in safe if count[line] != 1]
        if any(times > 1 for times in count.values()):
            found.append(f"item {item[:8]}: lines are doubled: {count}")
        source = source_of(TOWN, "alpha", item)
        position = world.servers["beta"].documents("positions").get("beta" + source, {}).get("at")
        last = max(said(world, "alpha", row).values(), key=lambda each: (each["epoch"], each["sequence"]), default=None)
        if last is not None and (position or 0) < last["epoch"] * SEQUENCES_PER_EPOCH + last["sequence"]:
            found.append(f"item {item[:8]}: beta has read {position}, the last is {last['epoch']}/{last['sequence']}")
        copy = world.servers["beta"].documents("copies").get(copy_of(source), {"state": {"lines": []}})
        missing = set(row["state"]["lines"]) - set(copy["state"]["lines"]) - _optional(world, "beta", source)
        if missing:
            found.append(f"item {item[:8]}: its copy lacks {sorted(missing)}")
    return found


def _check_processes(world: World) -> list[str]:
    """Nobody keeps what is not theirs, and every background task is alive and well."""
    found = []
    for instance in world.alive():
        service: Any = instance.service
        if not instance.ready or service is None:
            found.append(f"{instance.name} isn't ready")
            continue
        consumer = service._consumer
        kept = set(consumer.assignment.partitions) - set(consumer.client.assignment())
        if kept:
            found.append(f"{instance.name} keeps {sorted(kept)}, which aren't its own")
        found += [f"{instance.name}: {each} was overdue" for each in service.background.overdue()]
        background = service.background
        ended = [name for name, task in background.running.items() if task.done() and name not in background._restarts]
        found += [f"{instance.name}: {each} ended" for each in ended]
    return found
