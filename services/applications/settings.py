"""Settings of applications, beside those of every service."""

from __future__ import annotations

from pydantic import Field

from chassis.settings import ServiceSettings
from services.applications.domain.json_limits import Limits


class Settings(ServiceSettings):
    """Settings of applications."""

    attachment_limit_bytes: int = Field(20_971_520, gt=0, description="longest single attachment, in bytes")
    form_depth: int = Field(16, ge=1, le=64, description="levels of objects and arrays in form data")
    form_values: int = Field(5_000, ge=1, description="values in form data, in all")
    form_characters: int = Field(200_000, ge=2, description="length of form data as canonical JSON, in characters")

    @property
    def form_limits(self) -> Limits:
        """What form data may be at most."""
        return Limits(self.form_depth, self.form_values, self.form_characters)
