"""Which payment provider a town has.

`RATHAUS_PROVIDER_ADAPTERS` names an adapter of `ADAPTERS` for a town; the entry `*` is for all towns without an entry
of their own. A new provider is a folder beside this file and a line in `ADAPTERS` (CONTRIBUTING.md, "A new payment
provider").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chassis.errors import ConfigurationError
from services.payments.adapters.base import Provider
from services.payments.adapters.xbezahldienste import XBezahldienste
from services.payments.settings import DEFAULT_ADAPTER, Settings

EVERY_OTHER_TOWN = "*"

Adapter = Callable[[Settings], Provider]

ADAPTERS: Mapping[str, Adapter] = MappingProxyType({DEFAULT_ADAPTER: XBezahldienste})
"""By the name that settings give."""


class Providers:
    """The providers in use, each made once."""

    def __init__(self, default: Provider, by_town: Mapping[str, Provider] | None = None) -> None:
        self._default = default
        self._by_town = dict(by_town or {})

    def of(self, tenant: str) -> Provider:
        """The provider of a town."""
        return self._by_town.get(tenant, self._default)

    async def check(self) -> None:
        """Checks the settings of each provider in use.

        Raises:
            ConfigurationError: see `Provider.check`.
        """
        for provider in self._in_use():
            await provider.check()

    async def close(self) -> None:
        """Closes all connections."""
        for provider in self._in_use():
            await provider.close()

    def _in_use(self) -> list[Provider]:
        providers = (self._default, *self._by_town.values())
        return list({id(provider): provider for provider in providers}.values())


def providers_of(settings: Settings, adapters: Mapping[str, Adapter] = ADAPTERS) -> Providers:
    """Makes the providers that the settings name.

    Raises:
        ConfigurationError: the settings name an adapter that doesn't exist.
    """
    names = {EVERY_OTHER_TOWN: DEFAULT_ADAPTER} | settings.provider_adapters
    unknown = sorted(set(names.values()) - set(adapters))
    if unknown:
        raise ConfigurationError(
            f"RATHAUS_PROVIDER_ADAPTERS names {', '.join(unknown)}; there are: {', '.join(sorted(adapters))}"
        )
    made = {name: adapters[name](settings) for name in sorted(set(names.values()))}
    by_town = {town: made[name] for town, name in names.items()}
    return Providers(by_town.pop(EVERY_OTHER_TOWN), by_town)
