"""Requests and answers of XBezahldienste as JSON, with its vocabulary and limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from services.payments.adapters.base import Bill, BillLine, ProviderAway, ProviderRefused
from services.payments.domain.provider_status import ProviderStatus, TransactionState

MAX_CENTS = 99_999_900
"""`grosAmount` is 999999 at most."""
MAX_LINES = 99
"""`items` has 1 to 99 entries."""
PAYMENT_EXISTS = "PAYMENT_EXISTS"
"""`functionalCode`: there is a transaction for this `requestId` already."""

_STATES = {
    "INITIAL": TransactionState.OPEN,
    "PAYED": TransactionState.PAID,
    "FAILED": TransactionState.FAILED,
    "CANCELED": TransactionState.CANCELED,
}
_METHODS = frozenset({"GIROPAY", "PAYDIRECT", "CREDITCARD", "PAYPAL", "OTHER"})
_MAX_URL_LENGTH = 2082
_BUSY = frozenset({408, 425, 429})

# Requests


def body_of(bill: Bill) -> bytes:
    """Returns a PaymentRequest as JSON. Amounts are written from whole cents, without a float in between."""
    return orjson.dumps(
        {
            "requestId": bill.request_id,
            "requestTimestamp": bill.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "currency": bill.currency,
            "grosAmount": _amount(bill.cents),
            "purpose": bill.purpose,
            "redirectUrl": bill.return_url,
            "items": [_item(number, line, bill.purpose) for number, line in enumerate(bill.lines, start=1)],
        }
    )


def _item(number: int, line: BillLine, reference: str) -> dict[str, Any]:
    """Municipal fees carry no VAT: net is gross."""
    return {
        "id": str(number),
        "reference": reference,
        "description": line.fee,
        "taxRate": 0,
        "quantity": 1,
        "totalNetAmount": _amount(line.cents),
        "totalTaxAmount": 0,
        "singleNetAmount": _amount(line.cents),
        "singleTaxAmount": 0,
        "bookingData": {**line.booking_data, "fee": line.fee},
    }


def _amount(cents: int) -> orjson.Fragment:
    return orjson.Fragment(f"{cents // 100}.{cents % 100:02d}")


# Answers


def require_success(answer: httpx.Response) -> None:
    """Raises ProviderAway for errors that pass, and ProviderRefused for the others."""
    if answer.is_success:
        return
    if answer.status_code in _BUSY or answer.is_server_error:
        raise ProviderAway(f"the payment provider answered {answer.status_code}")
    raise ProviderRefused(functional_code(answer) or str(answer.status_code))


def functional_code(answer: httpx.Response) -> str | None:
    """The code of a SystemResponse; None for success, or where there is none."""
    if answer.is_success:
        return None
    document = _read(answer)
    code = document.get("functionalCode")
    return code if isinstance(code, str) and code.isidentifier() and len(code) <= 40 else None


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = json.loads(answer.text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def status_of(answer: httpx.Response) -> ProviderStatus:
    """Returns what a PaymentTransaction says. What is missing or malformed in it is None: the domain decides on it.

    Raises:
        ProviderAway, ProviderRefused: the answer is an error, or has no status or no transaction id.
    """
    require_success(answer)
    document = _read(answer)
    information, request = _part(document, "paymentInformation"), _part(document, "paymentRequest")
    status, transaction_id = information.get("status"), _text(information, "transactionId")
    if not isinstance(status, str) or status not in _STATES or transaction_id is None:
        raise ProviderRefused("UNREADABLE")
    method = _text(information, "paymentMethod")
    return ProviderStatus(
        state=_STATES[status],
        transaction_id=transaction_id,
        redirect_url=_browser_url(_text(information, "transactionRedirectUrl")),
        request_id=_text(request, "requestId"),
        cents=_cents(request.get("grosAmount")),
        currency=_text(request, "currency"),
        purpose=_text(request, "purpose"),
        method=method.lower() if method is not None and method in _METHODS else "other",
    )


def _part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(part: Mapping[str, Any], name: str) -> str | None:
    value = part.get(name)
    return value if isinstance(value, str) and value else None


def _cents(amount: object) -> int | None:
    """Whole cents, or None for what isn't an amount of money."""
    if not isinstance(amount, int | Decimal) or isinstance(amount, bool) or not 0 <= amount <= 10**9:
        return None
    cents = Decimal(amount) * 100
    return int(cents) if cents == int(cents) else None


def _browser_url(url: str | None) -> str | None:
    """Returns a URL that a browser may be sent to, http or https; None for javascript:, data: and the like."""
    if url is None or len(url) > _MAX_URL_LENGTH or any(char.isspace() or not char.isprintable() for char in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None
