"""How services are found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.catalog.domain import versions
from services.catalog.domain.offers import Offer, offer_of, plain, search, words_of
from services.catalog.domain.versions import Draft, ServiceVersion, Standing, Status, in_force, lasting
from tests.unit.catalog.samples import TOWNS, sample, service

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
TODAY = date(2026, 11, 2)


def _version(town: str, service_id: str, number: int = 1) -> ServiceVersion:
    command = Draft(town, number, service(sample(town, service_id)), "editor", "mark")
    return replace(versions.draft(None, command, NOW)[0], status=Status.PUBLISHED)


OFFERS = [
    offer_of(file.stem, [_version(file.parts[-3], file.stem)]) for file in sorted(TOWNS.glob("*/services/*.json"))
]


def _ids(query: str) -> list[str]:
    return [hit.service_id for hit in search(OFFERS, query, TODAY)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Meldebescheinigung", ["registration-certificate"]),
        ("MELDEB", ["registration-certificate"]),
        ("bescheinigung", ["registration-certificate"]),
        ("Sperrmüll", ["bulky-waste"]),
        ("sperrmuell", ["bulky-waste"]),
        ("sperrmull", ["bulky-waste"]),
        ("müll", ["waste-bin-change", "bulky-waste"]),
        ("größe tonne", ["waste-bin-change"]),
        ("groesse", ["waste-bin-change"]),
        ("car", ["vehicle-registration"]),
        ("proof of address", ["registration-certificate"]),
        ("kfz-zulassung", ["vehicle-registration"]),
        ("mo", ["bulky-waste"]),
        ("öb", []),
        ("Raketenstart", []),
        ("müll raketenstart", []),
    ],
)
def test_search(query: str, expected: list[str]) -> None:
    assert sorted(_ids(query)) == sorted(expected)


def test_names_come_first_and_nothing_asked_finds_all() -> None:
    assert _ids("registration") == ["registration-certificate", "vehicle-registration"]
    assert _ids("müll") == ["waste-bin-change", "bulky-waste"], "Restmülltonne before Sperrmüll"
    assert len(_ids("")) == len(OFFERS)
    assert _ids("?!") == _ids("")


def test_folding() -> None:
    assert plain("Straße") == "strasse"
    assert words_of(["Müll-Größe"]) == ("groesse", "grosse", "muell", "mull")
    assert words_of(["Mu\u0308ll"]) == words_of(["Müll"])


def test_an_offer_round_trips() -> None:
    adapter: TypeAdapter[Offer] = TypeAdapter(Offer)
    for offer in OFFERS:
        assert adapter.validate_python(adapter.dump_python(offer, mode="json")) == offer


def _standing(number: int, status: Status = Status.PUBLISHED) -> Standing:
    return Standing(number, status, TODAY, None, None)


def test_drafts_and_what_is_superseded_are_let_go() -> None:
    assert lasting([_standing(1, Status.DRAFT)], TODAY) == ()
    assert lasting([_standing(number) for number in range(1, 20)], TODAY) == (19,)
    ahead = replace(_standing(2), valid_from=TODAY + timedelta(days=1))
    assert lasting([_standing(1), ahead], TODAY) == (1, 2)


BULKY = _version("witten", "bulky-waste")
_days = st.integers(-5, 5).map(lambda n: TODAY + timedelta(days=n))


@st.composite
def _versions(draw: st.DrawFn) -> list[ServiceVersion]:
    def _one(number: int) -> ServiceVersion:
        status = draw(st.sampled_from(list(Status)))
        retired = draw(_days) if status is Status.RETIRED else None
        return replace(
            BULKY,
            number=number,
            status=status,
            valid_from=draw(_days),
            valid_to=draw(st.none() | _days),
            retired_on=retired,
        )

    return [_one(number) for number in range(1, draw(st.integers(0, 5)) + 1)]


@given(_versions(), st.integers(0, 8))
def test_the_search_shows_the_version_in_force_on_every_day_from_now_on(
    every: list[ServiceVersion], later: int
) -> None:
    day = TODAY + timedelta(days=later)
    standings = [each.standing for each in every]
    numbers = lasting(standings, TODAY)
    shown = offer_of("bulky-waste", [each for each in every if each.number in numbers]).on(day)
    assert (shown and shown.number) == in_force(standings, day)
