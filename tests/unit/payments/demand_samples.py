"""Demands to begin with: a fee of two lines, to be paid by an account."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts.applications import FeeTiming
from contracts.values import Money
from kernel.ids import id_of
from services.payments.adapters.xbezahldienste.messages import MAX_CENTS
from services.payments.domain import attempts, demands, provider_status
from services.payments.domain.attempts import StartAttempt
from services.payments.domain.provider_status import ProviderStatus, TransactionState
from services.payments.domain.references import payment_reference
from services.payments.domain.state import Attempt, Demand, Item

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PAYER = id_of("account", "payer")
TENANT = "witten"
DEMAND_ID = demands.demand_id_of(TENANT, id_of("assessment"))


def new_demand(cents: int = 1250, **changes: Any) -> Demand:
    """A demand as it is made from a fee."""
    demand = Demand(
        demand_id=DEMAND_ID,
        tenant=TENANT,
        authority=TENANT,
        case_id=id_of("case"),
        case_reference="WIT-2026-000001",
        assessment_id=id_of("assessment"),
        service_id="registration-certificate",
        timing=FeeTiming.BEFORE_PROCESSING,
        payer_id=id_of("party"),
        payer_account=PAYER,
        amount=Money(cents=cents),
        items=(Item("issue", Money(cents=cents)),),
        due_on=date(2026, 3, 16),
        payment_reference=payment_reference(DEMAND_ID),
        booking_data={"object": "1234"},
        requested_at=NOW,
    )
    return replace(demand, **changes)


def requested(cents: int = 1250, **changes: Any) -> Demand:
    """A demand that was made."""
    return demands.request_payment(new_demand(cents, **changes))[0]


def starting(name: str = "first", account: str = PAYER) -> StartAttempt:
    """The payer presses pay."""
    return StartAttempt(account, id_of(name), timedelta(seconds=4), timedelta(days=1), MAX_CENTS)


def started(demand: Demand, name: str = "first", now: datetime = NOW) -> Demand:
    """With an attempt begun."""
    return attempts.start_attempt(demand, starting(name), now)[0]


def opened(demand: Demand, name: str = "first", now: datetime = NOW) -> Demand:
    """With an attempt that the provider knows."""
    demand = started(demand, name, now)
    return provider_status.record_opening(demand, id_of(name), reported(demand, TransactionState.OPEN, name), now)[0]


def attempt_of(demand: Demand, name: str = "first") -> Attempt:
    """An attempt by its name."""
    found = demand.attempt(id_of(name))
    assert found is not None
    return found


def reported(demand: Demand, said: TransactionState, name: str = "first", **changes: Any) -> ProviderStatus:
    """What the provider reports of an attempt, right in everything that isn't changed."""
    attempt = attempt_of(demand, name)
    true = ProviderStatus(
        state=said,
        transaction_id=f"transaction-{attempt.attempt_id}",
        redirect_url=f"https://provider.example/pay/{attempt.attempt_id}",
        request_id=attempt.attempt_id,
        cents=attempt.cents,
        currency=demand.amount.currency,
        purpose=demand.payment_reference,
    )
    return replace(true, **changes)
