"""Event fields are made of a closed set of value types, and none of these can carry free text."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from re import _parser  # type: ignore[attr-defined]
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, StringConstraints, TypeAdapter, ValidationError

from contracts import topics, values
from contracts.catalogue import EVENTS
from contracts.envelope import Event
from contracts.jsonschema import value_types
from contracts.values import Code, Part, Term, Timestamp, TrustLevel, Uuid, ValueType

VALUE_TYPES = value_types()


def pattern_of(alias: Any) -> str | None:
    for mark in get_args(alias)[1:]:
        if isinstance(mark, StringConstraints):
            assert isinstance(mark.pattern, str)
            return mark.pattern
    return None


TEXTS = {name: pattern_of(alias) for name, alias in VALUE_TYPES.items() if get_args(alias)[0] is str}
EVERY_TEXT = pytest.mark.parametrize("name", TEXTS)


# The closed set


def outside(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The paths of a model's fields that aren't made of the closed set."""
    for name, annotation in get_type_hints(model, include_extras=True).items():
        if name in model.model_fields:
            yield from _outside(annotation, f"{path or model.__name__}.{name}")


def _outside(annotation: Any, path: str) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in VALUE_TYPES.values():
        return
    if isinstance(annotation, type) and origin is None and issubclass(annotation, Term):
        return
    if isinstance(annotation, type) and origin is None and issubclass(annotation, Part):
        yield from outside(annotation, path)
    elif origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        yield from _outside(arguments[0], f"{path}[]")
    elif origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        yield from _outside(next(one for one in arguments if one is not type(None)), path)
    else:
        yield path


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
def test_an_event_is_made_of_value_types_only(event: type[Event]) -> None:
    assert event.model_fields
    assert list(outside(event)) == []


class Telling(Part):
    code: Code
    text: str


class Leaky(Event):
    """A model that must be found out."""

    topic: ClassVar = topics.IDENTITY
    name: ClassVar = "leaky"

    fine: Uuid | None = None
    level: TrustLevel
    plain: str
    optional: str | None = None
    several: tuple[str, ...] = ()
    part: Telling
    parts: tuple[Telling, ...] = ()
    number: int
    instant: datetime
    anything: Any
    table: dict[str, Uuid]
    unbounded: list[Uuid]
    either: Uuid | Code
    own: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]
    imposter: Annotated[str, ValueType("Uuid", "Not the one of the closed set.")]


def test_fields_outside_of_the_closed_set_are_found() -> None:
    assert list(outside(Leaky)) == [
        "Leaky.plain",
        "Leaky.optional",
        "Leaky.several[]",
        "Leaky.part.text",
        "Leaky.parts[].text",
        "Leaky.number",
        "Leaky.instant",
        "Leaky.anything",
        "Leaky.table",
        "Leaky.unbounded",
        "Leaky.either",
        "Leaky.own",
        "Leaky.imposter",
    ]


def test_a_value_type_is_described_and_named_as_in_the_code() -> None:
    for name, alias in VALUE_TYPES.items():
        assert getattr(values, name) == alias
        assert TypeAdapter(alias).json_schema()["description"]


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
def test_a_code_says_which_list_it_is_from(event: type[Event]) -> None:
    def undescribed(model: type[BaseModel]) -> Iterator[str]:
        for name, annotation in get_type_hints(model, include_extras=True).items():
            if annotation == Code and not model.model_fields[name].description:
                yield f"{model.__name__}.{name}"
            for inner in (annotation, *get_args(annotation)):
                if isinstance(inner, type) and issubclass(inner, Part):
                    yield from undescribed(inner)

    assert list(undescribed(event)) == []


def test_terms_are_words() -> None:
    def below(term: type[Term]) -> Iterator[type[Term]]:
        for one in term.__subclasses__():
            yield one
            yield from below(one)

    ours = [term for term in below(Term) if term.__module__.startswith("contracts.")]
    assert ours
    for term in ours:
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", member.value) for member in term)


# No free text


def _accepts_whitespace(parsed: Any) -> bool:
    """Whether any place in a parsed pattern takes a whitespace character."""
    return any(_takes_whitespace(str(code), argument) for code, argument in parsed)


def _takes_whitespace(code: str, argument: Any) -> bool:  # noqa: PLR0911
    match code:
        case "LITERAL":
            return chr(argument).isspace()
        case "RANGE":
            return any(chr(number).isspace() for number in range(argument[0], argument[1] + 1))
        case "AT":
            return False
        case "IN":
            return any(_takes_whitespace(str(inner), value) for inner, value in argument)
        case "MAX_REPEAT":
            return _accepts_whitespace(argument[2])
        case "SUBPATTERN":
            return _accepts_whitespace(argument[3])
        case "BRANCH":
            return any(_accepts_whitespace(branch) for branch in argument[1])
        case _:
            return True  # a class, a negation, any character: more than we can vouch for


def is_tight(pattern: str | None) -> bool:
    """Anchored on both sides, ASCII, and without any place for whitespace."""
    if pattern is None or not pattern.startswith("^") or not pattern.endswith("$") or not pattern.isascii():
        return False
    parsed = _parser.parse(pattern)
    anchors = [index for index, (code, _) in enumerate(parsed) if str(code) == "AT"]
    return anchors == [0, len(parsed) - 1] and not _accepts_whitespace(parsed)


@EVERY_TEXT
def test_a_text_has_an_anchored_pattern_without_whitespace(name: str) -> None:
    assert is_tight(TEXTS[name])


@pytest.mark.parametrize(
    "pattern",
    [None, "[a-z]+", "^[a-z]+", "[a-z]+$", "^a|b$", "^[a-z ]+$", r"^[a-z\s]+$", "^.+$", "^[^a]+$", "^[ -z]+$", r"^\d$"],
)
def test_loose_patterns_are_found(pattern: str | None) -> None:
    assert not is_tight(pattern)


@EVERY_TEXT
@settings(max_examples=30)
@given(data=st.data(), space=st.sampled_from([" ", "\t", "\n", "\r", "\x00", "\u00a0", "\u2028"]))
def test_a_text_with_whitespace_anywhere_is_refused(name: str, data: st.DataObject, space: str) -> None:
    pattern = TEXTS[name]
    assert pattern
    adapter = TypeAdapter(VALUE_TYPES[name])
    text = data.draw(st.from_regex(pattern.removesuffix("$") + r"\Z", fullmatch=True))
    at = data.draw(st.integers(0, len(text)))
    with pytest.raises(ValidationError):
        adapter.validate_python(text[:at] + space + text[at:])


@EVERY_TEXT
def test_sentences_names_and_addresses_are_refused(name: str) -> None:
    for text in ("", "Erika Mustermann", "Straße 1, 58452 Witten", "erika@example.org", "x" * 400, "٣" * 8):
        with pytest.raises(ValidationError):
            TypeAdapter(VALUE_TYPES[name]).validate_python(text)


@pytest.mark.parametrize(
    "path", ["//elsewhere.example/x", "/a/../b", "/..", "/a//b", "/a/", "a", "/a?b", "https://x/y"]
)
def test_a_dataref_stays_below_the_gateway(path: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(VALUE_TYPES["DataRef"]).validate_python(path)


# Instants


def test_an_instant_is_utc_on_the_wire() -> None:
    adapter: TypeAdapter[datetime] = TypeAdapter(Timestamp)
    local = datetime(2026, 3, 2, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    read = adapter.validate_python(local)
    assert read.tzinfo is UTC
    assert adapter.dump_python(read, mode="json") == "2026-03-02T09:30:00.000000Z"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Timestamp).validate_python("2026-03-02T09:30:00")
