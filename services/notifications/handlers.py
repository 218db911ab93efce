"""What notifications does with a notice: one atomic write each."""

from __future__ import annotations

from datetime import datetime

from chassis.aggregates import Answer, Change, Received, Request, Snapshot, Work
from chassis.clock import Clock
from contracts import datarefs
from contracts.applications import Addressee, DecisionMade
from services.notifications import domain
from services.notifications.domain import Document, Notice, Reader
from services.notifications.store import Notices


class Handlers:
    """The use cases."""

    def __init__(self, notices: Notices, clock: Clock) -> None:
        self._store = notices.store
        self._clock = clock

    async def request_notices(self, event: Received[DecisionMade]) -> None:
        """One notice for each addressee of a decision; idempotent one by one, so that a crash between two is mended."""
        for addressee in event.data.addressees:
            await self._request_notice(event, addressee)

    async def _request_notice(self, event: Received[DecisionMade], addressee: Addressee) -> None:
        # A case has several decisions, and the case is the event's source: the decision must be part of the role.
        notice_id = event.new_id(f"notice:{event.data.decision_id}:{addressee.party_id}")
        await self._store.upsert_on_event(
            event, notice_id, lambda known, now: Change(known or _notice_of(event, addressee, notice_id, now))
        )

    async def issue(self, work: Work[Notice], document: Document) -> Snapshot[Notice] | None:
        """Records the rendered document, and provides it where that is allowed."""
        dataref = datarefs.notice_document(work.snapshot.tenant, work.snapshot.id)
        return await self._store.on_due(work, lambda notice, now: domain.issue(notice, document, dataref, now))

    async def record_notification(self, work: Work[Notice], channel: str) -> None:
        """Records that the addressee was told, as of now."""
        await self._store.on_due(work, lambda notice, now: domain.record_notification(notice, channel, now))

    async def announce(self, work: Work[Notice]) -> None:
        """The day after retrieval has come."""
        await self._store.on_due(work, domain.announce)

    async def end_provision(self, work: Work[Notice]) -> None:
        """The last day is over."""
        await self._store.on_due(work, domain.end_provision)

    async def retrieve(self, request: Request, tenant: str, notice_id: str, reader: Reader) -> None:
        """Records the first fetching; later ones write nothing. Two at the same time are one.

        Raises:
            NotFound, Forbidden, ProvisionEnded: see `domain.retrieve`.
            OutcomeUnknown: the database didn't answer; the document must not be given out.
        """
        found = await self._store.require(tenant, notice_id)
        if not domain.retrieve(found.state, reader, self._clock.now()).events:
            return
        await self._store.on_request(
            request,
            tenant,
            notice_id,
            lambda notice, now: domain.retrieve(notice, reader, now),
            lambda _: Answer(200, None),
        )


def _notice_of(event: Received[DecisionMade], addressee: Addressee, notice_id: str, now: datetime) -> Notice:
    decision = event.data
    return Notice(
        notice_id=notice_id,
        tenant=event.tenant,
        authority=event.envelope.authority,
        case_id=decision.case_id,
        case_reference=decision.case_reference,
        decision_id=decision.decision_id,
        document_kind=decision.document_kind,
        procedural_law=decision.procedural_law,
        decided_on=decision.decided_on,
        content_hash=decision.content_hash,
        dataref=decision.dataref,
        addressee_id=addressee.party_id,
        account_id=addressee.account_id,
        trust_level=addressee.trust_level,
        consents=addressee.consents_to_mailbox,
        requested_at=now,
    )
