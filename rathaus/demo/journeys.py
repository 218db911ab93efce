"""The two journeys, as a portal would make them for a citizen: only the gateway, and the payment provider's page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rathaus.demo import browser
from rathaus.demo.door import PATIENCE_SECONDS, Door, Refused, eventually

Step = Callable[[str], AbstractContextManager[object]]
"""Names what is done next; entered while it lasts."""

NOTICE_EVENTS = ("notice_issued", "notice_provided", "notification_sent", "notice_retrieved", "notice_announced")


@dataclass(frozen=True, slots=True)
class Journey:
    """What a person wants, and which events should come of it: for each stream those of its one subject, in order."""

    title: str
    tenant: str
    person: str
    """Of the invented people: their slug."""
    service_id: str
    words: str
    """By which they search for it."""
    data: Mapping[str, Any]
    expected: Mapping[str, tuple[str, ...]]
    pays: bool = False


CERTIFICATE = Journey(
    title="Witten: a registration certificate, with a fee, decided by the population register",
    tenant="witten",
    person="erika-beispiel",
    service_id="registration-certificate",
    words="melde",
    data={"given_name": "Erika", "family_name": "Beispiel", "date_of_birth": "1985-04-01", "purpose": "employer"},
    expected={
        "applications": (
            "application_submitted",
            "fee_assessed",
            "application_complete",
            "decision_made",
            "case_closed",
        ),
        "payments": ("payment_requested", "payment_received"),
        "notifications": NOTICE_EVENTS,
    },
    pays=True,
)

WASTE_BIN = Journey(
    title="Steinhagen: another waste bin, free, decided by rule",
    tenant="steinhagen",
    person="ayse-probe",
    service_id="waste-bin-change",
    words="tonne",
    data={"street": "Beispielweg", "house_number": "3a", "persons": 3, "new_size": "120"},
    expected={
        "applications": ("application_submitted", "application_complete", "decision_made", "case_closed"),
        "notifications": NOTICE_EVENTS,
    },
)


@dataclass(slots=True)
class Story:
    """One journey as it went."""

    journey: Journey
    case_id: str = ""
    case_reference: str = ""
    submitted: float = 0.0
    """Seconds of the monotonic clock, as are all times here: when the submission was sent."""
    provided: float = 0.0
    """When the notice stood in the mailbox."""
    paid: float = 0.0
    """When the payer had pressed the button, where there was a fee."""
    notice_id: str = ""
    document: Path | None = None

    @property
    def seconds_to_notice(self) -> float:
        """From the submission to the notice, the payer's own time included."""
        return self.provided - self.submitted


@dataclass(slots=True)
class Citizen:
    """Somebody at a portal."""

    gateway_url: str
    step: Step = field(default=lambda _: nullcontext())
    patience: float = PATIENCE_SECONDS
    documents: Path | None = None
    """Where notices are kept; None: they are fetched and forgotten."""

    async def apply(self, journey: Journey) -> Story:
        """From the sign-in to the document in hand. Raises what the step raises that didn't go well."""
        return await _Visit(self, journey).apply()

    async def see_closed(self, story: Story) -> None:
        """Waits until the notice is in effect and the case is closed."""
        await _Visit(self, story.journey).see_closed(story)


class _Visit:
    """One sign-in at the portal."""

    def __init__(self, citizen: Citizen, journey: Journey) -> None:
        self._citizen = citizen
        self._journey = journey
        self._door = Door(citizen.gateway_url, patience=citizen.patience)
        self._applications = f"/applications/v1/{journey.tenant}/applications"
        self._name = journey.person.replace("-", " ").title()

    async def apply(self) -> Story:
        try:
            story = Story(self._journey)
            await self._sign_in()
            await self._find()
            await self._draft(story)
            await self._submit(story)
            if self._journey.pays:
                await self._pay(story)
            await self._read(story)
            return story
        finally:
            await self._door.close()

    async def see_closed(self, story: Story) -> None:
        try:
            await self._door.sign_in(self._journey.tenant, self._journey.person)
            with self._step(f"{story.case_reference}: the notice takes effect, the case is closed"):
                await eventually(lambda: self._closed(story), "the end of the case", self._citizen.patience)
        finally:
            await self._door.close()

    def _step(self, text: str) -> AbstractContextManager[object]:
        return self._citizen.step(text)

    async def _sign_in(self) -> None:
        with self._step(f"{self._name} signs in"):
            await self._door.sign_in(self._journey.tenant, self._journey.person)

    async def _find(self) -> None:
        with self._step(f"{self._name} searches for “{self._journey.words}” and finds the service"):
            await eventually(self._found, "the service in the town's catalogue", self._citizen.patience)

    async def _found(self) -> bool | None:
        path = f"/catalog/v1/{self._journey.tenant}/services?q={self._journey.words}"
        found = (await self._door.get(path)).body["items"]
        return any(each["service_id"] == self._journey.service_id for each in found) or None

    async def _draft(self, story: Story) -> None:
        with self._step(f"{self._name} begins a draft and saves the form"):
            draft = await eventually(self._drafted, "the service in applications", self._citizen.patience)
            story.case_id = draft.body["case_id"]
            path = f"{self._applications}/{story.case_id}/data"
            await self._door.put(path, dict(self._journey.data), etag=draft.etag)

    async def _drafted(self) -> Any:
        try:
            return await self._door.post(self._applications, {"service_id": self._journey.service_id})
        except Refused as refused:
            if refused.status == 404:  # published a moment ago, and not heard of yet
                return None
            raise

    async def _submit(self, story: Story) -> None:
        path = f"{self._applications}/{story.case_id}"
        with self._step(f"{self._name} reviews what was entered"):
            review = (await self._door.get(f"{path}/review")).body
        said = {"confirmed": True, "consents_to_mailbox": True, "reviewed_version": review["service_version"]}
        with self._step(f"{self._name} submits"):
            story.submitted = time.monotonic()
            receipt = await self._door.post(f"{path}/submit", said)
            story.case_reference = receipt.body["case_reference"]

    async def _pay(self, story: Story) -> None:
        demands = f"/payments/v1/{self._journey.tenant}/demands"

        async def _demand() -> str | None:
            items = (await self._door.get(f"{demands}?case_id={story.case_id}")).body["items"]
            return str(items[0]["demand_id"]) if items else None

        with self._step(f"{story.case_reference}: a fee is assessed and demanded"):
            demand_id = await eventually(_demand, "the demand", self._citizen.patience)
        with self._step(f"{self._name} goes to the payment provider's page"):
            checkout = await self._door.post(f"{demands}/{demand_id}/checkout")
        with self._step(f"{self._name} pays there"):
            await self._press(checkout.body["redirect_url"])
            story.paid = time.monotonic()

    async def _press(self, url: str) -> None:
        """Loads the page again where it didn't answer; a page that has no button any more says that it did hear."""
        lost = False

        async def _pressed() -> bool | None:
            nonlocal lost
            try:
                await browser.pay(url)
            except httpx.TransportError:
                lost = True
                return None
            except browser.NoForm:
                if not lost:
                    raise
            return True

        await eventually(_pressed, "the payment page", self._citizen.patience, pause=0.2)

    async def _read(self, story: Story) -> None:
        mailbox = f"/notifications/v1/{self._journey.tenant}/mailbox"

        async def _message() -> dict[str, Any] | None:
            items = (await self._door.get(mailbox)).body["items"]
            return next((each for each in items if each["case_id"] == story.case_id), None)

        with self._step(f"{story.case_reference}: decided; the notice lies in the mailbox"):
            message = await eventually(_message, "the notice", self._citizen.patience)
            story.provided, story.notice_id = time.monotonic(), message["notice_id"]

        async def _told() -> bool | None:
            return (await self._door.get(f"{mailbox}/{story.notice_id}")).body["status"] == "notified" or None

        with self._step(f"{self._name} is told that something is in the mailbox"):
            await eventually(_told, "the notification", self._citizen.patience)
        with self._step(f"{self._name} fetches the document"):
            document = (await self._door.get(message["document"]["href"])).body
            if not document.startswith(b"%PDF-"):
                raise ValueError("the document is no PDF")
            story.document = self._kept(story, document)

    def _kept(self, story: Story, document: bytes) -> Path | None:
        if self._citizen.documents is None:
            return None
        self._citizen.documents.mkdir(parents=True, exist_ok=True)
        file = self._citizen.documents / f"{story.case_reference}.pdf"
        file.write_bytes(document)
        return file

    async def _closed(self, story: Story) -> bool | None:
        case = (await self._door.get(f"{self._applications}/{story.case_id}")).body
        return case["status"] == "closed" or None
