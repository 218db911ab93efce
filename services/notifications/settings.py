"""What notifications can be told, besides what every service can."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables `RATHAUS_<NAME>`."""

    smtp_url: SecretStr | None = Field(
        None,
        description="mail server: smtps://user:password@host:465, smtp+starttls://...:587, or smtp://host:25 without "
        "encryption (a relay on the same machine); none: mails are kept as files in outbox_dir",
    )
    smtp_timeout_seconds: float = Field(10, gt=0, le=120, description="longest wait for the mail server, in seconds")
    outbox_dir: Path | None = Field(
        None, description="where mails are kept as .eml files without a mail server; none: `outbox` beside files_dir"
    )
    mail_from: str = Field(
        "Rathaus-Postfach <postfach@rathaus.example>",
        pattern=r"^[^\r\n]*@[^\r\n]*$",
        description="sender of the mails",
    )
    portal_url: str = Field(
        "http://127.0.0.1:8080/",
        pattern=r"^https?://[^\s]+$",
        description="address of the portal, named in the mails; `{tenant}` in it becomes the town",
    )

    @field_validator("smtp_url", mode="before")
    @classmethod
    def _empty_is_none(cls, given: object) -> object:
        return given or None

    @property
    def outbox(self) -> Path:
        """The directory of the mails kept."""
        return self.outbox_dir or self.files_dir.parent / "outbox"
