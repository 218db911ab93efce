"""A decision's content and an address, as applications and identity give them: made up."""

from __future__ import annotations

from typing import Any

CONTENT: dict[str, Any] = {
    "case_reference": "MU-2026-000042",
    "decision_id": "11111111-1111-5111-8111-111111111111",
    "document_kind": "certificate",
    "title": {"de": "Meldebescheinigung", "en": "Registration certificate"},
    "paragraphs": {
        "de": ["Sehr geehrte Frau Beispiel,", "hiermit wird „bescheinigt“ – für die Größe ß, Gebühr 5,00 €."],
        "en": ["Dear Ms Beispiel,", "this is to certify the following."],
    },
    "facts": [
        {"label": {"de": "Familienname", "en": "Family name"}, "value": "Beispiel"},
        {"label": {"de": "Anschrift", "en": "Address"}, "value": "Musterstraße 12\n99999 Musterstadt"},
    ],
    "legal_basis": ["§ 18 Abs. 1 BMG"],
    "remedy": {"de": "Gegen diesen Bescheid kann Klage erhoben werden.", "en": "An action may be brought."},
    "authority": {
        "name": "Stadt Musterstadt",
        "street": "Rathausplatz 1",
        "postal_code": "99999",
        "city": "Musterstadt",
    },
    "service_name": {"de": "Meldebescheinigung beantragen", "en": "Apply for a registration certificate"},
    "decided_on": "2026-03-09",
    "decided_by_rule": False,
    "sample": True,
}

ACCOUNT: dict[str, Any] = {
    "account_id": "22222222-2222-5222-8222-222222222222",
    "given_name": "Erika",
    "family_name": "Beispiel",
    "street": "Musterstraße",
    "house_number": "12a",
    "postal_code": "99999",
    "city": "Musterstadt",
    "email": "erika.beispiel@example.org",
    "trust_level": "substantial",
}
