"""XBezahldienste, as derived: initiate a payment, read it, ask for the status of an endpoint.

Unverified, since the published documentation did not show it: the HTTP statuses beside the functional codes, whether a
requestId is unique in an endpoint or beyond it, and what CALCULATION_ERROR checks. The lookup by requestId is this
example's own and is marked `x-extension` in `/openapi.json`.
"""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from . import derived, handlers
from .cut import LostAnswer
from .oauth import require_token
from .problems import NoSuchEndpoint, NotValid, TooLarge
from .provider import Desk, Provider
from .rules import Address, Mode, Payment, Status

LARGEST_BODY: Final = 256 * 1024
EXTENSION: Final = "This example's own, no part of XBezahldienste: finds a transaction again after its answer was lost."

router = APIRouter(dependencies=[require_token])


def _address(originatorId: str, endPointId: str) -> Address:  # noqa: N803 - the standard's names
    if not derived.is_identifier(originatorId) or not derived.is_identifier(endPointId):
        raise NoSuchEndpoint("originatorId or endPointId is not of the form of an identifier.")
    return Address(originatorId, endPointId)


At = Annotated[Address, Depends(_address)]


@router.post("/paymenttransaction/{originatorId}/{endPointId}")
async def initiate_payment_transaction(request: Request, at: At, desk: Desk) -> Response:
    text = await _text(request)
    initiated = await run_in_threadpool(
        handlers.initiate_payment, desk.store, at, text, transaction_id=desk.new_id(), now=desk.now()
    )
    match initiated.switches.mode:
        case Mode.LOST_ANSWER:
            return LostAnswer()
        case Mode.DELAY:
            await desk.sleep(initiated.switches.delay_seconds)
        case _:
            pass
    return JSONResponse(payment_transaction(initiated.payment, desk))


@router.get("/paymenttransaction/{originatorId}/{endPointId}", openapi_extra={"x-extension": EXTENSION})
async def find_payment_transaction(
    request_id: Annotated[str, Query(alias="requestId")], at: At, desk: Desk
) -> Response:
    if not derived.is_identifier(request_id):
        raise NotValid("requestId: pattern")
    await run_in_threadpool(handlers.refuse_if_down, desk.store)
    payment = await run_in_threadpool(handlers.find_payment_of_request, desk.store, at, request_id)
    return JSONResponse(payment_transaction(payment, desk))


@router.get("/paymenttransaction/{originatorId}/{endPointId}/{transactionId}")
async def get_payment_transaction(transactionId: str, at: At, desk: Desk) -> Response:  # noqa: N803 - the standard's name
    await run_in_threadpool(handlers.refuse_if_down, desk.store)
    payment = await run_in_threadpool(handlers.find_payment, desk.store, at, transactionId)
    return JSONResponse(payment_transaction(payment, desk))


@router.get("/status/{originatorId}/{endPointId}")
async def get_status_by_ids(at: At, desk: Desk) -> Response:  # noqa: ARG001 - `at` checks the path
    await run_in_threadpool(handlers.refuse_if_down, desk.store)
    body = {"type": "about:blank", "status": 200, "title": "OK", "detail": "Payments can be initiated. (Simulated.)"}
    return JSONResponse(body, media_type="application/problem+json")


def payment_transaction(payment: Payment, desk: Provider) -> dict[str, Any]:
    now = desk.now()
    status, at = payment.status(now), payment.address
    own = f"{desk.settings.public_url}/paymenttransaction/{at.originator_id}/{at.end_point_id}/{payment.transaction_id}"
    information = {
        "transactionUrl": own,
        "transactionRedirectUrl": f"{desk.settings.public_url}/pay/{payment.transaction_id}",
        "transactionId": payment.transaction_id,
        "transactionReference": f"SIM-{payment.transaction_id[:8].upper()}",
        "transactionTimestamp": payment.status_since(now).isoformat(),
        "status": status.value,
        "statusDetail": "Simulated; no money has moved.",
    }
    if status is Status.PAYED:
        information["paymentMethod"] = "OTHER"
    return {"paymentInformation": information, "paymentRequest": json.loads(payment.request)}


async def _text(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise TooLarge(f"A request has at most {LARGEST_BODY} bytes.")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise NotValid("The body is not UTF-8.") from None
