"""Registering towns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from chassis.errors import Conflict
from contracts import datarefs
from contracts.catalog import TownRegistered
from services.catalog.domain.towns import Register, Town, TownAsData, register
from tests.unit.catalog.samples import TOWNS

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WITTEN = TownAsData.model_validate_json((TOWNS / "witten/town.json").read_text(encoding="utf-8"))


def test_registered_once() -> None:
    state, (told,) = register(None, Register("witten", WITTEN), NOW)
    assert told == TownRegistered(
        tenant="witten", ars=("059540036036",), ags=("05954036",), dataref=datarefs.town_revision("witten", 1)
    )
    assert register(state, Register("witten", WITTEN), NOW) == (state, ())


def test_a_change_is_a_revision() -> None:
    state, _ = register(None, Register("witten", WITTEN), NOW)
    other = WITTEN.model_copy(update={"ags": ()})
    changed, (told,) = register(state, Register("witten", other), NOW)
    assert changed.revisions == (WITTEN, other)
    assert isinstance(told, TownRegistered)
    assert told.dataref == datarefs.town_revision("witten", 2)
    adapter: TypeAdapter[Town] = TypeAdapter(Town)
    assert adapter.validate_python(adapter.dump_python(changed, mode="json")) == changed


def test_a_word_of_the_paths_is_no_town() -> None:
    with pytest.raises(Conflict):
        register(None, Register("towns", WITTEN), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"ars": []},
        {"ars": ["05954036"]},
        {"ags": ["059540036036"]},
        {"time_zone": "Europe/Witten"},
        {"time_zone": "../../etc/passwd"},
        {"mayor": "Erika Beispiel"},
        {"languages": []},
        {"contact": {"street": "Musterstraße 1", "postal_code": "58452"}},
        {"contact": {**WITTEN.contact.model_dump(), "website": "javascript:alert(1)"}},
        {"contact": {**WITTEN.contact.model_dump(), "phone": "02302"}},
    ],
)
def test_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TownAsData.model_validate({**WITTEN.model_dump(mode="json"), **change})
