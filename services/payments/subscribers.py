"""Events in."""

from __future__ import annotations

from chassis.aggregates import Received
from chassis.service import Service
from contracts.applications import ApplicationWithdrawn, FeeAssessed
from services.payments.handlers import Handlers


def subscribe(service: Service, handlers: Handlers) -> None:
    """Registers the handlers of the events that payments consumes."""

    async def on_fee_assessed(event: Received[FeeAssessed]) -> None:
        await handlers.request_payment(event)

    async def on_application_withdrawn(event: Received[ApplicationWithdrawn]) -> None:
        await handlers.withdraw_demands(event)

    service.event_handlers.on(FeeAssessed, on_fee_assessed)
    service.event_handlers.on(ApplicationWithdrawn, on_application_withdrawn)
