"""Notifications, composed. Read this first."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.service import Service, run
from services.notifications import api, subscribers, workers
from services.notifications.handlers import Handlers
from services.notifications.letter import Printer
from services.notifications.outbox import outbox_of
from services.notifications.settings import Settings
from services.notifications.store import Notices
from services.notifications.workers import NoticeWork


def compose(settings: Settings, clock: Clock | None = None) -> Service:
    """The service."""
    service = Service("notifications", settings, clock=clock)
    notices = Notices(service)
    handlers = Handlers(notices, service.clock)
    printer = Printer()
    service.at_start(printer.warm)
    service.keeps_files(notices.files)
    subscribers.subscribe(service, handlers)
    workers.register(service, notices, NoticeWork(service, settings, handlers, printer, outbox_of(settings)))
    service.route(*api.routers(service, notices, handlers))
    return service


if __name__ == "__main__":
    run(compose, Settings)
