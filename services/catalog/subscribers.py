"""Events in: the catalog listens to itself, so that its search follows what was published and retired."""

from __future__ import annotations

from chassis.aggregates import Received
from chassis.service import Service
from contracts.catalog import ServicePublished, ServiceRetired
from services.catalog.handlers import Handlers


def subscribe(service: Service, handlers: Handlers) -> None:
    """Registers the subscribers."""

    async def _on_service_published(event: Received[ServicePublished]) -> None:
        await handlers.refresh_offer(event.tenant, event.data.service_id)

    async def _on_service_retired(event: Received[ServiceRetired]) -> None:
        await handlers.refresh_offer(event.tenant, event.data.service_id)

    service.subscriptions.on(ServicePublished, _on_service_published)
    service.subscriptions.on(ServiceRetired, _on_service_retired)
