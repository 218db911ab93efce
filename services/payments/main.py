"""Payments, composed. Read this first."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.service import Service, run
from services.payments import api, subscribers, workers
from services.payments.checkout import Checkout
from services.payments.handlers import Handlers
from services.payments.provider import Provider
from services.payments.settings import Settings
from services.payments.store import Demands, Ledger
from services.payments.workers import DemandWork
from services.payments.xbezahldienste import XBezahldienste


def compose(settings: Settings, clock: Clock | None = None, provider: Provider | None = None) -> Service:
    """The service; with another `provider` than XBezahldienste where one is given."""
    service = Service("payments", settings, clock=clock)
    demands = Demands(service)
    ledger = Ledger(service)
    if provider is None:
        service.at_start(settings.check)
    asked = provider or XBezahldienste(settings)
    service.at_stop(asked.close)
    handlers = Handlers(demands, settings)
    doing = DemandWork(handlers, asked, ledger, settings)
    subscribers.subscribe(service, handlers)
    workers.register(service, demands, doing)
    service.route(*api.routers(demands, ledger, handlers, Checkout(handlers, doing), service.clock))
    return service


if __name__ == "__main__":
    run(compose, Settings)
