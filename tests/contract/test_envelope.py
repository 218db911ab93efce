"""The envelope travels as headers and comes back the same; what isn't one of ours is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import topics
from contracts.envelope import CONTENT_TYPE, Envelope, EnvelopeError, event_id, source_of
from contracts.examples import EXAMPLES, envelope_of
from kernel.ids import id_of

ids = st.uuids().map(str)
slugs = st.from_regex(r"[a-z][a-z0-9-]{1,38}", fullmatch=True)
streams = st.sampled_from([topic.stream for topic in topics.ALL])
zones = st.just(UTC) | st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
Headers = list[tuple[str, bytes]]


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    tenant, stream, subject = draw(slugs), draw(streams), draw(st.one_of(ids, slugs))
    source = source_of(tenant, stream, subject)
    sequence, epoch = draw(st.integers(1, 10**12 - 1)), draw(st.integers(0, 1000))
    return Envelope(
        id=event_id(source, epoch, sequence),
        source=source,
        type=f"de.rathaus.{stream}.something_happened.v{draw(st.integers(1, 12))}",
        subject=subject,
        time=draw(st.datetimes(datetime(2, 1, 1), datetime(9999, 1, 1), timezones=zones)),  # noqa: DTZ001
        sequence=sequence,
        epoch=epoch,
        tenant=tenant,
        authority=draw(slugs),
        case=draw(st.none() | ids),
        causationid=draw(st.none() | ids),
        correlationid=draw(st.none() | ids),
        traceparent=draw(st.none() | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", fullmatch=True)),
        dataschema=draw(st.none() | st.just("https://rathaus.example/contracts/x.json")),
    )


def some_headers() -> dict[str, bytes]:
    return dict(envelope_of(next(iter(EXAMPLES.values()))).headers())


def parse(headers: dict[str, bytes]) -> Envelope:
    return Envelope.parse(headers.items())


@given(envelopes())
def test_what_is_sent_is_read(envelope: Envelope) -> None:
    assert Envelope.parse(envelope.headers()) == envelope


@given(envelopes(), st.lists(st.tuples(st.text(), st.binary()).filter(lambda row: not row[0].startswith("ce_"))))
def test_other_headers_are_ignored(envelope: Envelope, others: Headers) -> None:
    assert Envelope.parse([*others, *envelope.headers(), ("ce_addedlater", b"1")]) == envelope


@given(envelopes())
def test_headers_are_those_of_cloudevents_in_binary_mode(envelope: Envelope) -> None:
    headers = dict(envelope.headers())
    assert len(headers) == len(envelope.headers())
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == CONTENT_TYPE.encode()
    assert len(headers["ce_sequence"]) == 12
    assert headers["ce_time"].endswith(b"Z")
    assert {name for name in headers if name.startswith("ce_")} - {"ce_specversion"} == {
        f"ce_{name}" for name, value in envelope if value is not None
    }


@given(envelopes(), envelopes())
def test_sequences_are_ordered_as_text(one: Envelope, other: Envelope) -> None:
    texts = [dict(envelope.headers())["ce_sequence"] for envelope in (one, other)]
    assert (texts[0] < texts[1]) == (one.sequence < other.sequence)


@given(envelopes())
def test_the_key_is_the_case_else_the_subject(envelope: Envelope) -> None:
    assert envelope.key == (envelope.case or envelope.subject)
    assert envelope.stream in {topic.stream for topic in topics.ALL}


REQUIRED = ["specversion", "id", "source", "type", "subject", "time", "sequence", "tenant", "authority"]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_header_is_refused(name: str) -> None:
    headers = some_headers()
    del headers[f"ce_{name}"]
    with pytest.raises(EnvelopeError):
        parse(headers)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_header_without_a_value_is_a_missing_one(name: str) -> None:
    with pytest.raises(EnvelopeError):
        Envelope.parse({**some_headers(), f"ce_{name}": None}.items())


@pytest.mark.parametrize("name", REQUIRED)
def test_a_header_that_is_not_text_is_refused(name: str) -> None:
    with pytest.raises(EnvelopeError, match="not UTF-8"):
        parse(some_headers() | {f"ce_{name}": b"\xff\xfe"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("specversion", b"0.3"),
        ("id", b"1"),
        ("source", b"musterstadt"),
        ("type", b"com.example.something"),
        ("subject", b"two words"),
        ("time", b"2026-03-02T09:30:00"),
        ("time", b"yesterday"),
        ("time", b"0001-01-01T00:00:00+01:00"),
        ("sequence", b"0"),
        ("sequence", b"-1"),
        ("sequence", b"one"),
        ("epoch", b"-1"),
        ("tenant", b"Musterstadt"),
        ("case", b""),
        ("traceparent", b"00"),
    ],
)
def test_a_malformed_header_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(some_headers() | {f"ce_{name}": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("tenant", b"elsewhere"), ("subject", b"somebody-else"), ("source", b"/elsewhere/catalog/musterstadt")],
)
def test_headers_that_contradict_each_other_are_refused(name: str, value: bytes) -> None:
    with pytest.raises(EnvelopeError, match="contradict"):
        parse(some_headers() | {f"ce_{name}": value})


def test_no_headers_are_refused() -> None:
    with pytest.raises(EnvelopeError):
        Envelope.parse([])


# Ids


def test_an_events_id_never_changes() -> None:
    assert event_id("/musterstadt/catalog/musterstadt", 0, 1) == "a9952c25-b684-584d-ab78-c6cef017129d"
    assert UUID(event_id("/musterstadt/catalog/musterstadt", 0, 1)).version == 5


@given(st.lists(st.tuples(slugs, st.integers(0, 9), st.integers(1, 999)), unique=True, min_size=2, max_size=20))
def test_events_ids_differ_by_source_epoch_and_sequence(places: list[tuple[str, int, int]]) -> None:
    assert len({event_id(source_of(tenant, "catalog", tenant), *rest) for tenant, *rest in places}) == len(places)


def test_name_based_ids_keep_their_parts_apart() -> None:
    assert id_of("a", "b") == id_of("a", "b")
    assert len({id_of("a", "b"), id_of("ab"), id_of("b", "a"), id_of("a", "b", "")}) == 4
