"""Due work: fetches the content of published versions, and marks requests for information that are overdue."""

from __future__ import annotations

from chassis.aggregates import Work
from chassis.service import Service
from services.applications.domain.offers import Offer, OfferWork
from services.applications.domain.state import CaseWork
from services.applications.handlers import Handlers
from services.applications.store import CASES, OFFERS


def register(service: Service, handlers: Handlers) -> None:
    """Registers who does which due work."""
    stores = {store.kind.name: store for store in service.stores}

    async def _fetch(work: Work[Offer]) -> None:
        given = await service.peers.get(work.snapshot.state.dataref)
        await handlers.offers.fill(work, given)

    service.work(stores[OFFERS.name], OfferWork.FETCH_CONTENT, _fetch)
    service.work(stores[CASES.name], CaseWork.INFORMATION_OVERDUE, handlers.cases.mark_overdue_requests)
