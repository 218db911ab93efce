"""Applications: what somebody wants. Drafts, applications, the case, its decisions. Begin reading here."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.service import Service, run
from services.applications import api, subscribers, workers
from services.applications.handlers import Handlers
from services.applications.settings import Settings
from services.applications.store import Stores


def compose(settings: Settings, clock: Clock | None = None) -> Service:
    """Puts the service together; nothing runs yet."""
    service = Service("applications", settings, clock=clock)
    stores = Stores(service)
    service.keeps_files(stores.files)
    handlers = Handlers(stores, service.clock, service.files, settings)
    service.route(*api.routers(handlers))
    subscribers.register(service, handlers)
    workers.register(service, handlers)
    return service


if __name__ == "__main__":
    run(compose, Settings)
