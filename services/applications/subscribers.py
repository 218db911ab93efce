"""Events of other services: each leads to one handler call."""

from __future__ import annotations

from chassis.service import Service
from contracts.catalog import ServicePublished, ServiceRetired
from contracts.notifications import (
    AnnouncementFailed,
    NoticeAnnounced,
    NoticeIssued,
    NoticeProvided,
    NoticeRetrieved,
)
from contracts.payments import (
    PaymentCancelled,
    PaymentFailed,
    PaymentOverdue,
    PaymentReceived,
    PaymentRequested,
)
from services.applications.handlers import Handlers


def register(service: Service, handlers: Handlers) -> None:
    """Registers the events that applications consumes, and their handlers."""
    on = service.event_handlers.on

    on(ServicePublished, handlers.offers.on_service_published)
    on(ServiceRetired, handlers.offers.on_service_retired)

    on(PaymentRequested, handlers.cases.on_payment)
    on(PaymentReceived, handlers.cases.on_payment)
    on(PaymentFailed, handlers.cases.on_payment)
    on(PaymentCancelled, handlers.cases.on_payment)
    on(PaymentOverdue, handlers.cases.on_payment)

    on(NoticeIssued, handlers.cases.on_notice)
    on(NoticeProvided, handlers.cases.on_notice)
    on(NoticeRetrieved, handlers.cases.on_notice)
    on(NoticeAnnounced, handlers.cases.on_notice)
    on(AnnouncementFailed, handlers.cases.on_notice)
