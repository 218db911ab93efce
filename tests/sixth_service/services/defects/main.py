"""Defects, composed. Read this first."""

from __future__ import annotations

from services.defects import api
from services.defects.handlers import Handlers
from services.defects.settings import Settings
from services.defects.store import Defects

from chassis.clock import Clock
from chassis.service import Service, run


def compose(settings: Settings, clock: Clock | None = None) -> Service:
    """The service."""
    service = Service("defects", settings, clock=clock)
    service.route(api.router(Handlers(Defects(service))))
    return service


if __name__ == "__main__":
    run(compose, Settings)
