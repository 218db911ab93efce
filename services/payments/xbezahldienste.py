"""XBezahldienste as derived from its published documentation (examples/payment_provider/*-derived-openapi.json).

Unverified there, and so here: HTTP statuses beside the functional codes, the token's address, and that the answer
repeats the request. No conformance is claimed. The look-up by `requestId` is an extension: without it, an attempt
whose first answer was lost stays unopened (nobody can pay it) and is reported as refused with PAYMENT_EXISTS.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import orjson

from services.payments.domain.demands import Said, Word
from services.payments.provider import Bill, BillLine, ProviderAway, ProviderRefused, TransactionUnknown
from services.payments.settings import Settings

_EARLY_SECONDS = 30.0
"""A token is renewed this long before it ends."""
_BUSY = frozenset({408, 425, 429})
_STATUSES = frozenset(said.value for said in Said)
_METHODS = frozenset({"GIROPAY", "PAYDIRECT", "CREDITCARD", "PAYPAL", "OTHER"})
_LONGEST_URL = 2082
_EXISTS = "PAYMENT_EXISTS"


class XBezahldienste:
    """`Provider` over HTTP."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(timeout=settings.provider_timeout_seconds, transport=transport)
        self._base = settings.provider_url.rstrip("/")
        self._token_url = settings.provider_token_url or f"{self._base}/oauth/token"
        self._token = ""
        self._token_ends = 0.0
        self._lock = asyncio.Lock()

    async def open(self, tenant: str, bill: Bill) -> Word:
        """See `Provider.open`."""
        async with self._in_time():
            answer = await self._asked("POST", self._url(tenant), content=body_of(bill))
            if _functional_code(answer) == _EXISTS:
                answer = await self._asked("GET", self._url(tenant), params={"requestId": bill.request_id})
                if answer.status_code == httpx.codes.NOT_FOUND:
                    raise ProviderRefused(_EXISTS)
            word = _understood(answer)
        if word.said is Said.INITIAL and word.redirect_url is None:
            raise ProviderRefused("NO_REDIRECT")
        return word

    async def look(self, tenant: str, transaction_id: str) -> Word:
        """See `Provider.look`."""
        async with self._in_time():
            answer = await self._asked("GET", f"{self._url(tenant)}/{quote(transaction_id, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise TransactionUnknown("the provider knows no such transaction")
        return _understood(answer)

    async def close(self) -> None:
        """See `Provider.close`."""
        await self._client.aclose()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.provider_timeout_seconds):
                yield
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderAway("the payment provider does not answer") from error

    def _url(self, tenant: str) -> str:
        ids = (self._settings.provider_originator_id, self._settings.provider_endpoint_id)
        originator, endpoint = (quote(each.replace("{tenant}", tenant), safe="") for each in ids)
        return f"{self._base}/paymenttransaction/{originator}/{endpoint}"

    async def _asked(
        self, method: str, url: str, *, content: bytes | None = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        answer = await self._sent(method, url, content, params)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token_ends = 0.0  # ended before its time, perhaps: once more with a new one
            answer = await self._sent(method, url, content, params)
        return answer

    async def _sent(
        self, method: str, url: str, content: bytes | None, params: Mapping[str, str] | None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._fresh_token()}", "Content-Type": "application/json"}
        return await self._client.request(method, url, content=content, params=params, headers=headers)

    async def _fresh_token(self) -> str:
        async with self._lock:
            if time.monotonic() >= self._token_ends:
                await self._sign_in()
            return self._token

    async def _sign_in(self) -> None:
        """Client credentials (RFC 6749 § 4.4), both halves form-encoded before they are joined (§ 2.3.1)."""
        halves = (self._settings.provider_client_id, self._settings.provider_client_secret.get_secret_value())
        basic = base64.b64encode(":".join(map(quote_plus, halves)).encode()).decode()
        answer = await self._client.post(
            self._token_url, data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
        )
        _check(answer)
        try:
            given = answer.json()
            self._token = str(given["access_token"])
            lifetime = float(given.get("expires_in", 60))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ProviderAway("the payment provider gave no token") from None
        self._token_ends = time.monotonic() + max(1.0, lifetime - _EARLY_SECONDS)


# What we ask


def body_of(bill: Bill) -> bytes:
    """A PaymentRequest as JSON. Amounts are written digit by digit from whole cents, never by way of a float."""
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


# What we hear


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    if answer.status_code in _BUSY or answer.is_server_error:
        raise ProviderAway(f"the payment provider answered {answer.status_code}")
    raise ProviderRefused(_functional_code(answer) or str(answer.status_code))


def _functional_code(answer: httpx.Response) -> str | None:
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


def _understood(answer: httpx.Response) -> Word:
    """A PaymentTransaction as a word. What is missing or malformed in it is left unstated: the domain judges."""
    _check(answer)
    document = _read(answer)
    information, request = _part(document, "paymentInformation"), _part(document, "paymentRequest")
    status, transaction_id = information.get("status"), _text(information, "transactionId")
    if not isinstance(status, str) or status not in _STATUSES or transaction_id is None:
        raise ProviderRefused("UNREADABLE")
    method = _text(information, "paymentMethod")
    return Word(
        said=Said(status),
        transaction_id=transaction_id,
        redirect_url=_web_address(_text(information, "transactionRedirectUrl")),
        request_id=_text(request, "requestId"),
        cents=_cents(request.get("grosAmount")),
        currency=_text(request, "currency"),
        purpose=_text(request, "purpose"),
        method=method.lower() if method is not None and method in _METHODS else "other",
    )


def _part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _text(part: Mapping[str, Any], name: str) -> str | None:
    found = part.get(name)
    return found if isinstance(found, str) and found else None


def _cents(amount: object) -> int | None:
    """Whole cents, or None for what isn't an amount of money."""
    if not isinstance(amount, int | Decimal) or isinstance(amount, bool) or not 0 <= amount <= 10**9:
        return None
    cents = Decimal(amount) * 100
    return int(cents) if cents == int(cents) else None


def _web_address(url: str | None) -> str | None:
    """An address that a browser may be sent to: never javascript:, data: and their like."""
    if url is None or len(url) > _LONGEST_URL or any(sign.isspace() or not sign.isprintable() for sign in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None
