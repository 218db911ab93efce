"""The catalog's composition root: `python -m services.catalog.main`."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.service import Service, run
from services.catalog import api, subscribers
from services.catalog.handlers import Handlers
from services.catalog.settings import Settings
from services.catalog.store import Stores


def compose(settings: Settings, clock: Clock | None = None) -> Service:
    """Puts the service together."""
    service = Service("catalog", settings, clock=clock)
    stores = Stores(service)
    handlers = Handlers(stores, service.clock)
    service.route(*api.routers(handlers, settings))
    subscribers.subscribe(stores.offers.model, handlers)
    return service


if __name__ == "__main__":
    run(compose, Settings)
