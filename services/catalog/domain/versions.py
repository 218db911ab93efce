"""A version of a service: drafted, reviewed by a second person, published, retired. Once published it never changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import Enum

from chassis.change import Change
from chassis.errors import Conflict, Forbidden, Invalid
from contracts import datarefs
from contracts.catalog import ServicePublished, ServiceRetired
from kernel.canonical_json import canonical, sha256
from kernel.ids import id_of
from kernel.legal_days import legal_date
from service_format.service import ServiceAsData
from services.catalog.domain.checks import findings


class Status(str, Enum):
    """Where a version stands. Validity is another matter."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a version stands, without its content."""

    number: int
    status: Status
    valid_from: date
    valid_to: date | None
    retired_on: date | None

    @property
    def last(self) -> date:
        """Last day on which it can be in force."""
        return min((day for day in (self.valid_to, self.retired_on) if day is not None), default=date.max)

    def in_force(self, day: date) -> bool:
        """Whether it may be in force on a day, looked at by itself."""
        return self.status is not Status.DRAFT and self.valid_from <= day <= self.last


@dataclass(frozen=True, slots=True)
class ServiceVersion:
    """State: one version."""

    tenant: str
    service_id: str
    number: int
    """From 1, contiguous within the service."""
    content: str
    """The service as canonical JSON: as text, since a JSON Schema's names (`$ref`) aren't those of database fields."""
    content_hash: str
    valid_from: date
    valid_to: date | None
    authors: tuple[str, ...]
    """Whoever wrote on it: none of them can publish it."""
    request: str
    """Mark of the request that made it, so that a repetition finds it."""
    status: Status
    changed_at: datetime
    published_at: datetime | None = None
    published_by: str | None = None
    retired_on: date | None = None
    """Last day on which it takes applications."""
    retired_by: str | None = None

    @property
    def service(self) -> ServiceAsData:
        """The content."""
        return ServiceAsData.model_validate_json(self.content)

    @property
    def dataref(self) -> str:
        """Its path; immutable once published."""
        return datarefs.service_version(self.tenant, self.service_id, self.number)

    @property
    def standing(self) -> Standing:
        """Without its content."""
        return Standing(self.number, self.status, self.valid_from, self.valid_to, self.retired_on)


@dataclass(frozen=True, slots=True)
class Draft:
    """Command: the next version of a service."""

    tenant: str
    number: int
    service: ServiceAsData
    author: str
    request: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Command: another content for a draft."""

    service: ServiceAsData
    author: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Command: it was reviewed, and is to be published."""

    reviewer: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Command: no more applications after a day; today where None."""

    by: str
    on: date | None


def version_id(tenant: str, service_id: str, number: int) -> str:
    """Two that draft the same number at once meet in one document: the second is refused."""
    return id_of(tenant, service_id, str(number))


def draft(state: ServiceVersion | None, command: Draft, now: datetime) -> Change[ServiceVersion]:
    """Makes a draft.

    Raises:
        Conflict: there is a version of that number.
    """
    if state is not None:
        raise Conflict("this version exists already: try again", number=command.number)
    content, digest = _content(command.service)
    made = ServiceVersion(
        tenant=command.tenant,
        service_id=command.service.service_id,
        number=command.number,
        content=content,
        content_hash=digest,
        valid_from=command.service.valid_from,
        valid_to=command.service.valid_to,
        authors=(command.author,),
        request=command.request,
        status=Status.DRAFT,
        changed_at=now,
    )
    return Change(made)


def edit(known: ServiceVersion, command: Edit, now: datetime) -> Change[ServiceVersion]:
    """Replaces a draft's content.

    Raises:
        Conflict: it is published.
    """
    if known.status is not Status.DRAFT:
        raise Conflict("a published version never changes: draft the next one", status=known.status.value)
    content, digest = _content(command.service)
    made = replace(
        known,
        content=content,
        content_hash=digest,
        valid_from=command.service.valid_from,
        valid_to=command.service.valid_to,
        authors=tuple(dict.fromkeys((*known.authors, command.author))),
        changed_at=now,
    )
    return Change(made)


def publish(known: ServiceVersion, command: Publish, now: datetime) -> Change[ServiceVersion]:
    """Publishes a draft that somebody else wrote and that passes every check.

    Raises:
        Conflict: it is published already.
        Forbidden: the reviewer wrote on it.
        Invalid: the checks found something; `errors` lists it.
    """
    if known.status is not Status.DRAFT:
        raise Conflict("it is published already", status=known.status.value)
    if command.reviewer in known.authors:
        raise Forbidden("a second person publishes: you wrote on this version yourself", code="second_person_needed")
    service = known.service
    found = findings(service, legal_date(now))
    if found:
        raise Invalid("it can't be published as it is", errors=[asdict(finding) for finding in found])
    made = replace(known, status=Status.PUBLISHED, published_at=now, published_by=command.reviewer, changed_at=now)
    told = ServicePublished(
        service_version_id=version_id(made.tenant, made.service_id, made.number),
        service_id=made.service_id,
        service_version=made.number,
        content_hash=made.content_hash,
        valid_from=made.valid_from,
        valid_to=made.valid_to,
        leika_keys=service.leika_keys,
        online=service.online is not None,
        dataref=made.dataref,
    )
    return Change(made, (told,))


def retire(known: ServiceVersion, command: Retire, now: datetime) -> Change[ServiceVersion]:
    """Ends a published version; cases already open go on.

    Raises:
        Conflict: it isn't published, or was retired.
        Invalid: the day has passed.
    """
    if known.status is not Status.PUBLISHED:
        raise Conflict("only a published version can be retired", status=known.status.value)
    today = legal_date(now)
    last = command.on or today
    if last < today:
        raise Invalid("a version can't be retired for days that have passed", errors=[_PASSED])
    made = replace(known, status=Status.RETIRED, retired_on=last, retired_by=command.by, changed_at=now)
    told = ServiceRetired(
        service_version_id=version_id(made.tenant, made.service_id, made.number),
        service_id=made.service_id,
        service_version=made.number,
        retired_on=last,
    )
    return Change(made, (told,))


_PASSED = {"pointer": "/retired_on", "code": "already_over", "message": "today or later"}


def in_force(standings: Iterable[Standing], day: date) -> int | None:
    """The number of the version in force on a day: the highest of those that may be."""
    return max((each.number for each in standings if each.in_force(day)), default=None)


def lasting(standings: Sequence[Standing], today: date) -> tuple[int, ...]:
    """The numbers of those that are in force today or can be later, ascending."""
    live = [each for each in standings if each.status is not Status.DRAFT and today <= each.last]
    return tuple(sorted(each.number for each in live if not any(_covers(other, each, today) for other in live)))


def _covers(other: Standing, standing: Standing, today: date) -> bool:
    """Whether a higher number stands before this one today and until it ends."""
    return other.number > standing.number and other.valid_from <= today and standing.last <= other.last


def _content(service: ServiceAsData) -> tuple[str, str]:
    text = canonical(service.model_dump(mode="json"))
    return text, sha256(text)
