"""What the service relies on of any provider: the same for the fake and for the adapter with the example's program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from examples.payment_provider.rules import Status
from services.payments.adapters.base import Bill, BillLine, Provider, TransactionUnknown
from services.payments.adapters.xbezahldienste import XBezahldienste
from services.payments.domain.provider_status import TransactionState
from services.payments.settings import Settings
from tests.component.payments.conftest import Bank
from tests.component.payments.fake_provider import FakeProvider

AT_THE_BANK = {
    TransactionState.PAID: Status.PAYED,
    TransactionState.FAILED: Status.FAILED,
    TransactionState.CANCELED: Status.CANCELED,
}


@dataclass
class Side:
    """A provider, and how its payer ends a transaction."""

    provider: Provider
    end: Callable[[str, TransactionState], None]


@pytest.fixture(params=["fake", "xbezahldienste"])
async def side(request: pytest.FixtureRequest, bank: Bank) -> AsyncIterator[Side]:
    if request.param == "fake":
        fake = FakeProvider()
        yield Side(fake, lambda _, said: fake.end(said))
        return
    settings = Settings(provider_url=bank.url, provider_client_id="town", provider_client_secret="a+secret %")
    adapter = XBezahldienste(settings)
    yield Side(adapter, lambda url, said: bank.press(url, AT_THE_BANK[said]))
    await adapter.close()


def bill(cents: int = 1250) -> Bill:
    lines = (BillLine("issue", cents - 1, {"object": "1"}), BillLine("copy", 1, {}))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return Bill(str(uuid4()), now, cents, "EUR", "RF18000000000539007547034", "https://rathaus.example/back", lines)


async def test_an_opened_transaction_repeats_what_was_asked(side: Side) -> None:
    asked = bill()
    reported = await side.provider.open("witten", asked)
    assert (reported.state, reported.request_id, reported.cents) == (TransactionState.OPEN, asked.request_id, 1250)
    assert (reported.currency, reported.purpose) == ("EUR", asked.purpose)
    assert reported.redirect_url


@pytest.mark.parametrize("cents", [2, 29, 57, 110, 99_999_900])
async def test_amounts_come_back_exactly(side: Side, cents: int) -> None:
    assert (await side.provider.open("witten", bill(cents))).cents == cents


async def test_the_same_request_is_the_same_transaction(side: Side) -> None:
    asked = bill()
    assert await side.provider.open("witten", asked) == await side.provider.open("witten", asked)
    assert await side.provider.open("witten", bill()) != await side.provider.open("witten", asked)


@pytest.mark.parametrize("said", [TransactionState.PAID, TransactionState.FAILED, TransactionState.CANCELED])
async def test_the_end_of_a_transaction_is_seen(side: Side, said: TransactionState) -> None:
    asked = bill()
    reported = await side.provider.open("witten", asked)
    side.end(reported.redirect_url or "", said)
    ended = await side.provider.look("witten", reported.transaction_id)
    assert (ended.state, ended.request_id, ended.cents) == (said, asked.request_id, 1250)
    assert await side.provider.open("witten", asked) == ended


async def test_another_town_s_transaction_is_unknown(side: Side) -> None:
    reported = await side.provider.open("witten", bill())
    for tenant, transaction_id in (("siegen", reported.transaction_id), ("witten", "nothing")):
        with pytest.raises(TransactionUnknown):
            await side.provider.look(tenant, transaction_id)
