"""Removing files that no document names: what a crash left between storing a file and naming it, or a draft gave up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis.errors import EngineAway
from chassis.files import Files
from chassis.logging import get_logger
from chassis.settings import ServiceSettings

log = get_logger(__name__)

Named = Callable[[str], Awaitable[set[str]]]
"""The SHA-256 of every file that a town's documents name."""


async def sweep_forever(
    files: Files, named: Named, settings: ServiceSettings, *, on_success: Callable[[], None] = lambda: None
) -> None:
    """Sweeps now and then, for as long as the lease is held."""
    while True:
        try:
            await sweep(files, named, settings.orphan_seconds)
            on_success()
        except (EngineAway, OSError) as error:
            log.warning("files can't be swept at present", reason=type(error).__name__)
        await asyncio.sleep(settings.sweep_seconds)


async def sweep(files: Files, named: Named, older_than_seconds: float) -> int:
    """Sweeps the files of all towns once; how many went.

    A file is stored before a document names it, so only files older than any request may take are orphans.
    """
    removed = 0
    for tenant in await files.towns():
        removed += await files.sweep(tenant, await named(tenant), older_than_seconds)
    if removed:
        log.info("orphaned files removed", files=removed)
    return removed
