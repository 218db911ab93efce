"""Whether a schema keeps the promise given with its released form: within a version only additions.

Both directions count: yesterday's reader reads today's events, and today's reader reads yesterday's, since events are
replayed. So a new property is optional, and a closed list neither grows nor shrinks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

ANNOTATIONS = frozenset({"title", "description", "examples", "deprecated", "$comment", "$defs"})
"""Keywords that say nothing on what is valid. Definitions are followed where they are referred to."""

_OWN_RULES = frozenset({"properties", "required", "enum"})
_NESTED = frozenset({"items", "additionalProperties", "contains", "propertyNames", "not"})
_NESTED_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A break: where (a path into the released schema, references followed), and what."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def breaks(released: Json, current: Json) -> list[Finding]:
    """What in `current` breaks the promise given by `released`; empty if it only adds."""
    return list(_Comparison(released, current).compare("$", released, current))


class _Comparison:
    def __init__(self, released: Json, current: Json) -> None:
        self._released = released
        self._current = current
        self._open: set[tuple[str, str]] = set()

    def compare(self, path: str, released: Any, current: Any) -> Iterator[Finding]:
        if not isinstance(released, Mapping) or not isinstance(current, Mapping):
            if released != current:
                yield Finding(path, f"{_text(released)} became {_text(current)}")
            return
        pair = (str(released.get("$ref")), str(current.get("$ref")))
        if pair in self._open:
            return  # a definition that contains itself
        followed = {pair} - {("None", "None")}
        self._open |= followed
        yield from self._schemas(path, _followed(released, self._released), _followed(current, self._current))
        self._open -= followed

    def _schemas(self, path: str, released: Json, current: Json) -> Iterator[Finding]:
        yield from self._properties(path, released, current)
        yield from _required(path, released, current)
        yield from _terms(path, released, current)
        for keyword in sorted((released.keys() | current.keys()) - ANNOTATIONS - _OWN_RULES):
            yield from self._keyword(f"{path}.{keyword}", keyword, released, current)

    def _properties(self, path: str, released: Json, current: Json) -> Iterator[Finding]:
        before, now = released.get("properties", {}), current.get("properties", {})
        for name, schema in before.items():
            where = f"{path}.properties.{name}"
            if name in now:
                yield from self.compare(where, schema, now[name])
            else:
                yield Finding(where, "the property was removed")

    def _keyword(self, path: str, keyword: str, released: Json, current: Json) -> Iterator[Finding]:
        if keyword not in current:
            yield Finding(path, f"{_text(released[keyword])} was removed")
        elif keyword not in released:
            yield Finding(path, f"{_text(current[keyword])} was added")
        elif keyword in _NESTED:
            yield from self.compare(path, released[keyword], current[keyword])
        elif keyword in _NESTED_LISTS:
            yield from self._alternatives(path, released[keyword], current[keyword])
        elif released[keyword] != current[keyword]:
            yield Finding(path, f"{_text(released[keyword])} became {_text(current[keyword])}")

    def _alternatives(self, path: str, released: list[Any], current: list[Any]) -> Iterator[Finding]:
        if len(released) != len(current):
            yield Finding(path, f"{len(released)} alternatives became {len(current)}")
            return
        for index, (before, now) in enumerate(zip(released, current, strict=True)):
            yield from self.compare(f"{path}[{index}]", before, now)


def _required(path: str, released: Json, current: Json) -> Iterator[Finding]:
    before, now = set(released.get("required", ())), set(current.get("required", ()))
    known = released.get("properties", {})
    for name in sorted(before - now):
        yield Finding(f"{path}.required", f"{name} is no longer required: readers count on it")
    for name in sorted(now - before):
        what = "was optional and became required" if name in known else "is new and must be optional"
        yield Finding(f"{path}.required", f"{name} {what}: events told before lack it")


def _terms(path: str, released: Json, current: Json) -> Iterator[Finding]:
    if "enum" not in released and "enum" not in current:
        return
    if "enum" not in released or "enum" not in current:
        yield Finding(f"{path}.enum", "a closed list was " + ("removed" if "enum" in released else "added"))
        return
    yield from (
        Finding(f"{path}.enum", f"{_text(term)} was removed")
        for term in released["enum"]
        if term not in current["enum"]
    )
    yield from (
        Finding(f"{path}.enum", f"{_text(term)} was added: the list is closed")
        for term in current["enum"]
        if term not in released["enum"]
    )


def _followed(schema: Json, document: Json) -> Json:
    """The schema with its reference replaced by what it points to; what stands beside the reference counts too."""
    target = schema.get("$ref")
    if target is None:
        return schema
    if not str(target).startswith("#/$defs/"):
        raise ValueError(f"only references into the same document are expected, not {target}")
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**_followed(document["$defs"][target.removeprefix("#/$defs/")], document), **beside}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
