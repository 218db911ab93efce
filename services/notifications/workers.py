"""Due work: rendering, telling, announcing, ending provision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chassis.aggregates import Work
from chassis.errors import Rejected
from chassis.logging import get_logger
from chassis.service import Service
from kernel.legal_days import legal_date
from services.notifications import letter
from services.notifications.domain import Document, Notice, Status
from services.notifications.handlers import Handlers
from services.notifications.letter import Address, DecisionContent, Printer
from services.notifications.outbox import Notification, Outbox
from services.notifications.rules import rule_named
from services.notifications.settings import Settings
from services.notifications.store import Notices

log = get_logger(__name__)


class NoticeWork:
    """Who does a notice's due work. Peers and files are asked of the service at the time of use."""

    def __init__(
        self, service: Service, settings: Settings, handlers: Handlers, printer: Printer, outbox: Outbox
    ) -> None:
        self._service = service
        self._settings = settings
        self._handlers = handlers
        self._printer = printer
        self._outbox = outbox

    async def render(self, work: Work[Notice]) -> None:
        """Content and address from those who have them, the document from typst, durable before it is named."""
        notice = work.snapshot.state
        content, address = await asyncio.gather(self._content(notice), self._address(notice))
        pdf = await self._printer.print(letter.compose(content, address, notice.notice_id), content.decided_on)
        stored = await self._service.files.put(notice.tenant, _once(pdf), limit=self._settings.file_limit_bytes)
        document = Document(stored.sha256, stored.size, content.title.complete(), content.authority.name)
        made = await self._handlers.issue(work, document)
        if made is not None:
            _report(made.state)

    async def notify(self, work: Work[Notice]) -> None:
        """Tells the addressee, then records it. A crash in between tells them again, with the same Message-ID."""
        notice = work.snapshot.state
        address = await self._address(notice)
        if address is None or not address.email:
            log.error("the addressee can't be told: no e-mail address", notice=notice.notice_id)
            raise Rejected("the account has no e-mail address")
        await self._outbox.send(self._notification(notice, address.email))
        await self._handlers.record_notification(work, self._outbox.channel)

    async def announce(self, work: Work[Notice]) -> None:
        """The day after retrieval."""
        await self._handlers.announce(work)

    async def end_provision(self, work: Work[Notice]) -> None:
        """The day after the last one."""
        await self._handlers.end_provision(work)

    async def _content(self, notice: Notice) -> DecisionContent:
        return letter.read_content(await self._service.peers.get(notice.dataref), notice.content_hash)

    async def _address(self, notice: Notice) -> Address | None:
        if notice.account_id is None:
            return None
        found = await self._service.peers.get(f"/identity/v1/{notice.tenant}/accounts/{notice.account_id}")
        return letter.read_address(found)

    def _notification(self, notice: Notice, to: str) -> Notification:
        now = self._service.clock.now()
        rule = rule_named(notice.rule or "", notice.rule_version or 0)
        return Notification(
            tenant=notice.tenant,
            notice_id=notice.notice_id,
            to=to,
            link=self._settings.portal_url.replace("{tenant}", notice.tenant),
            last_day=rule.provision_ends_on(legal_date(now)),
            sent_at=now,
        )


def _report(notice: Notice) -> None:
    match notice.status:
        case Status.RULE_MISSING:
            log.error(
                "notice not provided: no rule of announcement for its procedural law",
                notice=notice.notice_id,
                law=notice.procedural_law.value,
            )
        case Status.TO_BE_SENT:
            log.warning("notice must be sent another way: no account or no consent", notice=notice.notice_id)
        case _:
            log.info("notice provided", notice=notice.notice_id)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def register(service: Service, notices: Notices, doing: NoticeWork) -> None:
    """Names as `domain.due` gives them."""
    service.work(notices.store, "render", doing.render)
    service.work(notices.store, "notify", doing.notify)
    service.work(notices.store, "announce", doing.announce)
    service.work(notices.store, "end_provision", doing.end_provision)
