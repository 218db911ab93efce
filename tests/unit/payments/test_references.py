"""ISO 11649: check digits that find what people mistype."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.payments.domain.references import creditor_reference, is_creditor_reference, payment_reference

numbers = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=21)
digits = st.text("0123456789", min_size=1, max_size=21)


@pytest.mark.parametrize(
    ("number", "reference"),
    [("539007547034", "RF18539007547034"), ("000000000539007547034", "RF18000000000539007547034")],
)
def test_published_examples(number: str, reference: str) -> None:
    assert creditor_reference(number) == reference
    assert is_creditor_reference(reference)


@given(numbers)
def test_every_reference_is_valid(number: str) -> None:
    reference = creditor_reference(number)
    assert is_creditor_reference(reference)
    assert reference[4:] == number


@given(digits)
def test_the_remainder_is_one_by_the_standard_s_own_reckoning(number: str) -> None:
    reference = creditor_reference(number)
    assert int(number + "2715" + reference[2:4]) % 97 == 1


@given(numbers, st.data())
def test_a_single_wrong_character_is_found(number: str, data: st.DataObject) -> None:
    reference = creditor_reference(number)
    place = data.draw(st.integers(2, len(reference) - 1))
    same_kind = "0123456789" if reference[place].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    wrong = data.draw(st.sampled_from(same_kind).filter(lambda sign: sign != reference[place]))
    assert not is_creditor_reference(reference[:place] + wrong + reference[place + 1 :])


@given(digits, st.data())
def test_two_neighbours_exchanged_are_found(number: str, data: st.DataObject) -> None:
    reference = creditor_reference(number)
    place = data.draw(st.integers(4, len(reference) - 1))
    assume(place + 1 < len(reference) and reference[place] != reference[place + 1])
    swapped = reference[:place] + reference[place + 1] + reference[place] + reference[place + 2 :]
    assert not is_creditor_reference(swapped)


@given(st.uuids(), st.uuids())
def test_a_demand_s_reference_is_stable_opaque_and_fits_everywhere(one: UUID, other: UUID) -> None:
    reference = payment_reference(str(one))
    assert reference == payment_reference(str(one))
    assert is_creditor_reference(reference)
    assert re.fullmatch(r"[A-Z0-9][A-Z0-9-]{3,34}", reference), "the contract's Reference"
    assert re.fullmatch(r"[\w\d\s-]{1,27}", reference, re.ASCII), "XBezahldienste's purpose"
    assume(one.int % 10**21 != other.int % 10**21)
    assert reference != payment_reference(str(other))


@pytest.mark.parametrize("number", ["", "1" * 22, "a", "Ä", "1 2", "-"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="1 to 21 characters"):
        creditor_reference(number)


@pytest.mark.parametrize("text", ["", "RF", "RF18", "RF19539007547034", "DE18539007547034", "rf18539007547034"])
def test_what_is_no_reference(text: str) -> None:
    assert not is_creditor_reference(text)
