"""Waiting for a condition, instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def wait_until(condition: Callable[[], T | Awaitable[T]], timeout: float = 15.0, what: str = "condition") -> T:
    """Returns the condition's first truthy value.

    Raises:
        TimeoutError: it didn't come true within `timeout` seconds.
    """
    ends = time.monotonic() + timeout
    while True:
        found = condition()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if time.monotonic() > ends:
            raise TimeoutError(f"{what} did not come true within {timeout} s")
        await asyncio.sleep(0.01)
