# ruff: noqa: PLC0415 - a command imports what it needs, so that `rathaus --help` and completion answer at once
"""The command `rathaus`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rathaus.operations.cli import cases, events, read_models
from rathaus.registry import LISTED, SERVICES

if TYPE_CHECKING:
    from rathaus.settings import PlatformSettings

app = typer.Typer(
    help="Rathaus: online services for towns. Begin with `rathaus demo`, or `rathaus up`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
clock = typer.Typer(help="The services' clock: for demos, let days pass.", no_args_is_help=True)
app.add_typer(clock, name="clock")
app.add_typer(events, name="events")
app.add_typer(cases, name="cases")
app.add_typer(read_models, name="read-models")

console = Console(highlight=False, soft_wrap=True)

Demo = Annotated[
    bool,
    typer.Option("--demo", help="Also start the simulated payment provider and allow signing in as invented people."),
]


def _settings() -> PlatformSettings:
    from chassis.errors import ConfigurationError
    from rathaus.settings import load

    try:
        return load()
    except ConfigurationError as error:
        console.print(f"Can't start: {error}", markup=False, style="red")
        raise typer.Exit(2) from None


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"rathaus {version('rathaus')}")
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Rathaus: online services for towns. Begin with `rathaus demo`, or `rathaus up`."""


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once everything is ready; it runs on.")
    ] = False,
    demo: Demo = False,
) -> None:
    """Start everything: Kafka, database, services, gateway. Ends with Ctrl-C.

    All state is kept in .rathaus and is there again at the next start. Settings come from RATHAUS_... variables or
    from the file rathaus.toml. Exit code 3: it runs already.
    """
    from rathaus.supervisor import commands

    settings = _settings()
    if detach:
        raise typer.Exit(commands.detached(settings, demo=demo, console=console))
    raise typer.Exit(asyncio.run(commands.foreground(settings, demo=demo, console=console)))


@app.command()
def down() -> None:
    """End everything that `up` or `demo` started, and what may be left over."""
    from rathaus.supervisor import commands

    raise typer.Exit(commands.down(_settings(), console=console))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs; without secrets.")] = False,
) -> None:
    """Show what runs, and how well. Exit code 0: all ready; 1: something isn't; 3: it doesn't run."""
    from rathaus.supervisor import commands

    raise typer.Exit(commands.status(_settings(), as_json=as_json, console=console))


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="One process, such as payments or kafka; else all.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")] = 15,
    raw: Annotated[bool, typer.Option("--raw", help="As they stand in the files: JSON, for programs.")] = False,
) -> None:
    """Show the last lines of the logs."""
    from rathaus.supervisor import commands

    raise typer.Exit(commands.logs(_settings(), name=name, follow=follow, lines=lines, raw=raw, out=sys.stdout))


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help=f"one of {LISTED}")],
) -> None:
    """Run one service alone, in the foreground: as on a server. Its settings come from RATHAUS_... variables."""
    found = next((spec for spec in SERVICES if spec.name == name), None)
    if found is None:
        raise typer.BadParameter(f"there is no service {name!r}, only {LISTED}")
    os.execv(sys.executable, [sys.executable, "-m", found.main_module])  # noqa: S606


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End everything once the journeys are done.")] = False,
) -> None:
    """Start everything, walk through two journeys of a citizen, and stay up to look around."""
    settings = _settings()
    try:
        run = import_module("rathaus.demo.main").run
    except ModuleNotFoundError as error:
        if error.name not in {"rathaus.demo", "rathaus.demo.main"}:
            raise
        console.print("The demo isn't there yet: rathaus/demo/main.py is missing.", style="red")
        raise typer.Exit(1) from None
    raise typer.Exit(run(settings, once=once))


@clock.command("show")
def clock_show() -> None:
    """Tell how far the services' clock is ahead of the machine's."""
    from rathaus import clock as moved

    _tell(moved.offset(_settings().home / "clock.json"))


@clock.command("advance")
def clock_advance(by: Annotated[str, typer.Argument(metavar="DURATION", help="90s, 15m, 2h, 11d or 1d12h")]) -> None:
    """Let time pass: what is due by then is done by the services."""
    from rathaus import clock as moved

    try:
        duration = moved.duration(by)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _tell(moved.advance(_settings().home / "clock.json", duration))


@clock.command("reset")
def clock_reset() -> None:
    """Back to the machine's clock. What was dated ahead stays so: for a fresh start delete .rathaus instead."""
    from rathaus import clock as moved

    moved.reset(_settings().home / "clock.json")
    _tell(timedelta())


def _tell(offset: timedelta) -> None:
    ahead = timedelta(seconds=round(offset.total_seconds()))
    console.print(f"The services' clock is {ahead} ahead of the machine's." if offset else "It is the machine's clock.")
