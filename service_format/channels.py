"""Who is responsible for a service, and by which ways one gets it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.values import Authority, Code, RegionalKey, Term, TrustLevel
from service_format.model import Identifier, Line, Model, Url
from service_format.texts import Localized


class Unit(Model):
    """An organisational unit."""

    id: Identifier
    names: Localized


class Responsibility(Model):
    """Who is responsible for what, where and when: service x area x unit x role."""

    area: RegionalKey
    unit: Unit
    role: Literal["decides", "receives", "advises", "collects", "supervises"]
    valid_from: date | None = None
    valid_to: date | None = None


class AuthorityDetails(Model):
    """Who decides, as it stands on the notice."""

    id: Authority
    name: Line
    street: Line
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
    city: Line


class ChannelKind(Term):
    """By which way one gets the service."""

    ONLINE = "online"
    APPOINTMENT = "appointment"
    PAPER_FORM = "paper_form"
    LINK = "link"
    INFORMATION = "information"


class Channel(Model):
    """A way to get the service."""

    kind: ChannelKind
    trust_level: TrustLevel = TrustLevel.NONE
    """The lowest trust level with which it can be used."""
    payment_methods: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """`creditcard`, `paypal`, `giropay`, `paydirect`, `other` (XBezahldienste); elsewhere `cash`, `transfer`."""
    areas: Annotated[tuple[RegionalKey, ...], Field(max_length=100)] = ()
    """Where it is offered; empty: everywhere in the town."""
    url: Url | None = None
    """Where it leads; a link needs one."""
    labels: Localized | None = None

    @model_validator(mode="after")
    def _link_leads_somewhere(self) -> Channel:
        if self.kind is ChannelKind.LINK and (self.url is None or self.labels is None):
            raise ValueError("a link needs url and labels")
        return self
