"""Moves the clock of an installation, for demos and tests: services read the file (`chassis.clock.MovableClock`)."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

from rathaus.engines.files import write_atomically

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def offset(file: Path) -> timedelta:
    """How far the clock is moved; zero without a file."""
    return timedelta(seconds=float(json.loads(file.read_text())["offset_seconds"])) if file.exists() else timedelta()


def advance(file: Path, by: timedelta) -> timedelta:
    """Moves the clock on and returns the whole offset.

    Raises:
        ValueError: `by` is negative. Time that went backwards would break what deadlines promise.
    """
    if by < timedelta():
        raise ValueError("the clock only moves forward; `reset` sets it back to the machine's")
    moved = offset(file) + by
    write_atomically(file, json.dumps({"offset_seconds": moved.total_seconds()}))
    return moved


def reset(file: Path) -> None:
    """Back to the machine's clock."""
    file.unlink(missing_ok=True)


def duration(text: str) -> timedelta:
    """`90s`, `15m`, `2h`, `11d`, or several in a row: `1d12h`.

    Raises:
        ValueError: none of these.
    """
    parts = re.findall(r"(\d+)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} isn't a duration such as 90s, 15m, 2h, 11d or 1d12h")
    return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
