"""Due work: getting what a published version says, and noticing that information wasn't supplied in time."""

from __future__ import annotations

from chassis.aggregates import Work
from chassis.service import Service
from services.applications.domain.offers import FETCH, Offer
from services.applications.domain.state import INFORMATION
from services.applications.handlers import Handlers
from services.applications.store import CASES, OFFERS


def register(service: Service, handlers: Handlers) -> None:
    """Says who does what."""
    stores = {store.kind.name: store for store in service.stores}

    async def _fetch(work: Work[Offer]) -> None:
        given = await service.peers.get(work.snapshot.state.dataref)
        await handlers.offers.fill(work, given)

    service.work(stores[OFFERS.name], FETCH, _fetch)
    service.work(stores[CASES.name], INFORMATION, handlers.cases.mark_overdue_requests)
