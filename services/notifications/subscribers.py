"""Events in."""

from __future__ import annotations

from chassis.aggregates import Received
from chassis.service import Service
from contracts.applications import DecisionMade
from services.notifications.handlers import Handlers


def subscribe(service: Service, handlers: Handlers) -> None:
    """What notifications listens to."""

    async def _on_decision_made(event: Received[DecisionMade]) -> None:
        await handlers.request_notices(event)

    service.event_handlers.on(DecisionMade, _on_decision_made)
