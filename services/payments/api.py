"""HTTP in: what somebody has to pay, paying it, and the town's ledger."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, Field

from chassis.aggregates import Answer, Snapshot
from chassis.auth import Principal
from chassis.clock import Clock
from chassis.errors import BadRequest, NotFound
from chassis.http import Access, Caller, Router, respond
from chassis.http.paging import Paging, page
from chassis.mongo import Document
from contracts.applications import FeeTiming
from contracts.values import TrustLevel
from kernel.legal_days import legal_date
from kernel.texts import Bilingual
from services.payments.adapters.registry import Providers
from services.payments.checkout import Checkout
from services.payments.domain import attempts
from services.payments.domain.bookings import Account, Occasion
from services.payments.domain.state import Attempt, Demand, Phase, Status
from services.payments.handlers import Handlers
from services.payments.store import Demands, Ledger, Period, Total, ledger_cursor, list_cursor
from services.payments.texts import ACCOUNTS, RETURNED, status_text

MAX_DAYS = 366
"""A ledger's period: sums are made when they are asked for."""

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_AN_ID = "8a4b4a53-92d2-5d3c-9b75-0f7d1c0a8e11"
_A_TIME = "2026-03-02T09:30:00.000000Z"
_A_REFERENCE = "RF18000000000539007547034"
_A_PAGE = "https://provider.example/pay/7f1d"
_PRIVATE = {"Cache-Control": "private, no-store"}

Town = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,38}$", description="the town's slug", examples=["witten"])]
DemandId = Annotated[str, Path(pattern=_UUID, examples=[_AN_ID])]
CaseId = Annotated[str | None, Query(pattern=_UUID, description="only this case's", examples=[_AN_ID])]
Pages = Annotated[Paging, Depends()]
FirstDay = Annotated[date | None, Query(alias="from", description="first day; the month's first if left out")]
LastDay = Annotated[date | None, Query(alias="to", description="last day; today if left out")]

_OFFICE = {"clerk", "cashier", "admin"}
_MACHINES = {"internal", "cases:read"}
Payer = Annotated[Caller, Depends(Access(persons=TrustLevel.BASIC))]
PayerOrCashier = Annotated[Caller, Depends(Access(persons=TrustLevel.BASIC, staff={"cashier", "admin"}))]
Reader = Annotated[Caller, Depends(Access(persons=TrustLevel.BASIC, staff=_OFFICE, scopes=_MACHINES))]
Cashier = Annotated[Caller, Depends(Access(staff={"cashier", "admin"}))]
Anybody = Annotated[Caller, Depends(Access(public=True))]


class MoneyAnswer(BaseModel):
    """An amount in cents of a currency (ISO 4217)."""

    cents: int = Field(examples=[1250])
    currency: str = Field(examples=["EUR"])


class ItemAnswer(BaseModel):
    """One line of what is demanded."""

    fee: str = Field(description="code from the service's fees", examples=["issue"])
    amount: MoneyAnswer


class RequestAnswer(BaseModel):
    """A demand as it was made: this never changes."""

    demand_id: str = Field(examples=[_AN_ID])
    case_id: str = Field(examples=[_AN_ID])
    case_reference: str = Field(examples=["WI-2026-000042"])
    assessment_id: str = Field(examples=[_AN_ID])
    service_id: str = Field(examples=["registration-certificate"])
    timing: FeeTiming = Field(examples=["before_processing"])
    payer_id: str = Field(description="the paying party of the case", examples=[_AN_ID])
    amount: MoneyAnswer
    items: list[ItemAnswer]
    payment_reference: str = Field(description="Kassenzeichen (ISO 11649)", examples=[_A_REFERENCE])
    due_on: date = Field(description="last day to pay, in Europe/Berlin", examples=["2026-03-16"])
    requested_at: datetime = Field(examples=[_A_TIME])


class AttemptAnswer(BaseModel):
    """One try to pay."""

    attempt_id: str = Field(examples=[_AN_ID])
    phase: Phase = Field(
        description="opening, initial (can be paid), expired, held (being looked into), paid, failed, canceled",
        examples=["initial"],
    )
    amount: MoneyAnswer
    started_at: datetime = Field(examples=[_A_TIME])
    looked_at: datetime | None = Field(description="when the provider was last asked", examples=[_A_TIME])


class DemandAnswer(RequestAnswer):
    """A demand as it stands now."""

    status: str = Field(description="open, overdue, settled or cancelled", examples=["open"])
    outstanding: MoneyAnswer
    payable_online: bool = Field(description="whether the payer can check out now", examples=[True])
    message: Bilingual = Field(
        examples=[{"de": "Bitte zahlen Sie bis zum 16. März 2026.", "en": "Please pay by 16 March 2026."}]
    )
    attempts: list[AttemptAnswer]


class DemandPage(BaseModel):
    """Demands, newest first."""

    items: list[DemandAnswer]
    next: str | None = Field(description="cursor of the next page", examples=[None])


class CheckoutAnswer(BaseModel):
    """Where the payer pays."""

    demand_id: str = Field(examples=[_AN_ID])
    attempt_id: str = Field(examples=[_AN_ID])
    redirect_url: str = Field(description="send the payer's browser there", examples=[_A_PAGE])


class LineAnswer(BaseModel):
    """One account's part in a booking; cents."""

    account: Account = Field(examples=["receivable"])
    debit: int = Field(examples=[1250])
    credit: int = Field(examples=[0])


class BookingAnswer(BaseModel):
    """A balanced booking; it never changes."""

    booking_id: str = Field(examples=[_AN_ID])
    occasion: Occasion = Field(examples=["receipt"])
    booked_at: datetime = Field(examples=[_A_TIME])
    booked_on: date = Field(description="day in Europe/Berlin", examples=["2026-03-02"])
    demand_id: str = Field(examples=[_AN_ID])
    case_id: str = Field(examples=[_AN_ID])
    attempt_id: str | None = Field(description="the attempt to pay, of a receipt", examples=[None])
    payment_reference: str = Field(examples=[_A_REFERENCE])
    currency: str = Field(examples=["EUR"])
    booking_data: dict[str, str] = Field(description="the town's own", examples=[{"object": "1234"}])
    lines: list[LineAnswer]


class TotalAnswer(BaseModel):
    """What the period comes to on one account; cents."""

    account: Account = Field(examples=["receivable"])
    name: Bilingual = Field(examples=[{"de": "Forderungen", "en": "Receivables"}])
    currency: str = Field(examples=["EUR"])
    debit: int = Field(examples=[2500])
    credit: int = Field(examples=[1250])
    balance: int = Field(description="debit less credit", examples=[1250])


class ProofAnswer(BaseModel):
    """The period's sums over all accounts, in one currency; cents."""

    currency: str = Field(examples=["EUR"])
    debit: int = Field(examples=[3750])
    credit: int = Field(examples=[3750])
    difference: int = Field(description="zero, or the ledger is wrong", examples=[0])


class LedgerPage(BaseModel):
    """A period's bookings in order, and its sums: those are of the whole period, not of the page."""

    first_day: date = Field(examples=["2026-03-01"])
    last_day: date = Field(examples=["2026-03-31"])
    items: list[BookingAnswer]
    next: str | None = Field(description="cursor of the next page", examples=[None])
    accounts: list[TotalAnswer]
    proof: list[ProofAnswer]


_HTML: dict[int | str, dict[str, Any]] = {
    200: {"description": "a page to read", "content": {"text/html": {"schema": {"type": "string"}}}}
}


def routers(
    demands: Demands, ledger: Ledger, handlers: Handlers, providers: Providers, checkout: Checkout, clock: Clock
) -> list[Router]:
    """All routes."""
    return [_demands(demands, providers), _paying(handlers, providers, checkout), _ledger(ledger, clock)]


def _demands(demands: Demands, providers: Providers) -> Router:
    router = Router("/payments/v1/{tenant}", tags=["demands"])

    @router.get("/demands", response_model=DemandPage)
    async def list_demands(tenant: Town, caller: Reader, paging: Pages, case_id: CaseId = None) -> Response:
        """What the caller has to pay or had to; staff and clerk systems see everybody's."""
        account = caller.principal.subject if caller.principal.kind == "person" else None
        rows = await demands.listed(tenant, account, case_id, paging)
        return _private_json(page(rows, paging, lambda row: _demand(row.state, providers), list_cursor))

    @router.get("/demands/{demand_id}", response_model=DemandAnswer)
    async def read_demand(tenant: Town, demand_id: DemandId, caller: Reader) -> Response:
        """A demand as it stands now."""
        row = await _readable_demand(demands, tenant, demand_id, caller.principal)
        return _private_json(_demand(row.state, providers), row.etag)

    @router.get("/demands/{demand_id}/request", response_model=RequestAnswer)
    async def read_request(tenant: Town, demand_id: DemandId, caller: Reader) -> Response:
        """A demand as it was made: the `dataref` of `payment_requested`. Never changes."""
        row = await _readable_demand(demands, tenant, demand_id, caller.principal)
        return _private_json(_request(row.state))

    return router


def _paying(handlers: Handlers, providers: Providers, checkout: Checkout) -> Router:
    router = Router("/payments/v1/{tenant}", tags=["paying"])

    @router.post("/demands/{demand_id}/checkout", response_model=CheckoutAnswer)
    async def check_out(tenant: Town, demand_id: DemandId, caller: Payer) -> Response:
        """Where the payer pays. While an attempt is live, its page again: one charge for one demand.

        503 with Retry-After where the provider doesn't answer: it goes on by itself; repeat with the same key.
        """
        attempt_id, url = await checkout.begin(caller.change, tenant, demand_id, caller.principal.subject)
        return _private_json({"demand_id": demand_id, "attempt_id": attempt_id, "redirect_url": url})

    @router.post("/demands/{demand_id}/check", response_model=DemandAnswer, status_code=202)
    async def check(tenant: Town, demand_id: DemandId, caller: PayerOrCashier) -> Response:
        """The payer is back: asks the provider at once, behind this answer. Coming back proves nothing by itself."""
        return respond(
            await handlers.request_look(
                caller.change,
                tenant,
                demand_id,
                lambda demand: _require_access(demand, caller.principal),
                lambda after: Answer(202, _demand(after.state, providers)),
            )
        )

    @router.get("/demands/{demand_id}/returned", response_class=HTMLResponse, responses=_HTML)
    async def returned(tenant: Town, demand_id: DemandId, caller: Anybody) -> Response:
        """Where payers come back to, for towns whose portal has no such page. Shows and changes nothing."""
        del tenant, demand_id, caller
        return HTMLResponse(
            RETURNED, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

    return router


def _ledger(ledger: Ledger, clock: Clock) -> Router:
    router = Router("/payments/v1/{tenant}", tags=["ledger"])

    @router.get("/ledger", response_model=LedgerPage)
    async def read_ledger(
        tenant: Town,
        caller: Cashier,  # noqa: ARG001 - says who may
        paging: Pages,
        first: FirstDay = None,
        last: LastDay = None,
    ) -> Response:
        """The bookings of a period in order, at most 366 days, and the sums that prove that they balance."""
        period = _period(first, last, legal_date(clock.now()))
        rows = await ledger.listed(tenant, period, paging)
        totals = await ledger.totals(tenant, period)
        return _private_json(
            {
                "first_day": period.first.isoformat(),
                "last_day": period.last.isoformat(),
                **page(rows, paging, _booking, ledger_cursor),
                "accounts": [_total(total) for total in totals],
                "proof": _proof(totals),
            }
        )

    return router


def _period(first: date | None, last: date | None, today: date) -> Period:
    ends = last or today
    begins = first or ends.replace(day=1)
    if not 0 <= (ends - begins).days < MAX_DAYS or not 1970 <= begins.year <= ends.year <= 9000:
        raise BadRequest(f"a period goes forward and has at most {MAX_DAYS} days")
    return Period(begins, ends)


async def _readable_demand(demands: Demands, tenant: str, demand_id: str, principal: Principal) -> Snapshot[Demand]:
    row = await demands.store.require(tenant, demand_id)
    _require_access(row.state, principal)
    return row


def _require_access(demand: Demand, principal: Principal) -> None:
    """Staff and machines were admitted by role or scope; a person sees what is theirs to pay.

    Raises:
        NotFound: it isn't theirs.
    """
    if principal.kind == "person":
        attempts.require_payer(demand, principal.subject)
    elif principal.kind == "anonymous":
        raise NotFound("no such demand", id=demand.demand_id)


# Rendering


def _private_json(body: dict[str, Any], etag: str | None = None) -> Response:
    return JSONResponse(body, headers=_PRIVATE | ({"ETag": etag} if etag else {}))


def _request(demand: Demand) -> dict[str, Any]:
    answer = RequestAnswer(
        demand_id=demand.demand_id,
        case_id=demand.case_id,
        case_reference=demand.case_reference,
        assessment_id=demand.assessment_id,
        service_id=demand.service_id,
        timing=demand.timing,
        payer_id=demand.payer_id,
        amount=_money(demand.amount.cents, demand),
        items=[ItemAnswer(fee=item.fee, amount=_money(item.amount.cents, demand)) for item in demand.items],
        payment_reference=demand.payment_reference,
        due_on=demand.due_on,
        requested_at=demand.requested_at,
    )
    return answer.model_dump(mode="json")


def _demand(demand: Demand, providers: Providers) -> dict[str, Any]:
    overdue = demand.overdue and demand.status is Status.OPEN
    return {
        **_request(demand),
        "status": "overdue" if overdue else demand.status.value,
        "outstanding": _money(demand.outstanding.cents, demand).model_dump(),
        "payable_online": attempts.payable_online(demand, providers.of(demand.tenant).max_cents),
        "message": status_text(demand).model_dump(),
        "attempts": [_attempt(attempt, demand).model_dump(mode="json") for attempt in demand.attempts],
    }


def _attempt(attempt: Attempt, demand: Demand) -> AttemptAnswer:
    return AttemptAnswer(
        attempt_id=attempt.attempt_id,
        phase=attempt.phase,
        amount=_money(attempt.cents, demand),
        started_at=attempt.started_at,
        looked_at=attempt.looked_at,
    )


def _money(cents: int, demand: Demand) -> MoneyAnswer:
    return MoneyAnswer(cents=cents, currency=demand.amount.currency)


def _booking(row: Document) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in {"_id", "tenant"}}
    return {"booking_id": row["_id"], **kept}


def _total(total: Total) -> dict[str, Any]:
    return {
        "account": total.account,
        "name": ACCOUNTS[Account(total.account)].model_dump(),
        "currency": total.currency,
        "debit": total.debit,
        "credit": total.credit,
        "balance": total.debit - total.credit,
    }


def _proof(totals: list[Total]) -> list[dict[str, Any]]:
    proofs = []
    for currency in sorted({total.currency for total in totals}):
        debit = sum(total.debit for total in totals if total.currency == currency)
        credit = sum(total.credit for total in totals if total.currency == currency)
        proofs.append({"currency": currency, "debit": debit, "credit": credit, "difference": debit - credit})
    return proofs
