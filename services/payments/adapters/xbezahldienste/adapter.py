"""XBezahldienste as derived from its published documentation (examples/payment_provider/*-derived-openapi.json).

Unverified there, and so here: HTTP statuses beside the functional codes, the token's address, and that the answer
repeats the request. No conformance is claimed. The look-up by `requestId` is an extension: without it, an attempt
whose first answer was lost stays unopened (nobody can pay it) and is reported as refused with PAYMENT_EXISTS.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, quote_plus

import httpx

from chassis.errors import ConfigurationError
from services.payments.adapters.base import Bill, ProviderAway, ProviderRefused, TransactionUnknown
from services.payments.adapters.xbezahldienste.messages import (
    MAX_CENTS,
    MAX_LINES,
    PAYMENT_EXISTS,
    body_of,
    functional_code,
    require_success,
    status_of,
)
from services.payments.domain.provider_status import ProviderStatus, TransactionState
from services.payments.settings import Settings

_RENEW_SECONDS = 30.0
"""A token is renewed this long before it ends."""


class XBezahldienste:
    """`Provider` over HTTP."""

    max_cents = MAX_CENTS
    max_lines = MAX_LINES

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(timeout=settings.provider_timeout_seconds, transport=transport)
        self._base = settings.provider_url.rstrip("/")
        self._token_url = settings.provider_token_url or f"{self._base}/oauth/token"
        self._token = ""
        self._token_ends = 0.0
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """See `Provider.check`.

        Raises:
            ConfigurationError: its client isn't set.
        """
        if not self._settings.provider_client_id or not self._settings.provider_client_secret.get_secret_value():
            raise ConfigurationError(
                "set RATHAUS_PROVIDER_CLIENT_ID and RATHAUS_PROVIDER_CLIENT_SECRET: without them nobody can pay online"
            )

    async def open(self, tenant: str, bill: Bill) -> ProviderStatus:
        """See `Provider.open`."""
        async with self._within_timeout():
            answer = await self._request("POST", self._url(tenant), content=body_of(bill))
            if functional_code(answer) == PAYMENT_EXISTS:
                answer = await self._request("GET", self._url(tenant), params={"requestId": bill.request_id})
                if answer.status_code == httpx.codes.NOT_FOUND:
                    raise ProviderRefused(PAYMENT_EXISTS)
            status = status_of(answer)
        if status.state is TransactionState.OPEN and status.redirect_url is None:
            raise ProviderRefused("NO_REDIRECT")
        return status

    async def look(self, tenant: str, transaction_id: str) -> ProviderStatus:
        """See `Provider.look`."""
        async with self._within_timeout():
            answer = await self._request("GET", f"{self._url(tenant)}/{quote(transaction_id, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise TransactionUnknown("the provider knows no such transaction")
        return status_of(answer)

    async def close(self) -> None:
        """See `Provider.close`."""
        await self._client.aclose()

    @asynccontextmanager
    async def _within_timeout(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.provider_timeout_seconds):
                yield
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderAway("the payment provider does not answer") from error

    def _url(self, tenant: str) -> str:
        ids = (self._settings.provider_originator_id, self._settings.provider_endpoint_id)
        originator, endpoint = (quote(each.replace("{tenant}", tenant), safe="") for each in ids)
        return f"{self._base}/paymenttransaction/{originator}/{endpoint}"

    async def _request(
        self, method: str, url: str, *, content: bytes | None = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        answer = await self._send(method, url, content, params)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token_ends = 0.0  # it may have ended early: try once more with a new one
            answer = await self._send(method, url, content, params)
        return answer

    async def _send(
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
        require_success(answer)
        try:
            given = answer.json()
            self._token = str(given["access_token"])
            lifetime = float(given.get("expires_in", 60))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ProviderAway("the payment provider gave no token") from None
        self._token_ends = time.monotonic() + max(1.0, lifetime - _RENEW_SECONDS)
