"""Runs `python -m tests.simulation` as its user does: for its tests."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from tests.simulation.many import REPRODUCIBLE


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run came to."""

    code: int
    told: str


def simulate(*arguments: str) -> Ended:
    """Runs it to its end."""
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **REPRODUCIBLE}, check=False)
    return Ended(done.returncode, done.stdout + done.stderr)
