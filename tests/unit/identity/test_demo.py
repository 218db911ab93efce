from pathlib import Path

import pytest

from chassis.errors import ConfigurationError
from contracts.values import TrustLevel
from services.identity import demo
from services.identity.domain.staff import Role

DEMO = demo.load()


def test_everybody_is_visibly_invented() -> None:
    assert all(person.email.endswith("@example.org") for person in DEMO.people)
    assert {person.street for person in DEMO.people} == {"Musterstraße", "Beispielweg"}
    assert all("Demo" in member.name for member in DEMO.staff)


def test_all_trust_levels_and_roles_are_there() -> None:
    assert {person.trust_level for person in DEMO.people} == set(TrustLevel)
    assert {role for member in DEMO.staff for role in member.roles} == set(Role)


def test_nobody_reviews_what_they_wrote() -> None:
    assert not any({Role.EDITOR, Role.REVIEWER} <= set(member.roles) for member in DEMO.staff)


@pytest.mark.parametrize("tenant", ["witten", "steinhagen", "anywhere"])
def test_each_town_has_its_own_staff_and_the_same_people(tenant: str) -> None:
    found = DEMO.staff_member(tenant, f"sachbearbeitung-{tenant}")
    assert found is not None
    assert found.roles == (Role.CLERK,)
    assert DEMO.staff_member("elsewhere", f"sachbearbeitung-{tenant}") is None
    erika = DEMO.person("erika-beispiel")
    assert erika is not None
    assert erika.living_in(DEMO.town(tenant)).city == tenant.title()


def test_names_are_unique() -> None:
    slugs = [each.slug for each in (*DEMO.people, *DEMO.staff)]
    assert len(slugs) == len(set(slugs))


def test_a_file_that_is_none_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="RATHAUS_DEMO_PEOPLE"):
        demo.load(tmp_path / "missing.json")
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"people": 1}')
    with pytest.raises(ConfigurationError, match=r"wrong\.json"):
        demo.load(wrong)
