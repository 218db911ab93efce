"""What is committed is what the models make, it is valid, and it breaks no promise."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from contracts import topics
from contracts.asyncapi import VERSION, asyncapi_document
from contracts.catalogue import EVENTS
from contracts.envelope import Event
from contracts.examples import EXAMPLES, envelope_of
from contracts.generate import ASYNCAPI, ROOT, SCHEMAS, as_text, broken_promises, main, release, schemas
from contracts.jsonschema import headers_of

HERE = Path(__file__).parent
Json = dict[str, Any]
MADE = schemas()
DOCUMENT = asyncapi_document()
EVERY_EVENT = pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)


def asyncapi_validator() -> jsonschema_rs.Validator:
    official = json.loads((HERE / "asyncapi-3.0.0.schema.json").read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for(official, offline=True)


def validator(schema: Json) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema, offline=True, validate_formats=True)


def resolve(reference: Json) -> Json:
    found: Any = DOCUMENT
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(node: Any) -> list[str]:
    match node:
        case {"$ref": str(target), **rest}:
            return [target, *references(rest)]
        case dict():
            return [target for value in node.values() for target in references(value)]
        case list():
            return [target for item in node for target in references(item)]
        case _:
            return []


# Committed


def test_the_committed_schemas_are_the_models() -> None:
    committed = {file.name: file.read_text(encoding="utf-8") for file in SCHEMAS.glob("*.json")}
    assert committed == {name: as_text(schema) for name, schema in MADE.items()}, "run: make contracts"


def test_the_committed_asyncapi_document_is_the_models() -> None:
    assert ASYNCAPI.read_text(encoding="utf-8") == as_text(DOCUMENT), "run: make contracts"


def test_the_documents_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION


# JSON Schemas


@pytest.mark.parametrize("name", MADE)
def test_a_schema_is_valid_and_its_examples_are(name: str) -> None:
    schema = MADE[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema["description"]
    assert schema["examples"]
    assert jsonschema_rs.meta.is_valid(schema)
    for example in schema["examples"]:
        validator(schema).validate(example)


@EVERY_EVENT
def test_a_schemas_id_is_what_the_envelope_names(event: type[Event]) -> None:
    assert MADE[f"{event.type()}.json"]["$id"] == event.schema_id() == envelope_of(EXAMPLES[event]).dataschema


@pytest.mark.parametrize("name", MADE)
def test_readers_may_ignore_additions(name: str) -> None:
    assert "additionalProperties" not in as_text(MADE[name])
    validator(MADE[name]).validate(MADE[name]["examples"][0] | {"added_later": 1})


@pytest.mark.parametrize("name", MADE)
def test_every_definition_is_described_and_used(name: str) -> None:
    definitions = MADE[name]["$defs"]
    used = {target.removeprefix("#/$defs/") for target in references(MADE[name])}
    assert used == definitions.keys()
    assert all(definition.get("description") for definition in definitions.values())


@EVERY_EVENT
def test_the_schema_refuses_what_the_model_refuses(event: type[Event]) -> None:
    schema, example = MADE[f"{event.type()}.json"], EXAMPLES[event].model_dump(mode="json")
    for name in schema["required"]:
        assert not validator(schema).is_valid({key: value for key, value in example.items() if key != name})
        assert not validator(schema).is_valid(example | {name: "Erika Mustermann, geb. 12.8.1964"})


@EVERY_EVENT
def test_an_example_shows_every_field_and_can_be_read_back(event: type[Event]) -> None:
    example = EXAMPLES[event]
    data = example.model_dump(mode="json")
    assert not [name for name, value in data.items() if value in (None, [])]
    assert event.model_validate(data) == example
    assert event.model_validate_json(example.model_dump_json()) == example


def test_examples_headers_are_valid() -> None:
    for example in EXAMPLES.values():
        validator(MADE["envelope.json"]).validate(headers_of(example))


# AsyncAPI


def test_the_asyncapi_document_is_valid_by_the_official_schema() -> None:
    asyncapi_validator().validate(DOCUMENT)


def test_the_official_schema_finds_faults() -> None:
    assert not asyncapi_validator().is_valid(DOCUMENT | {"channels": {"applications": {"partitions": 12}}})


def test_every_reference_leads_somewhere() -> None:
    targets = references(DOCUMENT)
    assert targets
    for target in targets:
        assert target.startswith("#/")
        resolve({"$ref": target})


def test_a_channel_is_a_topic_as_declared() -> None:
    assert len(DOCUMENT["channels"]) == len(topics.ALL)
    for topic in topics.ALL:
        channel = DOCUMENT["channels"][topic.stream]
        kafka = channel["bindings"]["kafka"]
        assert channel["address"] == kafka["topic"] == topic.name
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"] == {"retention.ms": topic.retention_ms}


def test_every_event_is_a_message_of_its_topic_and_is_sent() -> None:
    for topic in topics.ALL:
        sent = [
            resolve(resolve(message))["name"] for message in DOCUMENT["operations"][f"send_{topic.stream}"]["messages"]
        ]
        assert sorted(sent) == sorted(event.type() for event in EVENTS.values() if event.topic == topic)


@EVERY_EVENT
def test_a_messages_example_fits_its_own_schemas(event: type[Event]) -> None:
    message = DOCUMENT["components"]["messages"][event.__name__]
    for part in ("headers", "payload"):
        schema = {"components": DOCUMENT["components"], **message[part]}
        checker = jsonschema_rs.Draft7Validator(schema, offline=True, validate_formats=True)
        for example in message["examples"]:
            checker.validate(example[part])
        assert not checker.is_valid({})


# The command, and what is released


def test_released_schemas_are_not_broken() -> None:
    assert broken_promises() == []


def test_a_release_keeps_the_schemas_and_the_next_is_checked_against_it(tmp_path: Path) -> None:
    assert release(tmp_path) == []
    assert {file.name for file in tmp_path.glob("*.json")} == MADE.keys()
    assert release(tmp_path) == []


def test_a_release_that_would_break_a_promise_is_refused(tmp_path: Path) -> None:
    release(tmp_path)
    name = "de.rathaus.applications.case_closed.v1.json"
    promised = json.loads((tmp_path / name).read_text(encoding="utf-8"))
    promised["properties"]["promised_once"] = {"type": "string"}
    (tmp_path / name).write_text(as_text(promised), encoding="utf-8")
    (tmp_path / "de.rathaus.applications.gone.v1.json").write_text("{}", encoding="utf-8")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    assert release(tmp_path) == [
        f"{name}: $.properties.promised_once: the property was removed",
        "de.rathaus.applications.gone.v1.json: released, and no longer there",
    ]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_command_writes_everything_and_removes_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts.generate.SCHEMAS", tmp_path / "schemas")
    monkeypatch.setattr("contracts.generate.ASYNCAPI", tmp_path / "asyncapi.json")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "de.rathaus.old.v1.json").write_text("{}", encoding="utf-8")

    assert main([]) == 0
    assert {file.name for file in (tmp_path / "schemas").iterdir()} == MADE.keys()
    assert (tmp_path / "asyncapi.json").exists()
