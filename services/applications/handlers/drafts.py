"""Drafts, up to the submission."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from chassis.aggregates import Answer, Snapshot, Transition
from chassis.clock import Clock
from chassis.errors import Failure
from chassis.files import Files
from chassis.http import Caller
from kernel.legal_days import legal_date
from services.applications import views
from services.applications.domain import attachments, drafts, submission
from services.applications.domain.access import require_draft, require_owner
from services.applications.domain.commands import (
    AttachFile,
    CreateDraft,
    DetachFile,
    DiscardDraft,
    SaveFormData,
    SubmitApplication,
)
from services.applications.domain.findings import Finding
from services.applications.domain.json_limits import admit
from services.applications.domain.offers import Offer, require_content
from services.applications.domain.services import ServiceVersion
from services.applications.domain.state import Case, Status
from services.applications.settings import Settings
from services.applications.store import Stores


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person declares when they submit."""

    confirmed: bool
    consents_to_mailbox: bool
    reviewed_version: int | None = None


class Drafts:
    """What a person does with a draft. All raise NotFound for drafts of other accounts."""

    def __init__(self, stores: Stores, clock: Clock, files: Files, settings: Settings) -> None:
        self._stores = stores
        self._clock = clock
        self._files = files
        self._settings = settings

    async def create(self, caller: Caller, tenant: str, service_id: str) -> Answer:
        """Creates a draft under the version in force."""
        case_id = caller.change.new_id("case")
        offer = await self._offer_unless_repeated(tenant, service_id, case_id)
        principal = caller.principal
        command = CreateDraft(tenant, case_id, principal.subject, principal.trust_level, offer)
        return await self._stores.cases.upsert_on_request(
            caller.change, tenant, case_id, lambda existing, now: drafts.create(existing, command, now), views.created
        )

    async def save(self, caller: Caller, tenant: str, case_id: str, data: dict[str, Any]) -> Answer:
        """Replaces the form data."""
        command = SaveFormData(caller.principal.subject, admit(data, self._settings.form_limits))
        return await self._change(caller, tenant, case_id, lambda case, now: drafts.save_form_data(case, command, now))

    async def attach(
        self, caller: Caller, tenant: str, case_id: str, document_id: str, media_type: str, body: AsyncIterator[bytes]
    ) -> Answer:
        """Stores a file, then attaches it to the draft."""
        account = caller.principal.subject
        draft, content = await self._with_service(tenant, case_id, account)
        document = attachments.require_document(draft.state, account, content.terms, document_id, media_type)
        stored = await self._files.put(tenant, body, limit=self._settings.attachment_limit_bytes)
        attachments.require_signature(stored.head, media_type)
        command = AttachFile(account, document, stored.sha256, stored.size, media_type)
        return await self._change(caller, tenant, case_id, lambda case, now: attachments.attach(case, command, now))

    async def detach(self, caller: Caller, tenant: str, case_id: str, document_id: str) -> Answer:
        """Removes a file from the draft."""
        command = DetachFile(caller.principal.subject, document_id)
        return await self._change(caller, tenant, case_id, lambda case, now: attachments.detach(case, command, now))

    async def discard(self, caller: Caller, tenant: str, case_id: str) -> Answer:
        """Deletes a draft."""
        command = DiscardDraft(caller.principal.subject)
        return await self._stores.cases.on_request(
            caller.change,
            tenant,
            case_id,
            lambda case, _: drafts.discard(case, command),
            lambda _: Answer(204, None),
        )

    async def check(self, caller: Caller, tenant: str, case_id: str) -> tuple[Finding, ...]:
        """What keeps the draft from being submitted."""
        draft, content = await self._with_service(tenant, case_id, caller.principal.subject)
        return submission.check(draft.state, content)

    async def review(self, caller: Caller, tenant: str, case_id: str) -> tuple[Snapshot[Case], ServiceVersion]:
        """The draft and the version under which it would be submitted now."""
        return await self._with_service(tenant, case_id, caller.principal.subject)

    async def submit(self, caller: Caller, tenant: str, case_id: str, confirmation: Confirmation) -> Answer:
        """Submits the application."""
        principal = caller.principal
        draft = await self._own(tenant, case_id, principal.subject)
        command = SubmitApplication(
            account_id=principal.subject,
            trust_level=principal.trust_level,
            offer=await self._offer(draft, tenant),
            confirmed=confirmation.confirmed,
            consents_to_mailbox=confirmation.consents_to_mailbox,
            reviewed_version=confirmation.reviewed_version,
        )
        return await self._stores.cases.on_request(
            caller.change,
            tenant,
            case_id,
            lambda case, now: submission.submit(case, command, now),
            views.submission_receipt,
        )

    async def _change(self, caller: Caller, tenant: str, case_id: str, transition: Transition[Case]) -> Answer:
        return await self._stores.cases.on_request(caller.change, tenant, case_id, transition, views.changed)

    async def _own(self, tenant: str, case_id: str, account: str) -> Snapshot[Case]:
        found = await self._stores.cases.require(tenant, case_id)
        require_owner(found.state, account)
        return found

    async def _offer(self, draft: Snapshot[Case], tenant: str) -> Offer | None:
        """The version in force; None for what was submitted already, which is answered as before or refused."""
        if draft.state.status is not Status.DRAFT:
            return None
        return await self._stores.offer_in_force(tenant, draft.state.service_id, legal_date(self._clock.now()))

    async def _offer_unless_repeated(self, tenant: str, service_id: str, case_id: str) -> Offer | None:
        """The version in force; None for a repeated request, which is answered as before whatever was retired since."""
        try:
            return await self._stores.offer_in_force(tenant, service_id, legal_date(self._clock.now()))
        except Failure:
            if await self._stores.cases.get(tenant, case_id) is None:
                raise
            return None

    async def _with_service(self, tenant: str, case_id: str, account: str) -> tuple[Snapshot[Case], ServiceVersion]:
        draft = await self._own(tenant, case_id, account)
        require_draft(draft.state, account)
        offer = await self._offer(draft, tenant)
        return draft, require_content(offer)
