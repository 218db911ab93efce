from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chassis.errors import Invalid
from services.identity.domain import clients, staff
from services.identity.domain.clients import Admit, HashedSecret, MachineClient, admit
from services.identity.domain.staff import Appoint, Role, StaffMember, appoint

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SECRET = HashedSecret("c2FsdA==", "aGFzaA==")


def test_roles_are_set_as_a_whole() -> None:
    made, events = appoint(None, Appoint("kim", frozenset({Role.ADMIN, Role.CLERK})), NOW)
    assert (made, events) == (StaffMember("kim", (Role.CLERK, Role.ADMIN), active=True, changed_at=NOW), ())
    changed, _ = appoint(made, Appoint("kim", frozenset({Role.CASHIER}), active=False), LATER)
    assert changed == StaffMember("kim", (Role.CASHIER,), active=False, changed_at=LATER)


def test_setting_the_same_roles_changes_nothing() -> None:
    made, _ = appoint(None, Appoint("kim", frozenset({Role.CLERK})), NOW)
    assert appoint(made, Appoint("kim", frozenset({Role.CLERK})), LATER)[0] is made


def test_towns_have_their_own_staff() -> None:
    assert staff.document_id("witten", "kim") != staff.document_id("steinhagen", "kim")


def test_a_client_is_let_in_with_a_secret() -> None:
    made, events = admit(None, Admit("register", frozenset({"cases:read"}), SECRET), NOW)
    assert (made, events) == (MachineClient("register", ("cases:read",), SECRET, active=True, changed_at=NOW), ())
    assert "aGFzaA==" not in repr(made)


def test_a_new_client_needs_a_secret() -> None:
    with pytest.raises(Invalid):
        admit(None, Admit("register", frozenset({"cases:read"}), None), NOW)


def test_a_known_client_keeps_its_secret() -> None:
    made, _ = admit(None, Admit("register", frozenset({"cases:read"}), SECRET), NOW)
    locked, _ = admit(made, Admit("register", frozenset({"cases:read"}), None, active=False), LATER)
    assert locked == replace(made, active=False, changed_at=LATER)


@pytest.mark.parametrize("scope", ["internal", "operator", "*", "cases:everything", ""])
def test_a_town_gives_no_scope_of_the_installation(scope: str) -> None:
    with pytest.raises(Invalid):
        admit(None, Admit("register", frozenset({"cases:read", scope}), SECRET), NOW)


def test_a_client_id_is_one_of_the_installation() -> None:
    assert clients.document_id("register") == clients.document_id("register")
