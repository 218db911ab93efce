"""Events of the catalog: the towns, and what each offers."""

from __future__ import annotations

from contracts import topics
from contracts.envelope import Event
from contracts.values import (
    DataRef,
    Flag,
    LegalDate,
    LeikaKey,
    MunicipalityKey,
    RegionalKey,
    ServiceId,
    Sha256,
    Tenant,
    Uuid,
    VersionNumber,
)


class TownRegistered(Event):
    """A town joined the installation. Subject: the town.

    Emitted when an operator registers it. Promises no services yet. Consumed by subscribers that keep a list of towns.
    """

    topic = topics.CATALOG
    name = "town_registered"

    tenant: Tenant
    ars: tuple[RegionalKey, ...]
    ags: tuple[MunicipalityKey, ...] = ()
    dataref: DataRef


class ServicePublished(Event):
    """A version of a service was published. Subject: the service version.

    Emitted when it passed validation and review. It is in force from `valid_from`, which may lie ahead.
    Consumed by applications, which fetches the version by `dataref`.
    """

    topic = topics.CATALOG
    name = "service_published"

    service_version_id: Uuid
    service_id: ServiceId
    service_version: VersionNumber
    content_hash: Sha256
    valid_from: LegalDate
    valid_to: LegalDate | None = None
    """Last day on which it is in force; none: open-ended."""
    leika_keys: tuple[LeikaKey, ...] = ()
    online: Flag
    """Whether the version has an online channel."""
    dataref: DataRef


class ServiceRetired(Event):
    """A version of a service takes no more applications after `retired_on`. Subject: the service version.

    Cases already open go on. Consumed by applications.
    """

    topic = topics.CATALOG
    name = "service_retired"

    service_version_id: Uuid
    service_id: ServiceId
    service_version: VersionNumber
    retired_on: LegalDate
