"""The platform's HTTP interface, as a clerk system uses it: its own token, one submission, one decision."""

import time
from typing import Any, Final

import httpx

from .register import Decision
from .settings import Settings

EARLY_SECONDS: Final = 30.0  # a token is renewed this long before it ends
TEMPORARY: Final = frozenset({401, 408, 425, 429})


class Away(Exception):
    """No answer at present, or none that tells the outcome: asking again is right, and safe by its key."""


class Refused(Exception):
    """An answer that asking again wouldn't change: a person has to look at it."""


class AlreadyDecided(Exception):
    """The case has its decision: nothing is left to do."""


class Gateway:
    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        timeout = httpx.Timeout(10, connect=2)
        self._client = httpx.AsyncClient(base_url=settings.gateway_url, timeout=timeout, transport=transport)
        self._token = ""
        self._token_ends = 0.0

    async def submission(self, dataref: str) -> dict[str, Any]:
        """What was handed in: the immutable version that an event's `dataref` names."""
        if not dataref.startswith("/applications/"):
            raise Refused("the dataref leads elsewhere")  # where our token has no business
        answer = await self._send("GET", dataref)
        if answer.status_code != 200:
            raise Refused(f"the submission: {answer.status_code}")
        found: dict[str, Any] = answer.json()
        return found

    async def decide(self, case_id: str, decision: Decision, key: str) -> None:
        """Decides a case; the same key and decision have one effect, however often they are sent."""
        case = f"/applications/v1/{self._settings.tenant}/cases/{case_id}"
        answer = await self._send("POST", f"{case}/decisions", headers={"Idempotency-Key": key}, json=decision.body())
        if answer.is_success:
            return
        problem = answer.json() if answer.headers.get("content-type", "").endswith("json") else {}
        # The register may have changed since a first answer that nobody heard: that first one counts.
        if str(problem.get("type", "")).endswith("/idempotency_key_reused"):
            raise AlreadyDecided
        if answer.status_code == 409:
            await self._explain_conflict(case, problem)
        raise Refused(f"the decision: {answer.status_code} {problem.get('title', '')}".strip())

    async def _explain_conflict(self, case: str, problem: dict[str, Any]) -> None:
        """409 means decided, withdrawn or closed: or only that somebody else wrote at the same moment."""
        if "decision_id" in problem:
            raise AlreadyDecided
        known = await self._send("GET", case)
        if known.status_code == 200 and known.json().get("status") in {"decided", "closed"}:
            raise AlreadyDecided
        raise Away("409")

    async def close(self) -> None:
        await self._client.aclose()

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._fresh_token()}", **more.pop("headers", {})}
        try:
            answer = await self._client.request(method, path, headers=headers, **more)
        except httpx.HTTPError as error:
            raise Away(type(error).__name__) from None
        if answer.status_code == 401:
            self._token_ends = 0.0
        if answer.status_code in TEMPORARY or answer.status_code >= 500:
            raise Away(str(answer.status_code))
        return answer

    async def _fresh_token(self) -> str:
        if time.monotonic() < self._token_ends:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
        }
        try:
            answer = await self._client.post("/identity/v1/token", data=form)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Away(f"no token: {type(error).__name__}") from None
        given = answer.json()
        self._token = given["access_token"]
        self._token_ends = time.monotonic() + max(1.0, float(given["expires_in"]) - EARLY_SECONDS)
        return self._token
