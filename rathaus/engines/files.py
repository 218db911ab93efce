"""Small files that are never seen half written."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def write_atomically(file: Path, text: str, mode: int = 0o644) -> None:
    """Replaces a file's content: a reader sees the old one or the new one, after kill -9 too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{uuid4().hex}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
