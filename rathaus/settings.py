"""What the platform as a whole can be told: by the environment (`RATHAUS_...`) or by a file, `rathaus.toml`.

The environment wins over the file. What a single service can be told stands in its own `services/<name>/settings.py`;
such variables are passed on to it. A name that nobody knows stops the start, since it is most likely misspelt.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib import import_module, util
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from chassis.errors import ConfigurationError
from chassis.settings import PREFIX, ServiceSettings, known_variables
from rathaus.registry import NAMES

FILE_VARIABLE = PREFIX + "SETTINGS_FILE"


class PlatformSettings(BaseSettings):
    """Settings of `rathaus up` and `rathaus demo`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    kafka_url: str | None = Field(
        None, min_length=3, description="an existing Kafka, comma-separated host:port; none: one is started here"
    )
    mongo_url: str | None = Field(
        None,
        pattern=r"^mongodb(\+srv)?://",
        description="an existing MongoDB; none: an embedded server is started here",
    )
    state_dir: Path = Field(Path(".rathaus"), description="data, logs, secrets and process ids are kept here")
    gateway_port: int = Field(
        8080, ge=0, le=65535, description="port of the only public door, on 127.0.0.1; 0 takes a free one"
    )
    kafka_port: int = Field(
        0, ge=0, le=65535, description="port of the embedded Kafka; 0 takes a free one and keeps it"
    )
    mongo_port: int = Field(
        0, ge=0, le=65535, description="port of the embedded database server; 0 takes a free one and keeps it"
    )
    ready_timeout_seconds: float = Field(
        180, gt=0, description="everything must be ready within so many seconds (the first start fetches Kafka)"
    )
    stop_timeout_seconds: float = Field(
        10, gt=0, description="seconds that a process gets to end its work after SIGTERM; then SIGKILL"
    )
    restart_pause_seconds: float = Field(
        0.5, gt=0, description="seconds before a process that died is started again; doubled each time it dies again"
    )
    restart_pause_longest_seconds: float = Field(
        30, gt=0, description="the pause grows no longer than this, in seconds"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file())

    @property
    def home(self) -> Path:
        """The state directory, absolute."""
        return self.state_dir.expanduser().absolute()


def load(**overrides: Any) -> PlatformSettings:
    """Reads the settings.

    Raises:
        ConfigurationError: a value is wrong, a name isn't known, or the file can't be read; the message names it.
    """
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in _known())
    if unknown:
        many = "s" if len(unknown) > 1 else ""
        raise ConfigurationError(f"unknown setting{many} in the environment: {', '.join(unknown)}. Misspelt?")
    file = _file()
    try:
        return PlatformSettings(**overrides)
    except ValidationError as error:
        raise ConfigurationError(
            f"wrong settings: {'; '.join(map(_finding, error.errors(include_input=False)))}"
        ) from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the settings file {file} can't be read: {error}") from None


def service_settings(service: str) -> type[ServiceSettings]:
    """The class that says what a service can be told; what all have in common while the service isn't there."""
    module = f"services.{service}.settings"
    if util.find_spec(f"services.{service}") is None or util.find_spec(module) is None:
        return ServiceSettings
    found = import_module(module).Settings
    if not (isinstance(found, type) and issubclass(found, ServiceSettings)):
        raise ConfigurationError(f"{module}.Settings doesn't derive from ServiceSettings")
    return found


def passed_on(service: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of our environment that this service knows."""
    return {name: environ[name] for name in known_variables([service_settings(service)]) if name in environ}


def _known() -> set[str]:
    return known_variables([PlatformSettings, *map(service_settings, NAMES)]) | {FILE_VARIABLE}


def _file() -> Path | None:
    named = os.environ.get(FILE_VARIABLE)
    if named and not Path(named).is_file():
        raise ConfigurationError(f"{FILE_VARIABLE} names {named}, which isn't a file")
    file = Path(named or "rathaus.toml")
    return file if named or file.is_file() else None


def _finding(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else "?"
    if error["type"] == "extra_forbidden":
        return f"{name} isn't a setting"
    return f"{name} (or {PREFIX}{name.upper()}): {error['msg']}"
