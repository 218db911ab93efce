"""Cases from the submission on: reading, commands of applicants and the authority, events of other services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from chassis.aggregates import Answer, Received, Snapshot, Transition, Work
from chassis.auth import Principal
from chassis.errors import NotFound, NotYet
from chassis.files import Files
from chassis.http import Caller
from chassis.http.paging import Paging
from contracts.applications import Origin
from services.applications import views
from services.applications.domain import closing, decisions, external_events, information
from services.applications.domain.access import require_owner, require_submitted
from services.applications.domain.commands import (
    DecideApplication,
    ReopenCase,
    RequestInformation,
    SupplyInformation,
    WithdrawApplication,
)
from services.applications.domain.state import Case, Decision, InformationRequest, Status, Upload
from services.applications.store import Stores

SUBMITTED = tuple(each for each in Status if each is not Status.DRAFT)


class Cases:
    """Everything from the submission on."""

    def __init__(self, stores: Stores, files: Files) -> None:
        self._stores = stores
        self._files = files

    # Reading

    async def own(self, principal: Principal, tenant: str, paging: Paging) -> Sequence[Snapshot[Case]]:
        """A person's drafts and cases."""
        return await self._stores.own(tenant, principal.subject, paging)

    async def of_authority(self, tenant: str, status: Status | None, paging: Paging) -> Sequence[Snapshot[Case]]:
        """The town's cases. Drafts are never listed for the authority."""
        return await self._stores.by_status(tenant, (status,) if status else SUBMITTED, paging)

    async def read(self, principal: Principal, tenant: str, case_id: str) -> Snapshot[Case]:
        """A case. Persons read their own, the authority those that were submitted.

        Raises:
            NotFound: there is no such case, or the principal may not see it.
        """
        found = await self._stores.cases.require(tenant, case_id)
        if principal.kind == "person":
            require_owner(found.state, principal.subject)
        else:
            require_submitted(found.state)
        return found

    async def submission(self, principal: Principal, tenant: str, case_id: str, application_id: str) -> Case:
        """The case with that submission. Raises as `read`."""
        case = (await self.read(principal, tenant, case_id)).state
        if case.submission is None or case.application_id != application_id:
            raise NotFound("no such submission", application_id=application_id)
        return case

    async def decision(self, principal: Principal, tenant: str, case_id: str, decision_id: str) -> Decision:
        """A decision. Raises as `read`."""
        case = (await self.read(principal, tenant, case_id)).state
        found = next((each for each in case.decisions if each.decision_id == decision_id), None)
        if found is None:
            raise NotFound("no such decision", decision_id=decision_id)
        return found

    async def request(
        self, principal: Principal, tenant: str, case_id: str, request_id: str
    ) -> tuple[Case, InformationRequest]:
        """A request for information. Raises as `read`."""
        case = (await self.read(principal, tenant, case_id)).state
        return case, information.require_request(case, request_id)

    async def attachment(self, case: Case, wanted: Callable[[Upload], bool]) -> tuple[Upload, AsyncIterator[bytes]]:
        """A file of the case and its bytes.

        Raises:
            NotFound: there is none.
        """
        found = next((each for each in case.uploads if wanted(each)), None)
        if found is None:
            raise NotFound("no such attachment")
        await self._files.size(case.tenant, found.sha256)  # a missing file must fail before the answer begins
        return found, self._files.open(case.tenant, found.sha256)

    # The applicant

    async def withdraw(self, caller: Caller, tenant: str, case_id: str) -> Answer:
        """Withdraws the application."""
        command = WithdrawApplication(caller.principal.subject)
        return await self._request(caller, tenant, case_id, lambda case, now: closing.withdraw(case, command, now))

    async def supply_information(self, caller: Caller, tenant: str, case_id: str, request_id: str, text: str) -> Answer:
        """Answers a request for information."""
        command = SupplyInformation(caller.principal.subject, request_id, text)
        return await self._request(
            caller, tenant, case_id, lambda case, now: information.supply_information(case, command, now)
        )

    # The authority

    async def decide(self, caller: Caller, tenant: str, case_id: str, command: DecideApplication) -> Answer:
        """A clerk or a clerk system decides."""
        return await self._stores.cases.on_request(
            caller.change,
            tenant,
            case_id,
            lambda case, now: decisions.decide(case, command, now),
            views.decision_receipt,
        )

    async def request_information(
        self, caller: Caller, tenant: str, case_id: str, command: RequestInformation
    ) -> Answer:
        """Asks the applicant a question."""
        return await self._stores.cases.on_request(
            caller.change,
            tenant,
            case_id,
            lambda case, now: information.request_information(case, command, now),
            views.request_receipt,
        )

    async def reopen(self, caller: Caller, tenant: str, case_id: str, reason: str) -> Answer:
        """Reopens a closed case."""
        command = ReopenCase(caller.principal.subject, reason)
        return await self._request(caller, tenant, case_id, lambda case, now: closing.reopen(case, command, now))

    # Events of other services, and due work

    async def on_payment(self, event: Received[Any]) -> None:
        """Something happened to a demand."""
        await self._on_event(event, lambda case, now: external_events.on_payment(case, event.data, now))

    async def on_notice(self, event: Received[Any]) -> None:
        """Something happened to a notice."""
        await self._on_event(event, lambda case, now: external_events.on_notice(case, event.data, now))

    async def _on_event(self, event: Received[Any], transition: Transition[Case]) -> None:
        case_id = event.data.case_id
        unknown = NotYet("the case isn't known", case_id=case_id)
        await self._stores.cases.on_event(event, case_id, transition, if_missing=unknown)

    async def mark_overdue_requests(self, work: Work[Case]) -> None:
        """Marks requests whose day has passed."""
        await self._stores.cases.on_due(work, information.mark_overdue_requests)

    async def _request(self, caller: Caller, tenant: str, case_id: str, transition: Transition[Case]) -> Answer:
        return await self._stores.cases.on_request(caller.change, tenant, case_id, transition, views.changed)


def origin_of(principal: Principal) -> Origin:
    """Staff decide as clerks, machine clients as clerk systems."""
    return Origin.CLERK if principal.kind == "staff" else Origin.CLERK_SYSTEM
