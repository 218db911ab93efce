"""What notifications does with a notice: one atomic write each."""

from __future__ import annotations

from datetime import datetime

from chassis.aggregates import Answer, Decide, Received, Request, Snapshot, Work
from chassis.clock import Clock
from chassis.errors import Conflict
from contracts import datarefs
from contracts.applications import Addressee, DecisionMade
from services.notifications import domain
from services.notifications.domain import Document, Notice, Reader
from services.notifications.store import Notices

_RETRIEVAL_ATTEMPTS = 10


class Handlers:
    """The use cases."""

    def __init__(self, notices: Notices, clock: Clock) -> None:
        self._store = notices.store
        self._clock = clock

    async def request_notices(self, event: Received[DecisionMade]) -> None:
        """One notice for each addressee of a decision; idempotent one by one, so that a crash between two is mended."""
        for addressee in event.data.addressees:
            notice = self._requested(event, addressee)
            await self._store.on_event(event, notice.notice_id, _unless_known(notice))

    def _requested(self, event: Received[DecisionMade], addressee: Addressee) -> Notice:
        decision = event.data
        return Notice(
            # A case has several decisions, and the case is the event's source: the decision must be part of the role.
            notice_id=event.new_id(f"notice:{decision.decision_id}:{addressee.party_id}"),
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
            requested_at=self._clock.now(),
        )

    async def issue(self, work: Work[Notice], document: Document) -> Snapshot[Notice] | None:
        """Records the rendered document, and provides it where that is allowed."""
        now = self._clock.now()
        dataref = datarefs.notice_document(work.snapshot.tenant, work.snapshot.id)
        return await self._store.on_due(work, lambda notice: domain.issue(_there(notice), document, dataref, now))

    async def record_notification(self, work: Work[Notice], channel: str) -> None:
        """Records that the addressee was told, as of now."""
        now = self._clock.now()
        await self._store.on_due(work, lambda notice: domain.record_notification(_there(notice), channel, now))

    async def announce(self, work: Work[Notice]) -> None:
        """The day after retrieval has come."""
        now = self._clock.now()
        await self._store.on_due(work, lambda notice: domain.announce(_there(notice), now))

    async def end_provision(self, work: Work[Notice]) -> None:
        """The last day is over."""
        now = self._clock.now()
        await self._store.on_due(work, lambda notice: domain.end_provision(_there(notice), now))

    async def retrieve(self, request: Request, tenant: str, notice_id: str, reader: Reader) -> None:
        """Records the first fetching; later ones write nothing. Two at the same time are one.

        Raises:
            NotFound, Forbidden, ProvisionEnded: see `domain.retrieve`.
            OutcomeUnknown: the database didn't answer; the document must not be given out.
        """
        for _ in range(_RETRIEVAL_ATTEMPTS):
            found = await self._store.require(tenant, notice_id)
            now = self._clock.now()
            _, said = domain.retrieve(found.state, reader, now)
            if not said:
                return
            try:
                await self._store.on_request(
                    request,
                    tenant,
                    notice_id,
                    _retrieval(reader, now),
                    lambda _: Answer(200, None),
                )
            except Conflict:
                continue
            return
        raise Conflict("somebody else changed it at the same time: try again", id=notice_id)


def _unless_known(new: Notice) -> Decide[Notice]:
    return lambda known: (known or new, ())


def _retrieval(reader: Reader, now: datetime) -> Decide[Notice]:
    return lambda notice: domain.retrieve(_there(notice), reader, now)


def _there(notice: Notice | None) -> Notice:
    if notice is None:
        raise LookupError("notices are never deleted")
    return notice
