"""The mail says that something is there, and nothing of it."""

import asyncio
import email
import stat
from datetime import UTC, date, datetime
from email import policy
from pathlib import Path

import pytest

from chassis.errors import ConfigurationError, EngineAway, PeerAway, Rejected
from services.notifications.outbox import (
    DirectoryOutbox,
    Notification,
    SmtpOutbox,
    message_of,
    outbox_of,
)
from services.notifications.settings import Settings

SENDER = "Postfach Musterstadt <postfach@musterstadt.example>"
NOTIFICATION = Notification(
    tenant="musterstadt",
    notice_id="8a4b4a53-92d2-5d3c-9b75-0f7d1c0a8e11",
    to="erika.beispiel@example.org",
    link="https://portal.example/musterstadt/mailbox",
    last_day=date(2026, 3, 19),
    sent_at=datetime(2026, 3, 9, 9, 30, tzinfo=UTC),
)


def changed(to: str) -> Notification:
    return Notification("musterstadt", "1", to, "https://portal.example/", date(2026, 3, 19), NOTIFICATION.sent_at)


def test_the_mail_is_bilingual_with_a_message_id_of_the_notice() -> None:
    message = message_of(NOTIFICATION, SENDER)
    text = message.get_content()
    assert message["Message-ID"] == f"<{NOTIFICATION.notice_id}@musterstadt.example>"
    assert message["To"] == NOTIFICATION.to
    assert "19. März 2026" in text
    assert "19 March 2026" in text
    assert text.index("Guten Tag") < text.index("Good day")
    assert text.count(NOTIFICATION.link) == 2


@pytest.mark.parametrize("evil", ["a@b.example\r\nBcc: all@b.example", "no address", "", "a@b, c@d", "<a@b>"])
def test_what_is_no_address_is_refused_without_quoting_it(evil: str) -> None:
    with pytest.raises(Rejected) as refused:
        message_of(changed(evil), SENDER)
    assert refused.value.detail == "the account's e-mail address isn't valid"


def test_an_address_is_not_shown_by_repr() -> None:
    assert "erika" not in repr(NOTIFICATION)


async def test_without_a_mail_server_mails_are_kept_and_a_repetition_is_the_same_file(tmp_path: Path) -> None:
    outbox = DirectoryOutbox(tmp_path / "outbox", SENDER)
    await outbox.send(NOTIFICATION)
    await outbox.send(NOTIFICATION)
    (kept,) = tmp_path.glob("outbox/musterstadt/*")  # noqa: ASYNC240
    assert kept.name == f"{NOTIFICATION.notice_id}.eml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    message = email.message_from_bytes(kept.read_bytes(), policy=policy.default)
    assert message["Subject"] == "Neue Nachricht in Ihrem Postfach / New message in your mailbox"


async def test_an_outbox_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where a directory should be")
    with pytest.raises(EngineAway):
        await DirectoryOutbox(tmp_path / "outbox", SENDER).send(NOTIFICATION)


class Server:
    """A mail server that takes what it is given: as much of RFC 5321 as smtplib speaks."""

    def __init__(self, refuse: bool = False) -> None:
        self.mails: list[str] = []
        self._refuse = refuse

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().strip().upper():
            if line == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            refused = self._refuse and line.startswith("RCPT")
            if line == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            writer.write(b"550 no such user erika\r\n" if refused else b"250 ok\r\n")
        writer.close()
        await writer.wait_closed()


async def test_a_mail_server_is_given_the_mail() -> None:
    server = Server()
    async with server as url:
        await SmtpOutbox(url, SENDER, 5).send(NOTIFICATION)
    (mail,) = server.mails
    assert f"Message-ID: <{NOTIFICATION.notice_id}@musterstadt.example>" in mail


async def test_a_mail_server_that_refuses_is_tried_again_and_not_quoted() -> None:
    async with Server(refuse=True) as url:
        with pytest.raises(PeerAway) as away:
            await SmtpOutbox(url, SENDER, 5).send(NOTIFICATION)
    assert "erika" not in away.value.detail
    with pytest.raises(PeerAway):
        await SmtpOutbox(url, SENDER, 1).send(NOTIFICATION)  # nobody listens there any more


@pytest.mark.parametrize("url", ["http://host", "smtp://", "host:25"])
def test_a_wrong_address_of_the_mail_server_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError):
        SmtpOutbox(url, SENDER, 5)


def test_the_settings_choose() -> None:
    assert outbox_of(Settings()).channel == "outbox"  # type: ignore[call-arg]
    assert outbox_of(Settings(smtp_url="")).channel == "outbox"  # type: ignore[call-arg,arg-type]
    assert outbox_of(Settings(smtp_url="smtps://user:p%40ss@mail.example")).channel == "email"  # type: ignore[call-arg,arg-type]
