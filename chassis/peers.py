"""Calls to other services: fetching what an event's `dataref` names, with this service's own rights."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from chassis import chance, context
from chassis.errors import ConfigurationError, NotFound, PeerAway, Rejected
from chassis.settings import ServiceSettings

_EARLY_SECONDS = 30.0
"""A token is renewed this long before it ends."""


class Peers:
    """The other services, as this one's machine client may use them.

    For due work and requests, never for subscribers.
    """

    def __init__(self, settings: ServiceSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._token = ""
        self._token_ends = 0.0
        self._lock = asyncio.Lock()

    @functools.cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made with the first call: it reads the machine's certificates, which takes 20 ms."""
        return httpx.AsyncClient(timeout=httpx.Timeout(5, connect=1), transport=self._transport)

    async def get(self, dataref: str) -> dict[str, Any]:
        """The JSON that a reference names.

        Raises:
            NotFound: there is none, or it isn't ours to read.
            PeerAway: the other service can't be reached at present.
        """
        answer = await self._asked(dataref)
        found: dict[str, Any] = answer.json()
        return found

    @asynccontextmanager
    async def stream(self, dataref: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A file's bytes, never whole in memory. Raises as `get`."""
        request = self._client.build_request("GET", self._url(dataref), headers=await self._headers())
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise PeerAway(f"{dataref} can't be fetched at present") from error
        try:
            self._check(answer, dataref)
            yield answer.aiter_bytes()
        finally:
            await answer.aclose()

    async def _asked(self, dataref: str) -> httpx.Response:
        try:
            answer = await self._client.get(self._url(dataref), headers=await self._headers())
        except httpx.HTTPError as error:
            raise PeerAway(f"{dataref} can't be fetched at present") from error
        if answer.status_code == 401:
            self._token_ends = 0.0
        self._check(answer, dataref)
        return answer

    @staticmethod
    def _check(answer: httpx.Response, dataref: str) -> None:
        if answer.status_code in {401, 408, 425, 429} or answer.status_code >= 500:
            raise PeerAway(f"{dataref} answered {answer.status_code}")
        if answer.status_code in {403, 404, 410}:
            raise NotFound(f"{dataref} answered {answer.status_code}")
        if answer.status_code != 200:
            raise Rejected(f"{dataref} answered {answer.status_code}")

    def _url(self, dataref: str) -> str:
        service = dataref.split("/")[1]
        base = self._settings.service_urls.get(service)
        if base is None:
            raise ConfigurationError(f"RATHAUS_SERVICE_URLS doesn't say where {service} is")
        return base.rstrip("/") + dataref

    async def _headers(self) -> dict[str, str]:
        here = context.current()
        token = await self._fresh_token()
        return {
            "Authorization": f"Bearer {token}",
            "traceparent": here.traceparent,
            "X-Request-Id": here.correlation_id,
        }

    async def _fresh_token(self) -> str:
        async with self._lock:
            if chance.monotonic() >= self._token_ends:
                await self._sign_in()
            return self._token

    async def _sign_in(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        try:
            answer = await self._client.post(self._url("/identity/v1/token"), data=form)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise PeerAway("identity gave no token") from error
        given = answer.json()
        self._token = given["access_token"]
        self._token_ends = chance.monotonic() + max(1.0, float(given["expires_in"]) - _EARLY_SECONDS)

    async def close(self) -> None:
        """Closes its connections."""
        if "_client" in self.__dict__:
            await self._client.aclose()
