"""What the catalog can be told, beyond what every service can."""

from __future__ import annotations

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the catalog."""

    public_cache_seconds: int = Field(
        30,
        ge=0,
        le=86_400,
        description="how long others may keep what changes now and then (search, towns), in seconds",
    )
