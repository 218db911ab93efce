"""What every service can be told, from the environment (`RATHAUS_...`). A wrong or unknown one stops the start."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from chassis.errors import ConfigurationError

PREFIX = "RATHAUS_"


class ServiceSettings(BaseSettings):
    """Common to all services. Times in seconds, sizes in bytes, unless a name says otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka_url: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, comma-separated host:port")
    kafka_replication: int = Field(1, ge=1, description="replicas of each topic; 3 on a cluster")
    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/?retryWrites=false",
        description="MongoDB connection string; each service has its own database",
    )
    database_prefix: str = Field(
        "rathaus_", pattern=r"^[a-z0-9_]*$", description="before the service's name: its database"
    )
    group_prefix: str = Field(
        "rathaus.", pattern=r"^[a-z0-9_.-]*$", description="before the service's name: its consumer group"
    )
    database_timeout_seconds: float = Field(
        1.5, gt=0, le=60, description="longest wait for the database for one operation"
    )

    http_host: str = Field("127.0.0.1", description="address to listen on")
    http_port: int = Field(0, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    request_timeout_seconds: float = Field(10, gt=0, description="longest time for a request without a file; then 503")
    upload_timeout_seconds: float = Field(120, gt=0, description="longest time for a request that brings a file")
    request_concurrency: int = Field(64, ge=1, description="requests answered at a time; more get 503 at once")
    body_limit_bytes: int = Field(1_048_576, gt=0, description="longest request body, other than a file")
    file_limit_bytes: int = Field(52_428_800, gt=0, description="longest file uploaded")
    stop_timeout_seconds: float = Field(10, gt=0, description="time for started work to end after SIGTERM")

    files_dir: Path = Field(
        Path(".rathaus/files"),
        description="where files are kept (attachments, notices); each service has a folder in it",
    )
    orphan_seconds: float = Field(86_400, gt=0, description="a file that no document names for so long is removed")
    sweep_seconds: float = Field(3600, gt=0, description="how often such files are looked for")
    clock_file: Path | None = Field(
        None, description="file with the clock's offset, for demos and tests; none: the machine's clock"
    )

    issuer: str = Field("http://127.0.0.1:8080/identity", description="who signs the tokens (`iss`)")
    jwks_url: str = Field("http://127.0.0.1:8081/identity/v1/jwks", description="where the issuer's public keys are")
    audience: str = Field("rathaus", description="for whom the tokens are (`aud`)")
    client_id: str = Field("", description="this service's own machine client, to fetch what an event refers to")
    client_secret: SecretStr = Field(SecretStr(""), description="its secret")
    service_urls: dict[str, str] = Field(
        default_factory=dict, description='base addresses of the services by name, as JSON: {"catalog": "http://..."}'
    )

    log_format: Literal["json", "console", "auto"] = Field(
        "auto", description="auto: readable on a terminal, else JSON"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level that is written")

    background_limit_seconds: float = Field(
        60, gt=0, description="a service whose relay, workers or the like had no success for so long isn't ready"
    )
    lease_seconds: float = Field(
        3, gt=0.2, description="a relay whose lease counter stands still this long is taken over"
    )
    relay_poll_seconds: float = Field(2, gt=0, description="the relay looks for unpublished events at least this often")
    relay_longest_pause_seconds: float = Field(
        5, gt=0, description="the relay tries again at least this often while the broker or the database is away"
    )
    events_kept: int = Field(
        500, ge=1, description="published events in a document past these are moved to the archive collection"
    )
    work_poll_seconds: float = Field(1, gt=0, description="due work is looked for at least this often")
    work_concurrency: int = Field(16, ge=1, description="due work done at a time")
    work_first_retry_seconds: float = Field(0.5, gt=0, description="pause after the first failure of due work; doubled")
    work_longest_retry_seconds: float = Field(300, gt=0, description="longest pause between two tries of due work")
    away_longest_retry_seconds: float = Field(
        30, gt=0, description="the same while something outside is away, so that its return is noticed soon"
    )
    delivery_concurrency: int = Field(32, ge=1, description="subjects of one partition handled at a time")
    delivery_attempts: int = Field(
        3, ge=1, description="tries of an event that fails in an unknown way, before it is parked"
    )
    delivery_halt_after: int = Field(
        20, ge=1, description="subjects parked for unknown failures within a minute at which the consumer stops instead"
    )
    delivery_halt_window_seconds: float = Field(
        60, gt=0, description="an unknown failure counts for so long towards stopping the consumer"
    )
    delivery_halt_pause_seconds: float = Field(
        5, gt=0, description="a stopped consumer tries what fails again this often"
    )
    delivery_longest_pause_seconds: float = Field(
        2, gt=0, description="longest pause between two tries of an event while an engine is away"
    )
    parked_retry_seconds: float = Field(1, gt=0, description="parked events that are due are looked for this often")
    parked_first_retry_seconds: float = Field(
        1, gt=0, description="pause before an event parked as waiting is tried again; doubled"
    )
    parked_longest_retry_seconds: float = Field(
        60, gt=0, description="longest pause between two tries of an event parked as waiting"
    )
    watch_seconds: float = Field(5, gt=0, description="a consumer's lag and progress are looked at this often")
    stuck_seconds: float = Field(60, gt=0, description="a consumer with lag and no progress for so long is restarted")


S = TypeVar("S", bound=ServiceSettings)


def known_variables(settings: Iterable[type[BaseSettings]]) -> set[str]:
    """The names of the environment variables that these settings read."""
    return {PREFIX + name.upper() for each in settings for name in each.model_fields}


def load(settings: type[S], **overrides: Any) -> S:
    """Reads the settings from the environment.

    Raises:
        ConfigurationError: a value is wrong, or a `RATHAUS_` variable isn't known; the message names it.
    """
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known_variables([settings]))
    if unknown:
        raise ConfigurationError(f"unknown setting{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}")
    try:
        return settings(**overrides)
    except ValidationError as error:
        findings = "; ".join(
            f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)
        )
        raise ConfigurationError(f"wrong settings: {findings}") from None
    except SettingsError as error:
        # Its cause quotes the value, which may be a secret.
        raise ConfigurationError(f"wrong settings: {error}") from None
