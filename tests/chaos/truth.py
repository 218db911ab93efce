"""What the clients know for certain: what they asked for and what was acknowledged to them. Pure data."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Applied:
    """One person's journey, as their client saw it. What is empty was not acknowledged."""

    number: int
    tenant: str
    person: str
    service_id: str
    pays: bool
    data: dict[str, Any]
    case_id: str = ""
    saved: bool = False
    attachment_sha256: str = ""
    """Of the file, once it was acknowledged."""
    case_reference: str = ""
    """Known once submitted."""
    demand_id: str = ""
    checked_out: bool = False
    notice_id: str = ""
    """Known once the document was fetched."""
    document_sha256: str = ""
    began: float = field(default_factory=time.monotonic)
    finished: bool = False
    trouble: str = ""
    """An answer that must not be: what was acknowledged is denied, two answers differ, ..."""

    @property
    def submitted(self) -> bool:
        """Whether the submission was acknowledged."""
        return bool(self.case_reference)


@dataclass(slots=True)
class Tally:
    """What happened on the way."""

    requests: int = 0
    """Sent, repetitions and twins included."""
    accepted: int = 0
    """Moves acknowledged with 2xx."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Why requests were repeated."""
    twins: int = 0
    """Moves sent twice at once."""
    longest: dict[str, float] = field(default_factory=dict)
    """By service: the longest time in which somebody asked and nobody was answered, in seconds."""
    _asking: Counter[str] = field(default_factory=Counter)
    _since: dict[str, float] = field(default_factory=dict)

    def asked(self, service: str) -> None:
        """A request begins: from now on somebody waits."""
        if not self._asking[service]:
            self._since[service] = time.monotonic()
        self._asking[service] += 1

    def succeeded(self, service: str) -> None:
        """One was answered as it should be."""
        now = time.monotonic()
        self.longest[service] = max(self.longest.get(service, 0.0), now - self._since[service])
        self._since[service] = now

    def left(self, service: str) -> None:
        """Whoever asked is answered, or gave up."""
        self._asking[service] -= 1


@dataclass(slots=True)
class Truth:
    """All of it."""

    journeys: list[Applied] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def finished(self) -> int:
        """Journeys that came to their end."""
        return sum(1 for applied in self.journeys if applied.finished)
