"""Demands: requested for an assessment, cancelled, overdue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.change import Change
from chassis.errors import Rejected
from contracts import datarefs
from contracts.applications import FeeAssessed
from contracts.payments import PaymentCancelled, PaymentOverdue, PaymentRequested
from kernel.ids import id_of
from services.payments.domain import bookings
from services.payments.domain.references import payment_reference
from services.payments.domain.state import Demand, Item, Status


@dataclass(frozen=True, slots=True)
class RequestPayment:
    """Request payment of an assessed fee."""

    tenant: str
    authority: str
    booking_data: Mapping[str, str]
    """The town's, for ledger lines and bills."""
    assessed: FeeAssessed


def demand_id_of(tenant: str, assessment_id: str) -> str:
    """The id of an assessment's demand. It is derived, so that a replacing assessment finds the earlier demand."""
    return id_of(tenant, "demand", assessment_id)


def demand_of(command: RequestPayment, now: datetime) -> Demand:
    """Returns the demand for an assessment, before it is requested.

    Raises:
        Rejected: the items don't sum to the amount, or have another currency.
    """
    assessed = command.assessed
    items = tuple(Item(item.fee, item.amount) for item in assessed.items)
    fits = sum(item.amount.cents for item in items) == assessed.amount.cents
    if items and not (fits and {item.amount.currency for item in items} == {assessed.amount.currency}):
        raise Rejected("the items of the assessment don't sum to its amount", assessment=assessed.assessment_id)
    demand_id = demand_id_of(command.tenant, assessed.assessment_id)
    return Demand(
        demand_id=demand_id,
        tenant=command.tenant,
        authority=command.authority,
        case_id=assessed.case_id,
        case_reference=assessed.case_reference,
        assessment_id=assessed.assessment_id,
        service_id=assessed.service_id,
        timing=assessed.timing,
        payer_id=assessed.payer.party_id,
        payer_account=assessed.payer.account_id,
        amount=assessed.amount,
        items=items,
        due_on=assessed.due_on,
        payment_reference=payment_reference(demand_id),
        booking_data=command.booking_data,
        requested_at=now,
    )


def request_payment(demand: Demand) -> Change[Demand]:
    """Requests payment of a new demand. A demand of 0 (a waived fee) is settled at once."""
    event = PaymentRequested(
        demand_id=demand.demand_id,
        case_id=demand.case_id,
        assessment_id=demand.assessment_id,
        payer_id=demand.payer_id,
        amount=demand.amount,
        payment_reference=demand.payment_reference,
        due_on=demand.due_on,
        dataref=datarefs.payment_request(demand.tenant, demand.demand_id),
    )
    if demand.amount.cents == 0:
        return Change(replace(demand, status=Status.SETTLED), (event,))
    booking = bookings.of_demand(demand.demand_id, demand.amount.cents, demand.requested_at)
    return Change(demand.with_booking(booking), (event,))


def withdraw_demand(demand: Demand, now: datetime) -> Change[Demand]:
    """Cancels an open demand because the application was withdrawn. A settled demand stays as it is."""
    return _cancel(demand, "withdrawn", now) if demand.status is Status.OPEN else Change(demand)


def replace_demand(demand: Demand, now: datetime) -> Change[Demand]:
    """Cancels a demand because another assessment replaces its own. What was paid for it becomes unallocated."""
    return Change(demand) if demand.status is Status.CANCELLED else _cancel(demand, "replaced", now)


def _cancel(demand: Demand, reason: str, now: datetime) -> Change[Demand]:
    cancelled = replace(demand, status=Status.CANCELLED)
    if demand.amount.cents:
        booking = bookings.of_cancellation(demand.demand_id, demand.amount.cents, demand.outstanding.cents, now)
        cancelled = cancelled.with_booking(booking)
    event = PaymentCancelled(
        demand_id=demand.demand_id, case_id=demand.case_id, assessment_id=demand.assessment_id, reason=reason
    )
    return Change(cancelled, (event,))


def mark_overdue(demand: Demand) -> Change[Demand]:
    """Marks an open demand as overdue. It can still be paid."""
    if demand.status is not Status.OPEN or demand.overdue:
        return Change(demand)
    event = PaymentOverdue(
        demand_id=demand.demand_id,
        case_id=demand.case_id,
        assessment_id=demand.assessment_id,
        outstanding=demand.outstanding,
        due_on=demand.due_on,
    )
    return Change(replace(demand, overdue=True), (event,))
