"""What every endpoint works with, and how it gets it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Request

from .settings import Settings
from .store import Store


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid4())


@dataclass(frozen=True, slots=True)
class Provider:
    settings: Settings
    store: Store
    now: Callable[[], datetime] = _now
    new_id: Callable[[], str] = _new_id
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def _provider(request: Request) -> Provider:
    provider = request.app.state.provider
    assert isinstance(provider, Provider)  # noqa: S101 - for the type checker: create_app sets it
    return provider


Desk = Annotated[Provider, Depends(_provider)]
