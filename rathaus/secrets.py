"""Random secrets of one installation on one machine: made at the first start, kept readable by their owner only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from rathaus.engines.files import write_atomically


def load_or_make(file: Path, names: Iterable[str]) -> dict[str, str]:
    """The secrets by name; those that are missing are made. The file has mode 0600."""
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(32) for name in missing}
        write_atomically(file, json.dumps(known, indent=1), mode=0o600)
    return known
