"""The published JSON Schema of a service as data."""

from __future__ import annotations

import json

from service_format.model import Json
from service_format.service import ServiceAsData

SCHEMA_ID = "https://rathaus.example/catalog/service-format.json"


def json_schema() -> Json:
    """The published JSON Schema (2020-12)."""
    made = ServiceAsData.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **made}


def rendered_schema() -> str:
    """As it stands in the file."""

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
