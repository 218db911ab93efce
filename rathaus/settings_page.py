"""Writes docs/settings.md from the settings classes: `make docs`. A test fails where the page differs from the code."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from chassis.settings import PREFIX, ServiceSettings
from rathaus.registry import SERVICES
from rathaus.settings import PlatformSettings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

_INTRODUCTION = """\
# Settings

Written by `make docs` from the code. Each is an environment variable; a wrong or unknown one stops the start with a
message that names it. Those of `rathaus up` may also stand in `rathaus.toml` (without the prefix, in lower case), or in
the file that `RATHAUS_SETTINGS_FILE` names. `rathaus up` passes those of the services on, and sets addresses, ports and
secrets itself; on a cluster each service gets its own.
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, *_section("`rathaus up` and `rathaus demo`", PlatformSettings, set())]
    parts += _section("Every service", ServiceSettings, set())
    common = set(ServiceSettings.model_fields)
    for spec in SERVICES:
        settings = import_module(spec.settings_module).Settings
        if set(settings.model_fields) - common:
            parts += _section(f"Only {spec.name}", settings, common)
    return "\n".join(parts) + "\n"


def _section(title: str, settings: type[BaseSettings], without: set[str]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield "| variable | default | what it is |\n|---|---|---|"
    for name, field in settings.model_fields.items():
        if name not in without:
            text = (field.description or "").replace("|", "\\|").replace("\n", " ")
            yield f"| `{PREFIX}{name.upper()}` | {_default(field)} | {text} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        return "secret"
    if value in (None, "", {}, ()):
        return "none"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page())
