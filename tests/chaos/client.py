"""Citizens who insist: a move is repeated with the same key until acknowledged, and what was, is remembered."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests.chaos.truth import Applied, Tally, Truth

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 3.0
_AGAIN = frozenset({401, 408, 425, 429, 500, 502, 503, 504})
PDF = b"%PDF-1.4\n"


class Impossible(Exception):
    """An answer that contradicts what was acknowledged before, or that no fault explains."""


class GaveUp(Exception):
    """No acknowledgement before the end of the whole run."""


@dataclass(slots=True)
class Plan:
    """What the load is."""

    seed: int
    rate: float = 3.0
    """Journeys that begin each second, on average, whatever became of those before; infinite: each after another."""
    most: int = 120
    """Journeys on their way at a time."""
    twins: float = 0.25
    """Share of the moves that are sent twice at once."""
    reading: float = 0.5
    """Share of the journeys that fetch the notice."""
    beside: float = 0.3
    """Share of the requests that go directly to a second instance, where there is one."""
    kinds: tuple[int, int, int] = (5, 4, 1)
    """Weights: a certificate that is paid for, a free change of bins, the same with a file."""


@dataclass(frozen=True, slots=True)
class Person:
    """One of the invented people, as the population register knows them."""

    slug: str
    given_name: str
    family_name: str
    date_of_birth: str


ERIKA = Person("erika-beispiel", "Erika", "Beispiel", "1985-04-01")
MAX = Person("max-mustermann", "Max", "Mustermann", "1979-02-28")
AYSE = Person("ayse-probe", "Ayşe", "Probe", "1992-12-24")
PEOPLE = {"witten": (ERIKA, MAX), "steinhagen": (ERIKA, MAX, AYSE)}
"""By town: those whose trust level suffices there."""


class Door:
    """The gateway, for one person; repeats with the same key until there is an answer that counts."""

    def __init__(self, load: Load, tenant: str, person: str, chance: random.Random) -> None:
        self._load = load
        self._tenant = tenant
        self._person = person
        self._chance = chance
        self._token = ""

    async def get(self, path: str, *, final: tuple[int, ...] = (200,)) -> httpx.Response:
        """Reads, until one of the final answers."""
        return await self._insist("GET", path, final, {})

    async def post(
        self, path: str, key: str, body: Any = None, *, final: tuple[int, ...] = (200, 201)
    ) -> httpx.Response:
        """Moves something; now and then sent twice at once."""
        content = {} if body is None else {"json": body}
        answer = await self._insist("POST", path, final, {"Idempotency-Key": key}, **content)
        self._load.tally.accepted += 1
        return answer

    async def put(
        self, path: str, headers: dict[str, str], *, final: tuple[int, ...] = (200,), **content: Any
    ) -> httpx.Response:
        """Sets something."""
        answer = await self._insist("PUT", path, final, headers, **content)
        if answer.status_code < 300:
            self._load.tally.accepted += 1
        return answer

    async def _insist(
        self, method: str, path: str, final: tuple[int, ...], headers: dict[str, str], **content: Any
    ) -> httpx.Response:
        tally, service = self._load.tally, path.split("/")[1]
        if not self._token:
            await self._sign_in()
        tally.asked(service)
        try:
            answer = await self._until(method, path, final, headers, content)
            tally.succeeded(service)
        finally:
            tally.left(service)
        return answer

    async def _until(
        self, method: str, path: str, final: tuple[int, ...], headers: dict[str, str], content: dict[str, Any]
    ) -> httpx.Response:
        pause, conflicts = _FIRST_PAUSE, 0
        while True:
            if not self._token:
                await self._sign_in()
            answer, why = await self._sent(method, path, headers, content)
            if answer is not None and answer.status_code in final:
                return answer
            if answer is not None and answer.status_code == 401:
                self._token = ""
            elif answer is not None and answer.status_code == 409 and conflicts < 50:
                conflicts += 1
            elif answer is not None and answer.status_code not in _AGAIN:
                raise Impossible(f"{method} {path} answered {answer.status_code} {answer.text[:300]}")
            self._load.tally.repeated[why] += 1
            if time.monotonic() > self._load.ends:
                raise GaveUp(f"{method} {path}: at last {why}")
            await asyncio.sleep(pause * self._chance.uniform(0.7, 1.3))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _sent(
        self, method: str, path: str, headers: dict[str, str], content: dict[str, Any]
    ) -> tuple[httpx.Response | None, str]:
        twice = method == "POST" and self._chance.random() < self._load.plan.twins
        if not twice:
            return await self._once(method, path, headers, content)
        self._load.tally.twins += 1
        both = await asyncio.gather(*(self._once(method, path, headers, content) for _ in range(2)))
        good = [answer for answer, _ in both if answer is not None and answer.is_success]
        if len(good) == 2 and (good[0].status_code, good[0].json()) != (good[1].status_code, good[1].json()):
            raise Impossible(f"{method} {path}: twins were answered differently: {good[0].text} / {good[1].text}")
        return next((each for each in both if each[0] in good), both[0]) if good else both[0]

    async def _once(
        self, method: str, path: str, headers: dict[str, str], content: dict[str, Any]
    ) -> tuple[httpx.Response | None, str]:
        self._load.tally.requests += 1
        beside = self._load.beside(path.split("/")[1])
        base = self._load.gateway_url
        if beside and self._chance.random() < self._load.plan.beside:
            base = self._chance.choice(beside)
        try:
            answer = await self._load.http.request(
                method, base + path, headers={**headers, "Authorization": f"Bearer {self._token}"}, **content
            )
        except httpx.TransportError as error:
            return None, type(error).__name__
        return answer, str(answer.status_code)

    async def _sign_in(self) -> None:
        tally = self._load.tally
        tally.asked("identity")
        try:
            self._token = await self._signed_in()
            tally.succeeded("identity")
        finally:
            tally.left("identity")

    async def _signed_in(self) -> str:
        pause, tally = _FIRST_PAUSE, self._load.tally
        url = f"{self._load.gateway_url}/identity/v1/{self._tenant}/demo-sign-in"
        while True:
            try:
                tally.requests += 1
                headers = {"Idempotency-Key": str(UUID(int=self._chance.getrandbits(128)))}
                answer = await self._load.http.post(url, json={"person": self._person}, headers=headers)
                if answer.is_success:
                    return str(answer.json()["access_token"])
                if answer.status_code not in _AGAIN and answer.status_code != 409:
                    raise Impossible(f"sign-in answered {answer.status_code} {answer.text[:300]}")
                why = str(answer.status_code)
            except httpx.TransportError as error:
                why = type(error).__name__
            tally.repeated[why] += 1
            if time.monotonic() > self._load.ends:
                raise GaveUp(f"sign-in: at last {why}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


@dataclass(slots=True)
class Load:
    """Everybody who applies."""

    gateway_url: str
    plan: Plan
    truth: Truth = field(default_factory=Truth)
    beside: Callable[[str], list[str]] = lambda _: []
    """Addresses of a service's further instances, at present."""
    ends: float = float("inf")
    """Monotonic time at which everybody gives up."""
    http: httpx.AsyncClient = field(init=False)
    _no_more: bool = False

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        self.http = httpx.AsyncClient(timeout=httpx.Timeout(6, connect=2), limits=limits)

    @property
    def tally(self) -> Tally:
        """Counts."""
        return self.truth.tally

    def stop(self) -> None:
        """Nobody begins any more; those on their way go on."""
        self._no_more = True

    async def run(self) -> None:
        """Until stopped and everybody arrived, or gave up at `ends`."""
        chance, going = random.Random(self.plan.seed), set[asyncio.Task[None]]()
        try:
            while not self._no_more:
                if len(going) < self.plan.most:
                    going.add(asyncio.create_task(self._one(chance)))
                if math.isinf(self.plan.rate) and len(going) >= self.plan.most:
                    await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(chance.expovariate(self.plan.rate))
                going = {each for each in going if not each.done()}
            await asyncio.gather(*going)
        finally:
            for each in going:
                each.cancel()
            await asyncio.gather(*going, return_exceptions=True)
            await self.http.aclose()

    async def _one(self, arrivals: random.Random) -> None:
        chance = random.Random(arrivals.getrandbits(64))
        applied = self._next(chance)
        self.truth.journeys.append(applied)
        try:
            await _Journey(self, applied, chance).go()
            applied.finished = True
        except GaveUp as error:
            applied.trouble = f"gave up: {error}"
        except Impossible as error:
            applied.trouble = str(error)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            applied.trouble = f"an answer without what it should have: {type(error).__name__} {error}"

    def _next(self, chance: random.Random) -> Applied:
        number = len(self.truth.journeys) + 1
        kind = chance.choices(("registration-certificate", "waste-bin-change", "waste-bin-photo"), self.plan.kinds)[0]
        pays = kind == "registration-certificate"
        tenant = "witten" if pays else "steinhagen"
        person = chance.choice(PEOPLE[tenant])
        if pays:
            data: dict[str, Any] = {
                "given_name": person.given_name,
                "family_name": person.family_name,
                "date_of_birth": person.date_of_birth,
                "purpose": chance.choice(("employer", "authority", "landlord")),
                "remark": f"{number}",
            }
        else:
            data = {"street": f"Beispielweg {number}", "house_number": "3a", "persons": 3, "new_size": "120"}
        return Applied(number, tenant, person.slug, kind, pays, data)


class _Journey:
    """One application, from the draft to the notice in hand."""

    def __init__(self, load: Load, applied: Applied, chance: random.Random) -> None:
        self._load = load
        self._applied = applied
        self._chance = chance
        self._door = Door(load, applied.tenant, applied.person, chance)
        self._path = f"/applications/v1/{applied.tenant}/applications"

    async def go(self) -> None:
        reads = self._chance.random() < self._load.plan.reading
        await self._draft()
        if self._applied.service_id == "waste-bin-photo":
            await self._attach()
        await self._submit()
        if self._applied.pays:
            await self._pay()
        if reads:
            await self._read()

    def _key(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128)))

    async def _draft(self) -> None:
        applied = self._applied
        made = await self._door.post(self._path, self._key(), {"service_id": applied.service_id})
        applied.case_id = made.json()["case_id"]
        self._path = f"{self._path}/{applied.case_id}"
        etag = made.headers["etag"]
        while True:
            saved = await self._door.put(f"{self._path}/data", {"If-Match": etag}, final=(200, 412), json=applied.data)
            if saved.status_code == 200:
                break
            seen = await self._door.get(self._path)  # the answer was lost, or it is another's
            if seen.json()["data"] == applied.data:
                break
            etag = seen.headers["etag"]
        applied.saved = True

    async def _attach(self) -> None:
        content = PDF + self._chance.randbytes(self._chance.randrange(1_000, 200_000))
        headers = {"Content-Type": "application/pdf"}
        await self._door.put(f"{self._path}/attachments/photo", headers, content=content)
        self._applied.attachment_sha256 = hashlib.sha256(content).hexdigest()

    async def _submit(self) -> None:
        said = {"confirmed": True, "consents_to_mailbox": True}
        receipt = await self._door.post(f"{self._path}/submit", self._key(), said)
        self._applied.case_reference = receipt.json()["case_reference"]

    async def _pay(self) -> None:
        applied = self._applied
        demands = f"/payments/v1/{applied.tenant}/demands"

        async def _found() -> str:
            items = (await self._door.get(f"{demands}?case_id={applied.case_id}")).json()["items"]
            return items[0]["demand_id"] if items else ""

        applied.demand_id = await self._eventually(_found, "the demand")
        await self._door.post(f"{demands}/{applied.demand_id}/checkout", self._key(), final=(200, 201))
        applied.checked_out = True

    async def _read(self) -> None:
        applied = self._applied

        async def _found() -> str:
            notices = (await self._door.get(self._path)).json()["notices"]
            return notices[0]["notice_id"] if notices and notices[0]["status"] != "issued" else ""

        notice_id = await self._eventually(_found, "the notice")
        path = f"/notifications/v1/{applied.tenant}/mailbox/{notice_id}/document"
        document = await self._door.get(path)
        applied.document_sha256 = hashlib.sha256(document.content).hexdigest()
        applied.notice_id = notice_id

    async def _eventually(self, look: Callable[[], Any], what: str) -> str:
        pause = 0.2
        while True:
            found: str = await look()
            if found:
                return found
            if time.monotonic() > self._load.ends:
                raise GaveUp(f"{what} never came")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)
