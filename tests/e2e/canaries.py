"""People whose every personal detail is a word that stands nowhere else: where one of them is seen, data leaked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

from rathaus.demo.journeys import CERTIFICATE, WASTE_BIN, Journey

SLUG, OTHER = "quirlinde-zwoelfkanarie", "brunhold-siebenwellensittich"

ONE = {
    "slug": SLUG,
    "given_name": "Quirlinde",
    "family_name": "Zwölfkanarie",
    "street": "Xylofonstieg",
    "house_number": "7193q",
    "email": "quirlinde@zwoelfkanarienpost.example",
    "trust_level": "substantial",
}
TWO = {
    "slug": OTHER,
    "given_name": "Brunhold",
    "family_name": "Siebenwellensittich",
    "street": "Nymphensittichpfad",
    "house_number": "8264x",
    "email": "brunhold@siebenwellensittichpost.example",
    "trust_level": "basic",
}
BORN, BORN_GERMAN, SINCE, SINCE_GERMAN = "1913-07-19", "19.07.1913", "1987-11-23", "23.11.1987"
REMARK, QUESTION, ANSWER, GROUNDS = "Plauderpapagei", "Fragekakadu", "Antwortbeo", "Begründungspirol"
ATTACHMENT, SEARCHED = "Anlagenzeisig", "suchstieglitz"

WORDS = (
    *(value for person in (ONE, TWO) for name, value in person.items() if name not in {"slug", "trust_level"}),
    *(BORN, BORN_GERMAN, SINCE, SINCE_GERMAN),
    *(REMARK, QUESTION, ANSWER, GROUNDS, ATTACHMENT, SEARCHED),
    *("Zwoelfkanarie", "zwölfkanarie", "Siebenwellen"),
)

CANARY_CERTIFICATE = replace(
    CERTIFICATE,
    person=SLUG,
    data={
        "given_name": ONE["given_name"],
        "family_name": ONE["family_name"],
        "date_of_birth": BORN,
        "purpose": "landlord",
        "remark": REMARK,
    },
)
CANARY_BIN = replace(
    WASTE_BIN,
    person=OTHER,
    data={"street": TWO["street"], "house_number": TWO["house_number"], "persons": 2, "new_size": "80"},
)
TWO_JOURNEYS: tuple[Journey, ...] = (CANARY_CERTIFICATE, CANARY_BIN)


def demo_people(file: Path, sample: Path) -> Path:
    """The demo's people and the two canaries, as identity reads them."""
    known = json.loads(sample.read_text())
    known["people"] += [ONE, TWO]
    file.write_text(json.dumps(known))
    return file


def register(file: Path, sample: Path) -> Path:
    """The population register's people and the first canary."""
    known = json.loads(sample.read_text())
    known["people"].append(
        {
            "given_name": ONE["given_name"],
            "family_name": ONE["family_name"],
            "date_of_birth": BORN,
            "address": f"{ONE['street']} {ONE['house_number']}, 58452 Witten",
            "registered_since": SINCE,
        }
    )
    file.write_text(json.dumps(known))
    return file


def spellings(words: Iterable[str] = WORDS) -> set[bytes]:
    """As a word may look where it leaks: raw, escaped as in JSON, in an address, in base64; lower case, all of it."""
    found: set[bytes] = set()
    for word in words:
        utf8 = word.encode()
        found |= {
            utf8,
            json.dumps(word)[1:-1].encode(),
            quote(word).encode(),
            quote_plus(word).encode(),
            utf8.hex().encode(),
        }
        found |= {word.encode("latin-1")}
        # In base64 a word has three looks, by where it begins; the characters at its ends depend on its neighbours.
        found |= {base64.b64encode(b"x" * shift + utf8)[4 if shift else 0 : -4] for shift in range(3) if len(utf8) > 9}
    return {each.lower() for each in found}


def seen(content: bytes, wanted: set[bytes]) -> list[str]:
    """Which of them stand in some bytes."""
    lower = content.lower()
    return sorted(each.decode("latin-1") for each in wanted if each in lower)
