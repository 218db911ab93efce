"""Which bookings of a demand are in the ledger."""

from __future__ import annotations

from dataclasses import replace

from chassis.change import Change
from services.payments.domain.bookings import Booking
from services.payments.domain.state import Demand


def unbooked(demand: Demand) -> tuple[Booking, ...]:
    """The bookings that aren't in the ledger yet, in order."""
    return demand.bookings[demand.booked :]


def record_booked(demand: Demand, count: int) -> Change[Demand]:
    """The first `count` bookings are in the ledger."""
    return Change(replace(demand, booked=max(demand.booked, count)))
