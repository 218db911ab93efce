"""The AsyncAPI 3.0.0 document: every topic, its messages, and who sends them.

The schemas stand in it as AsyncAPI's own schema objects, with their definitions under `components`: tools know these,
while few read JSON Schema 2020-12 there. The same schemas as 2020-12 are in `contracts/schemas/`.
"""

from __future__ import annotations

import inspect
from typing import Any

from contracts import topics
from contracts.catalogue import EVENTS
from contracts.envelope import CONTENT_TYPE, Event
from contracts.examples import EXAMPLES
from contracts.jsonschema import Json, envelope_schema, event_schema, headers_of
from contracts.topics import Topic

VERSION = "0.1.0"
KAFKA_BINDING = "0.5.0"


def asyncapi_document() -> Json:
    """The whole document, ready to be written."""
    components = _Components()
    headers = components.add("Envelope", envelope_schema())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rathaus: events",
            "version": VERSION,
            "description": (
                "What happened on the platform, for those who subscribe. Events are CloudEvents 1.0 in Kafka's binary "
                "mode: attributes in `ce_` headers, the data as JSON. They travel at least once and in order per "
                "subject: whoever remembers the last `ce_sequence` of each `ce_source` applies each once. An event "
                "holds no personal data; a `dataref` is fetched with the reader's own rights. Within a version of a "
                "type there are only additions: ignore what you don't know."
            ),
            "license": {"name": "EUPL-1.2", "url": "https://spdx.org/licenses/EUPL-1.2.html"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "development": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "The embedded broker with RATHAUS_KAFKA_PORT=9092; else see `rathaus status`.",
            }
        },
        "channels": {topic.stream: _channel(topic) for topic in topics.ALL},
        "operations": {f"send_{topic.stream}": _operation(topic) for topic in topics.ALL},
        "components": {
            "messages": {event.__name__: _message(event, headers, components) for event in EVENTS.values()},
            "schemas": dict(sorted(components.schemas.items())),
        },
    }


def _of(topic: Topic) -> list[type[Event]]:
    return [event for event in EVENTS.values() if event.topic == topic]


def _summary(text: str) -> str:
    """The first sentence of a docstring."""
    return text.split("\n\n", maxsplit=1)[0].replace("\n", " ").split(". ")[0].rstrip(".") + "."


def _channel(topic: Topic) -> Json:
    return {
        "address": topic.name,
        "title": f"Events of {topic.stream}",
        "description": inspect.cleandoc(Topic.__doc__ or ""),
        "messages": {event.name: _ref("components/messages", event.__name__) for event in _of(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": topic.retention_ms},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(topic: Topic) -> Json:
    return {
        "action": "send",
        "channel": _ref("channels", topic.stream),
        "summary": f"The service {topic.stream} tells what happened.",
        "messages": [_ref(f"channels/{topic.stream}/messages", event.name) for event in _of(topic)],
    }


def _message(event: type[Event], headers: Json, components: _Components) -> Json:
    description = inspect.cleandoc(event.__doc__ or "")
    example = EXAMPLES[event]
    named = {
        "ce_type": {"type": "string", "const": event.type()},
        "ce_dataschema": {"type": "string", "const": event.schema_id()},
    }
    return {
        "name": event.type(),
        "title": event.__name__,
        "summary": _summary(description),
        "description": description,
        "contentType": CONTENT_TYPE,
        "headers": {"type": "object", "allOf": [headers, {"type": "object", "properties": named}]},
        "payload": components.add(event.__name__, event_schema(event)),
        "correlationId": {
            "location": "$message.header#/ce_correlationid",
            "description": "Shared by everything that one request set off.",
        },
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": "The case (`ce_case`) where there is one, else the subject (`ce_subject`).",
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
        "examples": [
            {"name": event.name, "headers": headers_of(example), "payload": example.model_dump(mode="json")},
        ],
    }


class _Components:
    """Schemas by name; the definitions of each event stand beside it, so that each is there once."""

    def __init__(self) -> None:
        self.schemas: Json = {}

    def add(self, name: str, schema: Json) -> Json:
        """Takes a schema with its definitions in; returns the reference to it."""
        for part, definition in schema["$defs"].items():
            self._put(part, definition)
        left_out = {"$schema", "$id", "$defs", "examples"}
        self._put(name, {key: value for key, value in schema.items() if key not in left_out})
        return _ref("components/schemas", name)

    def _put(self, name: str, schema: Json) -> None:
        moved = _moved(schema)
        if self.schemas.setdefault(name, moved) != moved:
            raise ValueError(f"two different schemas are called {name}")


def _moved(node: Any) -> Any:
    """The same with references into `components`."""
    match node:
        case {"$ref": str(target), **rest}:
            return {"$ref": target.replace("#/$defs/", "#/components/schemas/"), **rest}
        case dict():
            return {key: _moved(value) for key, value in node.items()}
        case list():
            return [_moved(item) for item in node]
        case _:
            return node


def _ref(where: str, name: str) -> Json:
    return {"$ref": f"#/{where}/{name}"}
