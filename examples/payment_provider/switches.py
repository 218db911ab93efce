"""The switches by which tests and demonstrations make the provider misbehave. No part of any standard."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, model_validator

from . import handlers
from .problems import NotAllowed
from .provider import Desk
from .rules import Mode, Switches


def _require_switch_token(desk: Desk, authorization: Annotated[str, Header()] = "") -> None:
    if not hmac.compare_digest(authorization.encode(), f"Bearer {desk.settings.switch_token}".encode()):
        raise NotAllowed("The switches need their own token.")


router = APIRouter(dependencies=[Depends(_require_switch_token)])


class SwitchesBody(BaseModel):
    """All switches at once: what is left out goes back to its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Mode.NORMAL
    next: int | None = Field(
        default=1, ge=1, le=1_000_000, description="For how many transactions; null: until changed"
    )
    delay_seconds: float = Field(default=0, ge=0, le=600)
    auto_pay_after_seconds: float | None = Field(default=None, ge=0, le=86_400)

    @model_validator(mode="after")
    def _delay_is_given(self) -> "SwitchesBody":
        if self.mode is Mode.DELAY and self.delay_seconds == 0:
            raise ValueError("delay needs delay_seconds")
        return self


@router.post("/switches")
async def set_switches(body: SwitchesBody, desk: Desk) -> SwitchesBody:
    remaining = None if body.mode is Mode.NORMAL else body.next
    wanted = Switches(body.mode, remaining, body.delay_seconds, body.auto_pay_after_seconds)
    return _shown(await run_in_threadpool(handlers.switch, desk.store, wanted))


@router.get("/switches")
async def get_switches(desk: Desk) -> SwitchesBody:
    return _shown(await run_in_threadpool(handlers.read_switches, desk.store))


def _shown(switches: Switches) -> SwitchesBody:
    return SwitchesBody(
        mode=switches.mode,
        next=switches.remaining,
        delay_seconds=switches.delay_seconds,
        auto_pay_after_seconds=switches.auto_pay_after_seconds,
    )
