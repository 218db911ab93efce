"""What is seen of the demo: the step at work with its time on a terminal, plain lines elsewhere, events in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rathaus.demo.events import Told


class StepFailed(Exception):
    """A step didn't go as it should; the cause tells why."""


class Show:
    """Tells of steps and events in order, with seconds since the beginning."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def heading(self, text: str) -> None:
        """What comes next."""
        self._console.print(Text(f"\n{text}", style="bold"))

    def line(self, text: str, style: str = "") -> None:
        """A line of its own."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A step while it lasts, and how long it took.

        Raises:
            StepFailed: with its cause.
        """
        began = time.monotonic()
        try:
            with self._spinning(text):
                yield
        except Exception as error:
            self._stamped(Text(f"✗ {text}", style="bold red"), began)
            raise StepFailed(text) from error
        self._stamped(Text(f"✓ {text}"), began)

    def event(self, told: Told) -> None:
        """An event that passed."""
        envelope = told.envelope
        line = f"{'':>17}  · {envelope.stream}: {told.name} #{envelope.sequence}  ({envelope.tenant})"
        self._console.print(Text(line, style="dim cyan"), soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table. Elsewhere than on a terminal each row is a block of lines, which can be read and searched."""
        if not self._console.is_terminal:
            self.heading(title)
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    self.line(f"  {column}: {value}".replace("\n", ", "))
            return
        made = Table(title=title, title_justify="left", show_lines=True)
        for column in columns:
            made.add_column(column, overflow="fold")
        for row in rows:
            made.add_row(*row)
        self._console.print(made)

    def _stamped(self, text: Text, began: float) -> None:
        took = time.monotonic() - began
        self._console.print(Text(f"{self.seconds:7.2f} s {took * 1000:5.0f} ms  ", style="dim") + text, soft_wrap=True)

    @contextmanager
    def _spinning(self, text: str) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(text)):
            yield
