from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contracts.identity import AccountRegistered
from contracts.values import TrustLevel
from services.identity.domain.accounts import Account, Person, SignIn, account_id, sign_in

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ERIKA = Person("Erika", "Beispiel", "Musterstraße", "1", "58452", "Witten", "erika@example.org")
ID = account_id("witten", "demo", "erika")


def by(level: TrustLevel, person: Person = ERIKA) -> SignIn:
    return SignIn(ID, "demo", "erika", level, person)


def test_the_first_sign_in_registers_the_account() -> None:
    made, events = sign_in(None, by(TrustLevel.SUBSTANTIAL), NOW)
    assert made == Account(ID, "demo", "erika", TrustLevel.SUBSTANTIAL, ERIKA, NOW)
    assert events == (AccountRegistered(account_id=ID, trust_level=TrustLevel.SUBSTANTIAL, method="demo"),)


def test_the_same_sign_in_again_changes_nothing_and_says_nothing() -> None:
    made, _ = sign_in(None, by(TrustLevel.BASIC), NOW)
    assert sign_in(made, by(TrustLevel.BASIC), LATER) == (made, ())


def test_a_move_is_taken_over_at_the_same_level() -> None:
    made, _ = sign_in(None, by(TrustLevel.BASIC), NOW)
    moved = replace(ERIKA, street="Beispielweg")
    assert sign_in(made, by(TrustLevel.BASIC, moved), LATER) == (replace(made, person=moved), ())


@given(known=st.sampled_from(TrustLevel), shown=st.sampled_from(TrustLevel))
def test_only_a_level_as_high_replaces_what_is_known(known: TrustLevel, shown: TrustLevel) -> None:
    other = replace(ERIKA, family_name="Anders")
    before, _ = sign_in(None, by(known), NOW)
    after, events = sign_in(before, by(shown, other), LATER)
    assert events == ()
    assert after.trust_level.rank == max(known.rank, shown.rank)
    assert after.person == (other if shown.rank >= known.rank else ERIKA)


@pytest.mark.parametrize("other", [("steinhagen", "demo", "erika"), ("witten", "bund_id", "erika")])
def test_another_town_or_method_is_another_account(other: tuple[str, str, str]) -> None:
    assert account_id(*other) != ID


def test_the_state_survives_json() -> None:
    made, _ = sign_in(None, by(TrustLevel.HIGH), NOW)
    adapter = TypeAdapter(Account)
    assert adapter.validate_python(adapter.dump_python(made, mode="json")) == made


def test_repr_shows_nothing_personal() -> None:
    made, _ = sign_in(None, by(TrustLevel.HIGH), NOW)
    assert "Beispiel" not in repr(made)
    assert "Beispiel" not in repr(by(TrustLevel.HIGH))
