"""Files: streamed, hashed, durable, nothing left behind."""

from __future__ import annotations

import hashlib
import os
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chassis import files as module
from chassis.errors import EngineAway, NotFound, TooLarge
from chassis.files import DirectoryFiles
from chassis.sweeping import sweep

MIB = 1_048_576


@pytest.fixture
def files(tmp_path: Path) -> DirectoryFiles:
    return DirectoryFiles(tmp_path)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def left(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def whole(files: DirectoryFiles, tenant: str, sha256: str) -> bytes:
    return b"".join([chunk async for chunk in files.open(tenant, sha256)])


async def test_what_is_put_is_found_by_its_hash(files: DirectoryFiles, tmp_path: Path) -> None:
    stored = await files.put("witten", chunks(b"a" * 300, b"", b"b" * 700), limit=1000)
    content = b"a" * 300 + b"b" * 700
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert (stored.size, stored.head) == (1000, content[:512])
    assert await files.size("witten", stored.sha256) == 1000
    assert await whole(files, "witten", stored.sha256) == content
    again = await files.put("witten", chunks(content), limit=1000)
    assert again.sha256 == stored.sha256
    assert len(left(tmp_path)) == 1


async def test_a_large_file_is_never_whole_in_memory(files: DirectoryFiles) -> None:
    async def _many() -> AsyncIterator[bytes]:
        for number in range(64):
            yield bytes([number]) * MIB

    tracemalloc.start()
    try:
        stored = await files.put("witten", _many(), limit=64 * MIB)
        size = 0
        async for chunk in files.open("witten", stored.sha256):
            size += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == stored.size == 64 * MIB
    assert peak < 8 * MIB


async def test_it_is_synced_before_it_is_named(
    files: DirectoryFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, move = os.fsync, Path.replace

    def _fsync(descriptor: int) -> None:
        order.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(tmp_path)}")
        sync(descriptor)

    def _replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return move(self, target)

    monkeypatch.setattr(os, "fsync", _fsync)
    monkeypatch.setattr(Path, "replace", _replace)
    stored = await files.put("witten", chunks(b"x"), limit=10)
    assert order[0].startswith("sync witten/incoming/")
    assert order[1] == "rename"
    assert set(order[2:]) == {f"sync witten/{stored.sha256[:2]}", "sync witten", "sync ."}


async def test_too_large_leaves_nothing(files: DirectoryFiles, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        await files.put("witten", chunks(b"x" * 600, b"x" * 600), limit=1000)
    assert left(tmp_path) == []


async def test_a_sender_that_breaks_off_leaves_nothing(files: DirectoryFiles, tmp_path: Path) -> None:
    async def _broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await files.put("witten", _broken(), limit=1000)
    assert left(tmp_path) == []


class FullDisk:
    """A handle on a disk that is full: writing fails, and so does closing, since something is still buffered."""

    def __init__(self, handle: Any, failing: str) -> None:
        self._handle, self._failing = handle, failing

    def write(self, data: bytes) -> int:
        if self._failing == "write":
            raise OSError(28, "No space left on device")
        return int(self._handle.write(data))

    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return int(self._handle.fileno())

    def close(self) -> None:
        self._handle.close()
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("failing", ["write", "flush"])
async def test_a_full_disk_is_an_engine_away_and_leaves_nothing(
    files: DirectoryFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    create = module._create
    monkeypatch.setattr(module, "_create", lambda path: FullDisk(create(path), failing))
    with pytest.raises(EngineAway):
        await files.put("witten", chunks(b"x"), limit=10)
    assert left(tmp_path) == []


async def test_a_root_that_cannot_be_written_is_an_engine_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineAway):
        await DirectoryFiles(tmp_path / "file").put("witten", chunks(b"x"), limit=10)


@pytest.mark.parametrize(
    "sha256", ["", "../../etc/passwd", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n", "a" * 62 + "/b"]
)
async def test_only_a_hash_is_an_address(files: DirectoryFiles, sha256: str) -> None:
    with pytest.raises(NotFound):
        await files.size("witten", sha256)
    with pytest.raises(NotFound):
        await whole(files, "witten", sha256)


@pytest.mark.parametrize("tenant", ["..", ".", "", "a/../b", "/etc", "Witten", "witten\n"])
async def test_only_a_town_is_a_folder(files: DirectoryFiles, tenant: str) -> None:
    with pytest.raises(NotFound):
        await files.put(tenant, chunks(b"x"), limit=10)
    with pytest.raises(NotFound):
        await files.size(tenant, "a" * 64)
    with pytest.raises(NotFound):
        await files.sweep(tenant, set(), 0)


async def test_a_town_does_not_find_anothers_file(files: DirectoryFiles) -> None:
    stored = await files.put("witten", chunks(b"x"), limit=10)
    with pytest.raises(NotFound):
        await files.size("steinhagen", stored.sha256)
    assert await files.sweep("steinhagen", set(), -1) == 0
    assert await files.size("witten", stored.sha256) == 1


async def test_sweeping_spares_what_is_named_or_young(files: DirectoryFiles, tmp_path: Path) -> None:
    named = await files.put("witten", chunks(b"named"), limit=10)
    orphan = await files.put("witten", chunks(b"orphan"), limit=10)
    young = await files.put("witten", chunks(b"young"), limit=10)
    broken_off = tmp_path / "witten" / "incoming" / "old"
    broken_off.write_bytes(b"half")
    long_ago = time.time() - 7200
    for name in (named.sha256, orphan.sha256):
        os.utime(tmp_path / "witten" / name[:2] / name, (long_ago, long_ago))
    os.utime(broken_off, (long_ago, long_ago))
    assert await files.sweep("witten", {named.sha256}, 3600) == 2
    assert {path.name for path in left(tmp_path)} == {named.sha256, young.sha256}


async def test_putting_an_old_orphan_again_makes_it_young(files: DirectoryFiles, tmp_path: Path) -> None:
    stored = await files.put("witten", chunks(b"x"), limit=10)
    path = tmp_path / "witten" / stored.sha256[:2] / stored.sha256
    os.utime(path, (0, 0))
    await files.put("witten", chunks(b"x"), limit=10)
    assert await files.sweep("witten", set(), 3600) == 0


async def test_the_sweep_asks_each_town_what_it_names(files: DirectoryFiles, tmp_path: Path) -> None:
    named = await files.put("witten", chunks(b"named"), limit=100)
    orphan = await files.put("witten", chunks(b"orphan"), limit=100)
    elsewhere = await files.put("steinhagen", chunks(b"named"), limit=100)

    async def _named(tenant: str) -> set[str]:
        return {named.sha256} if tenant == "witten" else set()

    assert await sweep(files, _named, 3600) == 0, "all are young"
    assert await sweep(files, _named, -1) == 2
    assert await whole(files, "witten", named.sha256) == b"named"
    for tenant, gone in (("witten", orphan), ("steinhagen", elsewhere)):
        with pytest.raises(NotFound):
            await files.size(tenant, gone.sha256)
