"""Telling somebody that something is in the mailbox: by mail server, or kept as a file where none is set up."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import date, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from chassis.errors import ConfigurationError, EngineAway, PeerAway, Rejected
from kernel.written import written_date
from services.notifications.settings import Settings

_SUBJECT = "Neue Nachricht in Ihrem Postfach / New message in your mailbox"

_TEXT = """\
Guten Tag,

in Ihrem Postfach liegt eine neue Nachricht für Sie. Bitte rufen Sie sie bis zum {last_de} ab:

    {link}

Nach diesem Tag kann sie dort nicht mehr abgerufen werden. Aus Gründen des Datenschutzes enthält diese
E-Mail keinen Inhalt der Nachricht. Bitte antworten Sie nicht auf diese E-Mail.

--------------------------------------------------------------------------------------------

Good day,

there is a new message for you in your mailbox. Please fetch it by {last_en}:

    {link}

After that day it can't be fetched there any more. To protect your data, this e-mail holds nothing of the
message's content. Please do not reply to this e-mail.
"""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a person is told: only that something is there, where, and until when."""

    tenant: str
    notice_id: str
    to: str = field(repr=False)
    """E-mail address."""
    link: str
    last_day: date
    sent_at: datetime


class Outbox(Protocol):
    """A way to tell people. A repetition has the same Message-ID, so that it can be recognised."""

    channel: str
    """As `notification_sent` names it."""

    async def send(self, notification: Notification) -> None:
        """Hands it over for delivery.

        Raises:
            PeerAway: the mail server can't be reached or refuses at present.
            EngineAway: the outbox is a directory that can't be written at present.
            Rejected: it isn't an e-mail address.
        """
        ...


def message_of(notification: Notification, sender: str) -> EmailMessage:
    """The mail. Raises Rejected where the address isn't one; says nothing of it."""
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    try:
        message["To"] = Address(addr_spec=notification.to)
    except (MessageError, ValueError, IndexError):
        raise Rejected("the account's e-mail address isn't valid") from None
    message["From"] = Address(name, addr_spec=address)
    message["Subject"] = _SUBJECT
    message["Date"] = notification.sent_at
    message["Message-ID"] = f"<{notification.notice_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    last = notification.last_day
    message.set_content(
        _TEXT.format(last_de=written_date(last, "de"), last_en=written_date(last, "en"), link=notification.link),
        cte="quoted-printable",
    )
    return message


class DirectoryOutbox:
    """Keeps each mail as `<outbox>/<tenant>/<notice_id>.eml`: for the demo, and until a mail server is set up."""

    channel = "outbox"

    def __init__(self, directory: Path, sender: str) -> None:
        self._directory = directory
        self._sender = sender

    async def send(self, notification: Notification) -> None:
        """See `Outbox.send`."""
        content = message_of(notification, self._sender).as_bytes()
        final = self._directory / notification.tenant / f"{notification.notice_id}.eml"
        try:
            await asyncio.to_thread(_keep, final, content)
        except OSError as error:
            raise EngineAway("the outbox can't be written at present") from error


def _keep(final: Path, content: bytes) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    beside = final.with_suffix(".part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    beside.replace(final)


class SmtpOutbox:
    """Hands mails to a mail server (RFC 5321), in a thread."""

    channel = "email"

    def __init__(self, url: str, sender: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname:
            raise ConfigurationError("RATHAUS_SMTP_URL must be smtps://, smtp+starttls:// or smtp:// with a host")
        self._parts = parts
        self._sender = sender
        self._timeout = timeout_seconds

    async def send(self, notification: Notification) -> None:
        """See `Outbox.send`."""
        message = message_of(notification, self._sender)
        try:
            await asyncio.to_thread(self._hand_over, message)
        except (smtplib.SMTPException, OSError) as error:
            # The server's words may quote the address.
            raise PeerAway(f"the mail server did not take the mail ({type(error).__name__})") from None

    def _hand_over(self, message: EmailMessage) -> None:
        with self._connected() as server:
            if self._parts.username:
                server.login(unquote(self._parts.username), unquote(self._parts.password or ""))
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        host, context = self._parts.hostname or "", ssl.create_default_context()
        if self._parts.scheme == "smtps":
            return smtplib.SMTP_SSL(host, self._parts.port or 465, timeout=self._timeout, context=context)
        if self._parts.scheme == "smtp":
            return smtplib.SMTP(host, self._parts.port or 25, timeout=self._timeout)
        server = smtplib.SMTP(host, self._parts.port or 587, timeout=self._timeout)
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server


def outbox_of(settings: Settings) -> Outbox:
    """The mail server where one is set up, else the directory."""
    if settings.smtp_url is not None:
        return SmtpOutbox(settings.smtp_url.get_secret_value(), settings.mail_from, settings.smtp_timeout_seconds)
    return DirectoryOutbox(settings.outbox, settings.mail_from)
