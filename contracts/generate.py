"""Writes the JSON Schemas and the AsyncAPI document from the models.

python -m contracts.generate             contracts/schemas/ and contracts/asyncapi.json
python -m contracts.generate --release   the same, and keeps the schemas in contracts/released/ as promised
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from contracts.asyncapi import asyncapi_document
from contracts.catalogue import EVENTS
from contracts.compatibility import breaks
from contracts.jsonschema import Json, envelope_schema, event_schema

ROOT = Path(__file__).parent
SCHEMAS = ROOT / "schemas"
RELEASED = ROOT / "released"
ASYNCAPI = ROOT / "asyncapi.json"


def schemas() -> dict[str, Json]:
    """Every schema by its file's name."""
    found = {f"{name}.json": event_schema(event) for name, event in sorted(EVENTS.items())}
    return {**found, "envelope.json": envelope_schema()}


def as_text(document: Json) -> str:
    """As it is committed: UTF-8, two spaces, a newline at the end. The order is the models' own."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def write() -> None:
    """Writes all of it, and removes schemas that no model makes any more."""
    _write_folder(SCHEMAS, schemas())
    ASYNCAPI.write_text(as_text(asyncapi_document()), encoding="utf-8")


def broken_promises(released: Path = RELEASED) -> list[str]:
    """What the schemas break of those released, as lines to read."""
    current = schemas()
    lines: list[str] = []
    for file in sorted(released.glob("*.json")):
        if file.name not in current:
            lines.append(f"{file.name}: released, and no longer there")
            continue
        findings = breaks(json.loads(file.read_text(encoding="utf-8")), current[file.name])
        lines += [f"{file.name}: {finding}" for finding in findings]
    return lines


def release(folder: Path = RELEASED) -> list[str]:
    """Keeps the schemas as released, unless they would break a promise; returns what they would break."""
    problems = broken_promises(folder)
    if not problems:
        _write_folder(folder, schemas())
    return problems


def _write_folder(folder: Path, documents: dict[str, Json]) -> None:
    folder.mkdir(exist_ok=True)
    for stale in {file.name for file in folder.glob("*.json")} - documents.keys():
        (folder / stale).unlink()
    for name, document in documents.items():
        (folder / name).write_text(as_text(document), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 1 if a release would break a promise."""
    parser = argparse.ArgumentParser(prog="python -m contracts.generate", description="Write schemas and AsyncAPI.")
    parser.add_argument("--release", action="store_true", help="promise the schemas as they are now")
    chosen = parser.parse_args(arguments)
    write()
    problems = release() if chosen.release else []
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
