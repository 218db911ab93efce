"""Rows of figures, and tables of them."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

out = Console(highlight=False, width=110)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    what: str
    value: str
    note: str = ""


def percentile(values: list[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def show(title: str, rows: list[Row]) -> None:
    """One table."""
    table = Table("what", "value", "note", title=title, title_justify="left")
    for row in rows:
        table.add_row(row.what, row.value, row.note)
    out.print(table)
