"""Whether a server answers in its own protocol. A probe returns, or raises `NotReady` with what it still waits for."""

# ruff: noqa: PLC0415 - the drivers are imported when a probe needs them: `rathaus --help` should not wait for them

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlsplit

from rathaus.engines.ports import LOOPBACK

_SECONDS = 3.0
"""Longest time that one probe takes."""


class NotReady(Exception):
    """It doesn't answer as it should yet; the text says what is missing."""


async def kafka_answers(url: str, brokers: int = 1) -> None:
    """Asks for the cluster's metadata.

    Args:
        url: bootstrap servers, comma-separated host:port.
        brokers: how many brokers must have joined.

    Raises:
        NotReady: no answer, or fewer brokers.
    """
    from aiokafka.admin import AIOKafkaAdminClient

    for address in url.split(","):  # aiokafka would log an error for each that doesn't listen yet
        host, _, port = address.strip().rpartition(":")
        await _listens(host, int(port))
    admin = AIOKafkaAdminClient(bootstrap_servers=url, request_timeout_ms=int(_SECONDS * 1000))
    try:
        async with asyncio.timeout(_SECONDS):
            await admin.start()
            joined = len((await admin.describe_cluster())["brokers"])
    except Exception as error:
        raise NotReady(f"no metadata yet ({error or type(error).__name__})") from error
    finally:
        with suppress(Exception):
            await admin.close()
    if joined < brokers:
        raise NotReady(f"{joined} of {brokers} brokers have joined")


async def mongo_answers(url: str) -> None:
    """Sends `ping`, after the driver's own `hello`.

    Raises:
        NotReady: no answer.
    """
    from chassis.errors import EngineAway
    from chassis.mongo import Database

    first = urlsplit(url)
    if first.scheme == "mongodb" and "," not in first.netloc and first.hostname:
        await _listens(first.hostname, first.port or 27017)
    database = Database(url, "admin", timeout_seconds=1.5)
    try:
        await database.ping()
    except EngineAway as error:
        raise NotReady("no answer to ping") from error
    finally:
        database.close()


async def http_answers(port: int, path: str) -> None:
    """Asks a server on 127.0.0.1 for a path that says 200 once it is ready.

    Raises:
        NotReady: no answer, or another status; its text holds what the answer says of the reason.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
                answer = await reader.read(65_536)
                while more := await reader.read(65_536):
                    answer += more
            finally:
                writer.close()
    except TimeoutError:
        raise NotReady(f"{path} doesn't answer") from None
    except OSError:
        raise NotReady("doesn't listen yet") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise NotReady(_reason(body) or f"{path} answers {b''.join(status).decode() or 'nothing'}")


def _reason(body: bytes) -> str:
    start, end = body.find(b"{"), body.rfind(b"}")  # the body may be chunked
    try:
        said = json.loads(body[start : end + 1])
    except ValueError:
        return body.decode(errors="replace").strip()[:80]
    checks = said.get("checks") if isinstance(said, dict) else None
    if isinstance(checks, dict):
        return ", ".join(f"{name}: {state}" for name, state in checks.items() if state not in {"ok", True})
    return str(said.get("detail") or said.get("title") or "") if isinstance(said, dict) else ""


async def _listens(host: str, port: int) -> None:
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except (OSError, TimeoutError):
        raise NotReady("doesn't listen yet") from None
