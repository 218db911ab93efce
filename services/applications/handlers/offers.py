"""What the catalog published, as it is known here."""

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
            event, offer_id, lambda known, now: offers.publish(known, event.data, offer_id, now)
        )

    async def on_service_retired(self, event: Received[ServiceRetired]) -> None:
        """A version takes no more applications."""
        unknown = NotYet("the service version isn't known yet", service_version_id=event.data.service_version_id)
        await self._stores.offers.on_event(
            event, event.new_id("offer"), lambda offer, _: offers.retire(offer, event.data), if_missing=unknown
        )

    async def fill(self, work: Work[Offer], given: dict[str, Any]) -> None:
        """Keeps what the catalog says of a version.

        Raises:
            ValueError: it isn't what was published, or can't be read: nobody could apply, so it is tried again, loudly.
        """
        offer = work.snapshot.state
        if given.get("content_hash") != offer.content_hash:
            raise ValueError(f"{offer.dataref} is not the version that was published")
        content = services.read(given)
        if not forms.usable(content.form):
            raise ValueError(f"the form of {offer.dataref} can't be used")
        await self._stores.offers.on_due(work, lambda known, _: offers.fill(known, content))
