"""The register itself and how it decides: pure. All people in `people.json` are invented."""

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """A person in the register. Not shown by `repr`."""

    given_name: str
    family_name: str
    date_of_birth: str  # ISO 8601
    address: str
    registered_since: str  # ISO 8601


@dataclass(frozen=True, slots=True, repr=False)
class Decision:
    """What is answered to the platform. `result` fills the placeholders of the certificate. Not shown by `repr`."""

    outcome: str
    grounds: str
    result: Mapping[str, str]

    def body(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "grounds": self.grounds, "result": dict(self.result)}


def load(file: Path) -> tuple[Entry, ...]:
    return tuple(Entry(**row) for row in json.loads(file.read_text())["people"])


def decide(asked: Mapping[str, Any], entries: Iterable[Entry]) -> Decision:
    """Grants where exactly one entry fits the names and the date of birth, else refuses."""
    wanted = _key(asked.get("given_name"), asked.get("family_name"), asked.get("date_of_birth"))
    found = [each for each in entries if _key(each.given_name, each.family_name, each.date_of_birth) == wanted]
    if len(found) != 1:
        return Decision("refused", "Zu den Angaben wurde im Melderegister keine eindeutige Eintragung gefunden.", {})
    entry = found[0]
    result = {
        "register_name": f"{entry.given_name} {entry.family_name}",
        "register_date_of_birth": _written(entry.date_of_birth),
        "register_address": entry.address,
        "register_since": _written(entry.registered_since),
    }
    return Decision("granted", "Die Angaben stimmen mit dem Melderegister überein.", result)


def _written(day: str) -> str:
    return f"{date.fromisoformat(day):%d.%m.%Y}"


def _key(*parts: object) -> tuple[str, ...]:
    """People write their names in capitals, with blanks around them, and in either Unicode form."""
    return tuple(unicodedata.normalize("NFC", str(part or "")).strip().casefold() for part in parts)
