"""What a run says on the terminal, while it goes and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from tests.chaos import checker
from tests.chaos.run import Result

console = Console(highlight=False, soft_wrap=True)


def teller() -> Callable[[str], None]:
    """Prints what is said to it, with the seconds since now."""
    began = time.monotonic()
    return lambda text: console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False)


def promises(result: Result) -> dict[str, str]:
    """What was found wrong, by kind, and the tools' own word."""
    kinds = checker.counts(result.findings)
    return {
        **{kind: str(kinds.get(kind, 0)) for kind in checker.KINDS},
        "verify": "proven" if result.report.proven else f"{dict(result.report.counts)}",
    }


def longest(seconds: Mapping[str, float]) -> str:
    """By service."""
    return ", ".join(f"{name} {value:.1f} s" for name, value in sorted(seconds.items()))


def print_run(title: str, figures: Mapping[str, str], result: Result) -> None:
    """The table, the first findings, the verdict."""
    table = Table(title=title, show_header=False)
    for name, value in figures.items():
        table.add_row(name, value)
    console.print(table)
    for finding in result.findings[:30]:
        console.print(f"  {finding}", markup=False, style="red")
    for each in result.report.findings[:10]:
        console.print(f"  verify: {each}", markup=False, style="red")
    for trouble in result.troubles:
        console.print(f"  a fault that could not be made: {trouble}", markup=False, style="yellow")
    verdict = "every promise was kept" if result.good else "PROMISES WERE BROKEN"
    console.print(verdict, style="bold green" if result.good else "bold red")
