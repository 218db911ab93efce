"""What the machine decides for us: elapsed time, new ids, random pauses. One place, so that a simulation can decide it.

Deadlines and due work do not ask here but the `Clock` (chassis/clock.py), which a demo or an operator can move.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import uuid4


class Chance(Protocol):
    """Where elapsed time and randomness come from."""

    def monotonic(self) -> float:
        """Seconds that only ever grow, of this process alone."""
        ...

    def new_id(self) -> str:
        """A random UUID, in its canonical text form."""
        ...

    def token_hex(self, size: int) -> str:
        """`size` random bytes as hexadecimal digits."""
        ...

    def between(self, low: float, high: float) -> float:
        """A number between the two."""
        ...


class _Machine:
    """The process's own monotonic clock and the system's random numbers."""

    def monotonic(self) -> float:
        return time.monotonic()

    def new_id(self) -> str:
        return str(uuid4())

    def token_hex(self, size: int) -> str:
        return secrets.token_hex(size)

    def between(self, low: float, high: float) -> float:
        return random.uniform(low, high)  # noqa: S311 - spreads retries, guards nothing


_source: Chance = _Machine()


@contextmanager
def decided_by(source: Chance) -> Iterator[None]:
    """Within, `source` decides, in the whole process: for simulations."""
    global _source  # noqa: PLW0603 - one process is one machine
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before


def monotonic() -> float:
    """Seconds that only ever grow, of this process alone: for leases, time-outs and durations."""
    return _source.monotonic()


def new_id() -> str:
    """A random UUID, in its canonical text form."""
    return _source.new_id()


def token_hex(size: int) -> str:
    """`size` random bytes as hexadecimal digits."""
    return _source.token_hex(size)


def between(low: float, high: float) -> float:
    """A random number between the two, to spread what would happen all at once."""
    return _source.between(low, high)
