"""An offer: a published version of a service, as it is known here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.change import Change
from chassis.errors import Conflict, Forbidden, NotFound, NotYet
from contracts.catalog import ServicePublished, ServiceRetired
from contracts.values import DataRef, LegalDate, Sha256, Timestamp, TrustLevel
from services.applications.domain.services import ServiceVersion, Terms, in_force


class OfferWork(StrEnum):
    """Due work of an offer. The values are stored."""

    FETCH_CONTENT = "fetch"
    """Get the version's content from the catalog."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a service. Its content is fetched after `service_published`."""

    offer_id: str
    service_id: str
    version: int
    known_at: Timestamp
    valid_from: LegalDate
    valid_to: LegalDate | None
    online: bool
    content_hash: Sha256
    dataref: DataRef
    retired_on: LegalDate | None = None
    content: ServiceVersion | None = None


def publish(existing: Offer | None, event: ServicePublished, offer_id: str, now: datetime) -> Change[Offer]:
    """Stores a published version; its content is then due to be fetched. A version that exists is left as it is."""
    if existing is not None:
        return Change(existing)
    return Change(
        Offer(
            offer_id=offer_id,
            service_id=event.service_id,
            version=event.service_version,
            known_at=now,
            valid_from=event.valid_from,
            valid_to=event.valid_to,
            online=event.online,
            content_hash=event.content_hash,
            dataref=event.dataref,
        )
    )


def retire(offer: Offer, event: ServiceRetired) -> Change[Offer]:
    """The version takes no more applications after `retired_on`."""
    return Change(replace(offer, retired_on=event.retired_on))


def fill(offer: Offer, content: ServiceVersion) -> Change[Offer]:
    """Stores the content of the version."""
    return Change(replace(offer, content=content))


def due(offer: Offer) -> Mapping[str, datetime]:
    """The content is due at once. Only versions that can be applied for online are fetched."""
    return {OfferWork.FETCH_CONTENT: offer.known_at} if offer.content is None and offer.online else {}


def choose(offers: Iterable[Offer], service_id: str, day: date) -> Offer:
    """The version in force on that legal day: the newest where several are.

    Raises:
        NotFound: the town offers no such service.
        Conflict: it takes no applications on that day, or none online.
        NotYet: the version's content hasn't been fetched.
    """
    known = sorted((each for each in offers if each.service_id == service_id), key=lambda each: each.version)
    if not known:
        raise NotFound("the town offers no such service", service_id=service_id)
    valid = [each for each in known if in_force(each.valid_from, each.valid_to, each.retired_on, day)]
    if not valid:
        raise Conflict("the service takes no applications at present", service_id=service_id)
    newest = valid[-1]
    if not newest.online:
        raise Conflict("the service can't be applied for online", service_id=service_id)
    if newest.content is None:
        raise NotYet("the service was published a moment ago: try again", service_id=service_id)
    if newest.content.terms.online is None:
        raise Conflict("the service can't be applied for online", service_id=service_id)
    return newest


def require_content(offer: Offer | None) -> ServiceVersion:
    """The content of a version that `choose` returned.

    Raises:
        ValueError: there is no version, or its content wasn't fetched: a mistake in this service.
    """
    if offer is None or offer.content is None:
        raise ValueError("an application needs a version that was fetched")
    return offer.content


def require_trust_level(terms: Terms, trust_level: TrustLevel) -> None:
    """Raises Forbidden where the token's trust level is below the service's."""
    if not trust_level.reaches(terms.trust_level):
        raise Forbidden("sign in at the trust level that the service needs", trust_level=terms.trust_level.value)
