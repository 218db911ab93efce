"""A disk that can be filled: a small file system in memory, where this process may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = "64m"


@contextmanager
def small_disk(place: Path, say: Callable[[str], object]) -> Iterator[Path | None]:
    """A mounted tmpfs, unmounted at the end; None, with the reason said, where that can't be done."""
    if os.geteuid() != 0:
        say("the disk can't be filled here: only root may mount a small one")
        yield None
        return
    place.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        say(f"the disk can't be filled here: {made.stderr.strip() or made.returncode}")
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
