"""Payments, composed. Read this first."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.service import Service, run
from services.payments import api, subscribers, workers
from services.payments.adapters.registry import Providers, providers_of
from services.payments.checkout import Checkout
from services.payments.handlers import Handlers
from services.payments.settings import Settings
from services.payments.store import Demands, Ledger
from services.payments.workers import DemandWork


def compose(settings: Settings, clock: Clock | None = None, providers: Providers | None = None) -> Service:
    """The service; with other `providers` than the settings name, where they are given."""
    service = Service("payments", settings, clock=clock)
    demands = Demands(service)
    ledger = Ledger(service)
    providers = providers or providers_of(settings)
    service.at_start(providers.check)
    service.at_stop(providers.close)
    handlers = Handlers(demands, providers, settings)
    work = DemandWork(handlers, providers, ledger, settings)
    subscribers.subscribe(service, handlers)
    workers.register(service, demands, work)
    service.route(*api.routers(demands, ledger, handlers, providers, Checkout(handlers, work), service.clock))
    return service


if __name__ == "__main__":
    run(compose, Settings)
