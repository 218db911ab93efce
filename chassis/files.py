"""Files outside the database: streamed, hashed, durable before a document names them, addressed by SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from chassis import chance
from chassis.errors import EngineAway, NotFound, TooLarge

CHUNK = 262_144
_TENANT = re.compile(r"^[a-z][a-z0-9-]{1,38}\Z")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is durable: its hash is its address."""

    sha256: str
    size: int
    """Bytes."""
    head: bytes
    """The first bytes, to tell its type."""


class Files(Protocol):
    """Where files are kept. Per town, so that one town's files are never found by another's hash."""

    async def put(self, tenant: str, chunks: AsyncIterator[bytes], *, limit: int) -> StoredFile:
        """Stores a stream durably.

        Raises:
            TooLarge: longer than `limit` bytes; nothing is kept.
            EngineAway: it can't be written at present (disk full); nothing is kept.
        """
        ...

    def open(self, tenant: str, sha256: str) -> AsyncIterator[bytes]:
        """The bytes of a file, in chunks.

        Raises:
            NotFound: there is none.
        """
        ...

    async def size(self, tenant: str, sha256: str) -> int:
        """Its length in bytes.

        Raises:
            NotFound: there is none.
        """
        ...

    async def towns(self) -> list[str]:
        """The towns that have files."""
        ...

    async def sweep(self, tenant: str, keep: set[str], older_than_seconds: float) -> int:
        """Removes the town's files that nothing names and that are older; how many."""
        ...


class DirectoryFiles:
    """Files in a local directory: written beside, synced, renamed, and the directory synced too."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, tenant: str, chunks: AsyncIterator[bytes], *, limit: int) -> StoredFile:
        """See `Files.put`."""
        incoming = self._town(tenant) / "incoming" / chance.token_hex(16)
        digest, size, head = hashlib.sha256(), 0, b""
        with _disk_trouble():
            handle = await asyncio.to_thread(_create, incoming)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"a file may have at most {limit} bytes", limit=limit)
                head = head if len(head) >= 512 else (head + chunk)[:512]
                digest.update(chunk)
                with _disk_trouble():
                    await asyncio.to_thread(handle.write, chunk)
            with _disk_trouble():
                await asyncio.to_thread(_publish, handle, incoming, self._path(tenant, digest.hexdigest()))
        finally:
            with suppress(OSError):  # a full disk refuses what is still buffered once more
                handle.close()
            with suppress(OSError):
                incoming.unlink()
        return StoredFile(digest.hexdigest(), size, head)

    async def open(self, tenant: str, sha256: str) -> AsyncIterator[bytes]:
        """See `Files.open`."""
        path = self._path(tenant, sha256)
        try:
            handle = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:
            raise NotFound("no such file") from None
        with handle:
            while chunk := await asyncio.to_thread(handle.read, CHUNK):
                yield chunk

    async def size(self, tenant: str, sha256: str) -> int:
        """See `Files.size`."""
        try:
            return (await asyncio.to_thread(self._path(tenant, sha256).stat)).st_size
        except FileNotFoundError:
            raise NotFound("no such file") from None

    async def towns(self) -> list[str]:
        """See `Files.towns`."""
        return sorted(path.name for path in await asyncio.to_thread(lambda: list(self._root.glob("*"))))

    async def sweep(self, tenant: str, keep: set[str], older_than_seconds: float) -> int:
        """See `Files.sweep`."""
        return await asyncio.to_thread(_sweep, self._town(tenant), keep, older_than_seconds)

    def _path(self, tenant: str, sha256: str) -> Path:
        if len(sha256) != 64 or any(c not in "0123456789abcdef" for c in sha256):
            raise NotFound("no such file")
        return self._town(tenant) / sha256[:2] / sha256

    def _town(self, tenant: str) -> Path:
        if not _TENANT.match(tenant):
            raise NotFound("no such town")
        return self._root / tenant


@contextmanager
def _disk_trouble() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineAway("files can't be written at present") from error


def _create(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _publish(handle: IO[bytes], incoming: Path, final: Path) -> None:
    handle.flush()
    os.fsync(handle.fileno())
    final.parent.mkdir(parents=True, exist_ok=True)
    incoming.replace(final)
    final.touch()
    for directory in final.parents[:3]:  # the files' own, the town's, the root
        _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(root: Path, keep: set[str], older_than_seconds: float) -> int:
    before = time.time() - older_than_seconds
    removed = 0
    for path in root.glob("*/*"):
        with suppress(FileNotFoundError):  # an upload that ended meanwhile
            if path.name in keep or path.stat().st_mtime > before:
                continue
            path.unlink()
            removed += 1
    return removed
