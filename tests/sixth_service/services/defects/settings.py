"""What defects can be told: what every service can."""

from __future__ import annotations

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of defects."""
