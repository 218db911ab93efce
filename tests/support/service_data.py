"""Services as the catalog publishes them (docs/guides/service-format.md), for tests of those who read them."""

from __future__ import annotations

from typing import Any

BIN_CHANGE: dict[str, Any] = {
    "tenant": "steinhagen",
    "version": 1,
    "service_version_id": "0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d",
    "content_hash": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "service_id": "bin-change",
    "sample": True,
    "names": {"de": "Mülltonne tauschen", "en": "Change your waste bin"},
    "authority": {
        "id": "steinhagen",
        "name": "Gemeinde Steinhagen",
        "street": "Musterstraße 1",
        "postal_code": "33803",
        "city": "Steinhagen",
    },
    "valid_from": "2026-01-01",
    "valid_to": None,
    "channels": [
        {"kind": "information", "trust_level": "none", "payment_methods": []},
        {"kind": "online", "trust_level": "basic", "payment_methods": []},
    ],
    "form": {
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": False,
            "required": ["bin_size"],
            "properties": {
                "bin_size": {"$ref": "#/$defs/size"},
                "name": {"type": "string", "maxLength": 100},
                "from": {"type": "string", "format": "date"},
                "persons": {"type": "integer", "minimum": 1, "maximum": 50},
                "by_post": {"type": "boolean"},
            },
            "$defs": {
                "size": {
                    "type": "string",
                    "enum": ["80", "120", "1100"],
                    "x-code-list": {"urn": "urn:de:rathaus:sample:bin-size", "version": "1"},
                }
            },
        },
        "ui": {"groups": [], "fields": {"bin_size": {"labels": {"de": "Neue Größe", "en": "New size"}}}},
        "code_lists": [
            {
                "urn": "urn:de:rathaus:sample:bin-size",
                "version": "1",
                "codes": [
                    {"code": "80", "labels": {"de": "80 Liter", "en": "80 litres"}},
                    {"code": "120", "labels": {"de": "120 Liter", "en": "120 litres"}},
                    {"code": "1100", "labels": {"de": "1100 Liter", "en": "1100 litres"}},
                ],
            }
        ],
    },
    "documents": [],
    "fees": [],
    "procedure": {
        "procedural_law": "vwvfg",
        "document_kind": "notice",
        "legal_basis": ["Abfallsatzung (Beispieldaten)"],
        "automation": {
            "legal_basis": ["§ 35a VwVfG NRW (Beispieldaten)"],
            "rule": {"outcome": "granted", "conditions": [{"path": "bin_size", "one_of": ["80", "120"]}]},
        },
        "remedy": {"de": "Klage binnen eines Monats. (Beispieltext)", "en": "Action within a month. (Sample)"},
    },
    "notice": {
        "title": {"de": "Änderung Ihrer Mülltonne", "en": "Change of your waste bin"},
        "paragraphs": {
            "de": ["{{form.name}}, Ihre Tonne hat ab {{form.from}} {{form.bin_size}}. {{case.reference}}"],
            "en": ["{{form.name}}, from {{form.from}} your bin has {{form.bin_size}}. {{case.reference}}"],
        },
        "facts": [{"label": {"de": "Neue Größe", "en": "New size"}, "value": "{{form.bin_size}}"}],
    },
}
"""Free, decided by rule for the usual sizes, by a clerk for the large one."""

CERTIFICATE: dict[str, Any] = {
    **BIN_CHANGE,
    "tenant": "witten",
    "service_id": "registration-certificate",
    "names": {"de": "Meldebescheinigung", "en": "Registration certificate"},
    "authority": {
        "id": "witten",
        "name": "Stadt Witten",
        "street": "Musterstraße 2",
        "postal_code": "58452",
        "city": "Witten",
    },
    "channels": [{"kind": "online", "trust_level": "substantial", "payment_methods": ["card"]}],
    "form": {
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["purpose"],
            "properties": {
                "purpose": {"type": "string", "minLength": 1, "maxLength": 200},
                "copies": {"type": "integer", "minimum": 1, "maximum": 9},
            },
        },
        "ui": {"groups": [], "fields": {}},
        "code_lists": [],
    },
    "documents": [
        {
            "id": "power_of_attorney",
            "labels": {"de": "Vollmacht", "en": "Power of attorney"},
            "required": True,
            "condition": {"path": "copies", "min": 5},
            "media_types": ["application/pdf", "image/png"],
            "original": False,
            "may_follow": False,
            "signed_paper": False,
        }
    ],
    "fees": [
        {
            "id": "certificate-fee",
            "timing": "before_processing",
            "amount": {"cents": 1100, "currency": "EUR"},
            "rule": None,
            "labels": {"de": "Gebühr", "en": "Fee"},
            "legal_basis": "Gebührensatzung (Beispieldaten)",
            "days_to_pay": 14,
            "conditions": [],
        }
    ],
    "procedure": {
        "procedural_law": "vwvfg",
        "document_kind": "certificate",
        "legal_basis": ["§ 18 BMG"],
        "automation": None,
        "remedy": {"de": "Klage binnen eines Monats. (Beispieltext)", "en": "Action within a month. (Sample)"},
    },
    "notice": {
        "title": {"de": "Meldebescheinigung", "en": "Registration certificate"},
        "paragraphs": {
            "de": ["Gemeldet seit {{result.registered_since}}. Zweck: {{form.purpose}}"],
            "en": ["Registered since {{result.registered_since}}. Purpose: {{form.purpose}}"],
        },
        "facts": [],
    },
}
"""With a fee before processing, decided by a clerk or a clerk system."""
