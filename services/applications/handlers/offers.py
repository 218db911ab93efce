"""Versions of services: published, retired, fetched."""

from __future__ import annotations

from typing import Any

from chassis.aggregates import Received, Work
from chassis.errors import NotYet
from contracts.catalog import ServicePublished, ServiceRetired
from services.applications.domain import forms, offers, services
from services.applications.domain.offers import Offer
from services.applications.store import Stores


class Offers:
    """Published versions of services."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def on_service_published(self, event: Received[ServicePublished]) -> None:
        """A version becomes known."""
        offer_id = event.new_id("offer")
        await self._stores.offers.upsert_on_event(
            event, offer_id, lambda existing, now: offers.publish(existing, event.data, offer_id, now)
        )

    async def on_service_retired(self, event: Received[ServiceRetired]) -> None:
        """A version takes no more applications."""
        unknown = NotYet("the service version isn't known yet", service_version_id=event.data.service_version_id)
        await self._stores.offers.on_event(
            event, event.new_id("offer"), lambda offer, _: offers.retire(offer, event.data), if_missing=unknown
        )

    async def fill(self, work: Work[Offer], answer: dict[str, Any]) -> None:
        """Stores the content of a version, as the catalog answered it.

        Raises:
            ValueError: it isn't what was published, or can't be read. Nobody can apply then: the work fails, is logged
                as an error, and is tried again.
        """
        offer = work.snapshot.state
        if answer.get("content_hash") != offer.content_hash:
            raise ValueError(f"{offer.dataref} is not the version that was published")
        content = services.read(answer)
        if not forms.usable(content.form):
            raise ValueError(f"the form of {offer.dataref} can't be used")
        await self._stores.offers.on_due(work, lambda offer, _: offers.fill(offer, content))
