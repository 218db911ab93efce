"""What is wrong with an application, told to the citizen: German and English, never quoting what was entered."""

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

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {"pointer": self.pointer, "code": self.code, "message": self.message.model_dump()}


def shown(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """As the `errors` of a problem document."""
    return [each.shown() for each in findings]
