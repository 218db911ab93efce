"""Examples in the OpenAPI document: the bulky-waste page of Musterstadt, all invented.

Without nulls: FastAPI leaves them out of examples.
"""

from __future__ import annotations

from typing import Any, Final

from contracts import datarefs

TOWN: Final[dict[str, Any]] = {
    "tenant": "musterstadt",
    "revision": 1,
    "names": {"de": "Stadt Musterstadt", "en": "Town of Musterstadt"},
    "sample": True,
    "ars": ["059990999999"],
    "ags": ["05999999"],
    "contact": {
        "street": "Musterstraße 1",
        "postal_code": "99999",
        "city": "Musterstadt",
        "phone": "+49 30 23125000",
        "email": "info@musterstadt.example",
        "website": "https://musterstadt.example/",
    },
    "languages": ["de", "en"],
    "time_zone": "Europe/Berlin",
}

_VERSION_ID = "0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"
_HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
_DATAREF = datarefs.service_version("musterstadt", "bulky-waste", 1)
_NAMES = {"de": "Sperrmüll", "en": "Bulky waste"}
_SUMMARY = "Wann und wie der Sperrmüll abgeholt wird."

VERSION: Final[dict[str, Any]] = {
    "service_version_id": _VERSION_ID,
    "service_id": "bulky-waste",
    "version": 1,
    "status": "retired",
    "valid_from": "2026-01-01",
    "valid_to": "2030-12-31",
    "content_hash": _HASH,
    "authors": ["editor-1"],
    "published_by": "reviewer-1",
    "retired_on": "2027-06-30",
    "dataref": _DATAREF,
}

SERVICE: Final[dict[str, Any]] = {
    "tenant": "musterstadt",
    "version": 1,
    "service_version_id": _VERSION_ID,
    "content_hash": _HASH,
    "service_id": "bulky-waste",
    "sample": True,
    "names": _NAMES,
    "authority": {
        "id": "musterstadt",
        "name": "Stadt Musterstadt",
        "street": "Musterstraße 1",
        "postal_code": "99999",
        "city": "Musterstadt",
    },
    "valid_from": "2026-01-01",
    "texts": [
        {
            "module": "short_description",
            "language": "de",
            "text": _SUMMARY,
            "source": {"level": "town", "name": "Stadt Musterstadt"},
            "approval": {"status": "sample"},
        }
    ],
    "channels": [{"kind": "information"}],
}

CARD: Final[dict[str, Any]] = {
    "service_id": "bulky-waste",
    "version": 1,
    "names": _NAMES,
    "summary": {"de": _SUMMARY},
    "channels": ["online", "information"],
    "trust_level": "basic",
    "links": [],
    "leika_keys": [],
    "sample": True,
    "dataref": _DATAREF,
}

FINDING: Final[dict[str, Any]] = {
    "pointer": "/notice/title/de",
    "code": "unknown_placeholder",
    "message": "form.<path>, result.<key> or case.reference, without blanks",
}

NOTICE: Final[dict[str, Any]] = {
    "de": {"title": "Bescheid", "paragraphs": ["Aktenzeichen {{case.reference}}"], "facts": []},
    "en": {"title": "Decision", "paragraphs": ["Case reference {{case.reference}}"], "facts": []},
}
