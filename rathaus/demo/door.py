"""The gateway as one client uses it: a token, an Idempotency-Key for each move, patience while something is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import httpx

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""So long a move is repeated, with the same key, while the platform answers that it should be."""
_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
_AGAIN = frozenset({429, 502, 503, 504})


class Refused(Exception):
    """An answer that isn't the one expected. The text names request and answer, and holds nothing of their content."""

    def __init__(self, asked: str, answer: httpx.Response) -> None:
        problem = _problem(answer)
        said = " ".join(str(problem[each]) for each in ("title", "detail") if problem.get(each))
        findings = "".join(f"\n    {each}" for each in problem.get("errors", []))
        request = f" (request {problem['instance']})" if problem.get("instance") else ""
        super().__init__(f"{asked} answered {answer.status_code} {said}{request}{findings}")
        self.status = answer.status_code


class Away(Exception):
    """No answer that tells the outcome within the patience."""


class NotInTime(Exception):
    """What was waited for didn't come."""


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    body: Any
    """JSON; bytes of a file."""
    etag: str


class Door:
    """One caller's way through the gateway."""

    def __init__(
        self,
        gateway_url: str,
        *,
        patience: float = PATIENCE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        timeout = httpx.Timeout(12, connect=2)
        self._client = httpx.AsyncClient(base_url=gateway_url, timeout=timeout, transport=transport)
        self._patience = patience
        self._headers: dict[str, str] = {}

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    # Who calls

    async def sign_in(self, tenant: str, person: str) -> None:
        """As an invented person or member of staff."""
        answer = await self.post(f"/identity/v1/{tenant}/demo-sign-in", {"person": person})
        self._bear(answer.body)

    async def authenticate(self, client_id: str, secret: str) -> None:
        """As a machine client (RFC 6749 § 4.4)."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._bear((await self._asked("POST", "/identity/v1/token", {}, data=form)).body)

    @property
    def authorization(self) -> str:
        """The header's value, once signed in."""
        return self._headers["Authorization"]

    def _bear(self, token: Mapping[str, Any]) -> None:
        self._headers = {"Authorization": f"Bearer {token['access_token']}"}

    # What is called

    async def get(self, path: str) -> Got:
        """Reads. Raises Refused or Away."""
        return await self._asked("GET", path, {})

    async def post(self, path: str, body: Any = None, *, key: str = "", etag: str = "") -> Got:
        """Moves something, once, however often it is sent. Raises Refused or Away."""
        headers = _headers(key, etag)
        return await self._asked("POST", path, headers, **({} if body is None else {"json": body}))

    async def put(self, path: str, body: Any, *, etag: str = "") -> Got:
        """Sets something. With a key too, so that one whose answer was lost isn't taken for another's change.

        Raises Refused or Away.
        """
        return await self._asked("PUT", path, _headers("", etag), json=body)

    async def _asked(self, method: str, path: str, headers: dict[str, str], **content: Any) -> Got:
        asked = f"{method} {path}"
        ends, pause = time.monotonic() + self._patience, _PAUSE
        while True:
            last = ""
            try:
                answer = await self._client.request(method, path, headers=self._headers | headers, **content)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code not in _AGAIN:
                    return _got(asked, answer)
                last = f"{answer.status_code} {_problem(answer).get('title', '')}".strip()
            if time.monotonic() + pause > ends:
                raise Away(f"{asked}: no answer in {self._patience:.0f} s, at last {last}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


async def eventually(
    look: Callable[[], Awaitable[T | None]], what: str, seconds: float = PATIENCE_SECONDS, pause: float = 0.02
) -> T:
    """The first value found; for what comes by events.

    Raises:
        NotInTime: it didn't come.
    """
    ends = time.monotonic() + seconds
    while True:
        found = await look()
        if found is not None:
            return found
        if time.monotonic() > ends:
            raise NotInTime(f"{what} did not come within {seconds:.0f} s")
        await asyncio.sleep(pause)


def _headers(key: str, etag: str) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())} | ({"If-Match": etag} if etag else {})


def _got(asked: str, answer: httpx.Response) -> Got:
    if not answer.is_success:
        raise Refused(asked, answer)
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return Got(answer.json() if is_json else answer.content, answer.headers.get("etag", ""))


def _problem(answer: httpx.Response) -> dict[str, Any]:
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    found = answer.json()
    return found if isinstance(found, dict) else {}
