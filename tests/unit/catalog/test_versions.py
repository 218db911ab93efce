"""A version's life: drafted, edited, published by a second person, retired."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from chassis.errors import Conflict, Forbidden, Invalid
from contracts import datarefs
from contracts.catalog import ServicePublished, ServiceRetired
from services.catalog.domain import versions
from services.catalog.domain.versions import Draft, Edit, Publish, Retire, ServiceVersion, Status
from tests.unit.catalog.samples import changed, sample, service

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
BINS = sample("steinhagen", "waste-bin-change")


def _drafted(**changes: Any) -> ServiceVersion:
    command = Draft("steinhagen", 1, service({**BINS, **changes}), "editor", "mark")
    made, events = versions.draft(None, command, NOW)
    assert events == ()
    return made


def _published(**changes: Any) -> ServiceVersion:
    return versions.publish(_drafted(**changes), Publish("reviewer"), NOW)[0]


def test_published_by_a_second_person() -> None:
    drafted = _drafted()
    made, (told,) = versions.publish(drafted, Publish("reviewer"), NOW)
    assert made.status is Status.PUBLISHED
    assert isinstance(told, ServicePublished)
    assert told.dataref == datarefs.service_version("steinhagen", "waste-bin-change", 1)
    assert told.content_hash == drafted.content_hash
    assert told.online
    assert told.service_version_id == versions.version_id("steinhagen", "waste-bin-change", 1)
    assert made.service == service(BINS)


def test_whoever_wrote_on_it_does_not_publish() -> None:
    edited, _ = versions.edit(_drafted(), Edit(service(BINS), "second"), NOW)
    for author in ("editor", "second"):
        with pytest.raises(Forbidden):
            versions.publish(edited, Publish(author), NOW)
    assert versions.publish(edited, Publish("third"), NOW)[0].published_by == "third"


def test_findings_keep_it_a_draft() -> None:
    with pytest.raises(Invalid) as refused:
        versions.publish(_drafted(test_cases=[], texts=[]), Publish("reviewer"), NOW)
    assert {error["pointer"] for error in refused.value.extra["errors"]} == {"/test_cases", "/texts"}


def test_a_published_version_never_changes() -> None:
    published = _published()
    with pytest.raises(Conflict):
        versions.edit(published, Edit(service(BINS), "editor"), NOW)
    with pytest.raises(Conflict):
        versions.publish(published, Publish("reviewer"), NOW)


def test_an_edit_changes_hash_and_validity() -> None:
    drafted = _drafted()
    edited, _ = versions.edit(drafted, Edit(service({**BINS, "valid_from": "2027-01-01"}), "editor"), NOW)
    assert edited.content_hash != drafted.content_hash
    assert edited.valid_from == date(2027, 1, 1)
    again, _ = versions.edit(edited, Edit(service(BINS), "editor"), NOW)
    assert again.content_hash == drafted.content_hash


def test_retired_today_or_later() -> None:
    published = _published()
    made, (told,) = versions.retire(published, Retire("reviewer", None), NOW)
    assert isinstance(told, ServiceRetired)
    assert told.retired_on == date(2026, 11, 2)
    assert made.standing.in_force(date(2026, 11, 2))
    assert not made.standing.in_force(date(2026, 11, 3))
    with pytest.raises(Invalid):
        versions.retire(published, Retire("reviewer", date(2026, 11, 1)), NOW)
    for state in (made, _drafted()):
        with pytest.raises(Conflict):
            versions.retire(state, Retire("reviewer", None), NOW)


def test_the_legal_day_is_berlin_s() -> None:
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    made, _ = versions.retire(_published(), Retire("reviewer", None), late)
    assert made.retired_on == date(2026, 11, 3)


def test_a_number_is_drafted_once() -> None:
    with pytest.raises(Conflict):
        versions.draft(_drafted(), Draft("steinhagen", 1, service(BINS), "editor", "mark"), NOW)


def test_the_state_round_trips() -> None:
    adapter: TypeAdapter[ServiceVersion] = TypeAdapter(ServiceVersion)
    retired, _ = versions.retire(_published(), Retire("reviewer", None), NOW)
    for state in (_drafted(), retired):
        assert adapter.validate_python(adapter.dump_python(state, mode="json")) == state


def test_the_highest_number_in_force_wins() -> None:
    first, ahead = _published(), replace(_published(valid_from="2027-01-01"), number=2)
    draft = replace(_drafted(), number=3)
    every = [first, ahead, draft]
    found = [
        versions.in_force([each.standing for each in every], day)
        for day in (date(2025, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    ]
    assert found == [None, 1, 2]


def test_validity_includes_both_days() -> None:
    state = _published(valid_to="2026-12-31")
    days = [state.valid_from - timedelta(1), state.valid_from, date(2026, 12, 31), date(2027, 1, 1)]
    assert [state.standing.in_force(day) for day in days] == [False, True, True, False]


def test_content_is_hashed_as_it_is_kept() -> None:
    other = changed(BINS, "/names/de", "Tonne")
    assert _drafted().content_hash == _drafted(**BINS).content_hash
    assert _drafted(**other).content_hash != _drafted().content_hash
