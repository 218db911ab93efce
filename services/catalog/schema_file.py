"""`python -m services.catalog.schema_file` writes `service-format.schema.json` beside this file."""

from __future__ import annotations

from pathlib import Path

from service_format.schema import rendered_schema

SCHEMA_FILE = Path(__file__).with_name("service-format.schema.json")

if __name__ == "__main__":
    SCHEMA_FILE.write_text(rendered_schema(), encoding="utf-8")
