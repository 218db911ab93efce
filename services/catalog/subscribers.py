"""Events in: the catalog listens to itself, so that its search follows what was published and retired."""

from __future__ import annotations

from chassis.aggregates import Received
from chassis.mongo import TenantCollection
from chassis.readmodels import ReadModel
from contracts.catalog import ServicePublished, ServiceRetired
from services.catalog.handlers import Handlers


def subscribe(search: ReadModel, handlers: Handlers) -> None:
    """Registers what the search's read model is made from."""

    async def _refresh(collection: TenantCollection, event: Received[ServicePublished | ServiceRetired]) -> None:
        await handlers.refresh_offer(collection, event.tenant, event.data.service_id)

    search.on(ServicePublished, _refresh)
    search.on(ServiceRetired, _refresh)
