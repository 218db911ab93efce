"""Time as a port. Domains are told the time; everything else asks a `Clock`, which the demo and the tests can move.

Leases and time-outs do not ask this clock: they use the process's own monotonic one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present instant, timezone-aware UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """Stands still until moved: for tests."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The instant that was set."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Moves on."""
        self._at += by


class MovableClock:
    """The machine's clock plus an offset kept in a file that all services of one installation read.

    The file holds `{"offset_seconds": <number>}`; a missing file means no offset. `rathaus clock advance` writes it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp = 0
        self._offset = timedelta()

    def now(self) -> datetime:
        """The moved present instant in UTC."""
        return datetime.now(UTC) + self.offset()

    def offset(self) -> timedelta:
        """How far it is moved at present."""
        try:
            stamp = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            self._stamp, self._offset = 0, timedelta()
            return self._offset
        if stamp != self._stamp:
            self._offset = timedelta(seconds=float(json.loads(self._file.read_text())["offset_seconds"]))
            self._stamp = stamp
        return self._offset
