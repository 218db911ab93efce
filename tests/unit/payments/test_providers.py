"""Each town has the payment provider that the settings name for it."""

from __future__ import annotations

import pytest

from chassis.errors import ConfigurationError
from services.payments.adapters.base import Bill
from services.payments.adapters.registry import ADAPTERS, providers_of
from services.payments.adapters.xbezahldienste import XBezahldienste
from services.payments.domain.provider_status import ProviderStatus, TransactionState
from services.payments.settings import Settings
from tests.unit.payments.test_xbezahldienste import BILL


class CashDesk:
    """A second provider, as small as it can be: everything is paid at once."""

    max_cents = 10_000
    max_lines = 1

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.closed = 0

    async def check(self) -> None:
        """Needs no settings."""

    async def open(self, tenant: str, bill: Bill) -> ProviderStatus:
        """See `Provider.open`."""
        return ProviderStatus(TransactionState.PAID, f"{tenant}/{bill.request_id}", cents=bill.cents)

    async def look(self, tenant: str, transaction_id: str) -> ProviderStatus:
        """See `Provider.look`."""
        return ProviderStatus(TransactionState.PAID, transaction_id)

    async def close(self) -> None:
        """See `Provider.close`."""
        self.closed += 1


BOTH = {**ADAPTERS, "cash-desk": CashDesk}


async def test_two_towns_can_have_different_providers() -> None:
    providers = providers_of(Settings(provider_adapters={"siegen": "cash-desk"}), BOTH)
    siegen, witten = providers.of("siegen"), providers.of("witten")
    assert isinstance(siegen, CashDesk)
    assert isinstance(witten, XBezahldienste)
    assert (await siegen.open("siegen", BILL)).state is TransactionState.PAID
    assert (siegen.max_cents, witten.max_cents) == (10_000, 99_999_900)
    await providers.close()
    assert siegen.closed == 1


async def test_without_an_entry_all_towns_have_the_same_provider() -> None:
    providers = providers_of(Settings())
    assert isinstance(providers.of("witten"), XBezahldienste)
    assert providers.of("witten") is providers.of("siegen")
    await providers.close()


async def test_the_entry_for_all_other_towns_can_be_changed() -> None:
    providers = providers_of(Settings(provider_adapters={"*": "cash-desk", "siegen": "cash-desk"}), BOTH)
    desk = providers.of("witten")
    assert isinstance(desk, CashDesk)
    assert providers.of("siegen") is desk
    await providers.check()
    await providers.close()
    assert desk.closed == 1, "each provider is closed once"


def test_an_adapter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names other; there are: xbezahldienste"):
        providers_of(Settings(provider_adapters={"siegen": "other"}))


async def test_a_provider_in_use_must_be_configured() -> None:
    providers = providers_of(Settings(provider_adapters={"siegen": "cash-desk"}), BOTH)
    with pytest.raises(ConfigurationError, match="RATHAUS_PROVIDER_CLIENT_ID"):
        await providers.check()
    await providers.close()
