"""The list of events and topics is complete, and each entry says what it must."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from contracts import topics
from contracts.catalogue import EVENTS, MODULES
from contracts.envelope import Event
from contracts.examples import EXAMPLES
from contracts.generate import ROOT

EVERY_EVENT = pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_every_event_is_in_the_catalogue_and_has_an_example() -> None:
    ours = {event for event in Event.__subclasses__() if event.__module__.startswith("contracts.")}
    assert set(EVENTS.values()) == ours == EXAMPLES.keys()
    assert len(EVENTS) == len(ours), "two events have one type"


def test_every_module_with_events_is_in_the_catalogue() -> None:
    with_events = {file.stem for file in ROOT.glob("*.py") if "(Event):" in file.read_text(encoding="utf-8")}
    assert with_events == {module.__name__.rpartition(".")[2] for module in MODULES}


@EVERY_EVENT
def test_an_events_class_is_called_as_the_event(event: type[Event]) -> None:
    assert snake_case(event.__name__) == event.name + (f"_v{event.version}" if event.version > 1 else "")


@EVERY_EVENT
def test_an_events_type_names_stream_and_version(event: type[Event]) -> None:
    assert event.type() == f"de.rathaus.{event.topic.stream}.{event.name}.v{event.version}"
    assert event.topic.stream == event.__module__.rpartition(".")[2]


@EVERY_EVENT
def test_an_event_says_who_consumes_it(event: type[Event]) -> None:
    assert "Consumed by " in " ".join((event.__doc__ or "").split())


@EVERY_EVENT
def test_an_events_subject_is_its_topics(event: type[Event]) -> None:
    assert event.topic in topics.ALL


def test_each_topic_is_named_once_and_has_partitions() -> None:
    declared = [value for value in vars(topics).values() if isinstance(value, topics.Topic)]
    assert sorted(declared, key=lambda topic: topic.name) == sorted(topics.ALL, key=lambda topic: topic.name)
    assert set(Counter(topic.name for topic in topics.ALL).values()) == {1}
    for topic in topics.ALL:
        assert topic.partitions > 0
        assert topic.retention_ms == -1, "kept without limit until a decision record says otherwise"
        assert re.fullmatch(r"rathaus\.[a-z]+\.v[1-9][0-9]*", topic.name)


def test_each_topic_has_events() -> None:
    assert {event.topic for event in EVENTS.values()} == set(topics.ALL)
