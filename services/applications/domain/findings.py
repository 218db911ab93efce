"""What is wrong with an application, with messages in German and English that never quote what was entered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernel.texts import Bilingual


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps an application from being submitted."""

    pointer: str
    """JSON pointer (RFC 6901) into the application: `/data/...`, `/attachments/<document>`."""
    code: str
    """The keyword of JSON Schema, or `document_missing`, `character_not_printable`."""
    message: Bilingual

    def as_json(self) -> dict[str, Any]:
        """As one of `errors` in a problem document."""
        return {"pointer": self.pointer, "code": self.code, "message": self.message.model_dump()}


def as_errors(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The `errors` of a problem document."""
    return [each.as_json() for each in findings]
