"""Identity, composed. Read this first."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.service import Service, run
from services.identity import api
from services.identity.handlers import Handlers
from services.identity.settings import Settings
from services.identity.store import Stores
from services.identity.tokens import Keyring, OwnVerifier, Tokens


def compose(settings: Settings, clock: Clock | None = None) -> Service:
    """The service. Tokens always tell the machine's time, whatever `clock` says."""
    service = Service("identity", settings, clock=clock)
    stores = Stores(service)
    keyring = Keyring(stores.keys, settings.key_secret)
    service.at_start(keyring.open)
    service.verifier = OwnVerifier(settings, keyring)
    handlers = Handlers(stores, Tokens(settings, keyring), settings, service.clock)
    service.route(*api.routers(handlers, keyring, settings))
    return service


if __name__ == "__main__":
    run(compose, Settings)
