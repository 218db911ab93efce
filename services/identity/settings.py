"""What identity can be told, beyond what every service can."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from chassis.auth import ALL_TOWNS
from chassis.settings import ServiceSettings


class BootstrapClient(BaseModel):
    """A machine client known from the start: our own services, the operator. It is kept in memory only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: SecretStr = Field(min_length=16)
    scopes: tuple[str, ...] = Field(min_length=1)
    tenant: str = Field(ALL_TOWNS, pattern=r"^(\*|[a-z][a-z0-9-]{1,38})$")


class Settings(ServiceSettings):
    """Settings of identity."""

    token_seconds: int = Field(900, ge=30, le=43_200, description="how long an access token is valid, in seconds")
    key_secret: SecretStr = Field(
        SecretStr(""),
        description="encrypts the signing keys in the database; at least 16 characters; empty: they are stored plain",
    )
    bootstrap_clients: dict[str, BootstrapClient] = Field(
        default_factory=dict,
        description='machine clients known from the start, as JSON: {"operator": {"secret": "...", '
        '"scopes": ["operator"], "tenant": "*"}}',
    )
    demo_sign_in: bool = Field(
        False, description="whether anybody may sign in as one of the invented people; never where real data is"
    )
    demo_people: Path | None = Field(
        None, description="file with other invented people than those of demo_people.json, in its form"
    )
