# ruff: noqa: PLC0415 - a command imports what it needs, so that `rathaus --help` answers at once
"""`rathaus events …` and `rathaus cases …`: what an operator asks of a running installation."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from rathaus.registry import LISTED

if TYPE_CHECKING:
    from chassis.events.parking import ParkedSummary, Selection
    from rathaus.operations.installation import Installation
    from rathaus.operations.trace import Step
    from rathaus.operations.verify import Report

T = TypeVar("T")

events = typer.Typer(help="Events: follow them, prove that none is missing, repair.", no_args_is_help=True)
parked_events = typer.Typer(help="Events that a service could not apply.", no_args_is_help=True)
events.add_typer(parked_events, name="parked")
cases = typer.Typer(help="Cases.", no_args_is_help=True)
read_models = typer.Typer(
    help="Collections made from events: make them anew while the old one serves.", no_args_is_help=True
)

out = Console(highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="for programs")]
ServiceName = Annotated[str, typer.Option("--service", "-s", help=f"one of {LISTED}")]
AnyService = Annotated[str | None, typer.Option("--service", "-s", help=f"one of {LISTED}; else all")]


def _run(step: Coroutine[Any, Any, T]) -> T:
    from chassis.errors import Failure

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of is said below, once
    try:
        return asyncio.run(step)
    except Failure as failure:
        out.print(f"[red]{failure.detail or failure.title}[/red]")
        raise typer.Exit(2) from None


def _here(*services: str | None) -> Installation:
    from rathaus.operations import installation as engines

    for service in services:
        if service is not None and service not in engines.SERVICES:
            raise typer.BadParameter(f"no service {service}; there are {LISTED}")
    try:
        return engines.running()
    except LookupError as error:
        out.print(f"[red]{error}[/red]")
        raise typer.Exit(2) from None


def duration(text: str) -> timedelta:
    """A duration as people write it.

    Raises:
        typer.BadParameter: it isn't one.
    """
    from rathaus import clock

    try:
        return clock.duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def moment(text: str) -> datetime:
    """An ISO 8601 instant, or how long ago (`2h`).

    Raises:
        typer.BadParameter: neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - duration(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@events.command("tail")
def tail_events(
    town: Annotated[str | None, typer.Option(help="only this town's")] = None,
    case: Annotated[str | None, typer.Option(help="only this case's, or this subject's")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="only these, such as notice_issued")] = None,
    since: Annotated[str | None, typer.Option(help="begin at 2026-11-22T10:00 or 15m ago; else now")] = None,
    follow: Annotated[bool, typer.Option(help="go on with those to come")] = True,
    as_json: Json = False,
) -> None:
    """Show events as they pass."""
    from rathaus.operations import tail

    wanted = tail.Wanted(town, case, kind)
    here = _here()

    def _tell(event: tail.Passed) -> None:
        if not as_json:
            out.print(tail.line(event))
        elif event.envelope is not None:
            data = json.loads(event.record.value)
            print(json.dumps({**event.envelope.model_dump(mode="json", exclude_none=True), "data": data}), flush=True)

    async def _show() -> None:
        passed = tail.passed(here, wanted, since=moment(since) if since else None, follow=follow)
        if follow:
            async for event in passed:
                _tell(event)
            return
        found = [event async for event in passed]  # the topics come one after another: in the order of time
        for event in sorted(found, key=lambda each: each.record.timestamp):
            _tell(event)

    try:
        _run(_show())
    except KeyboardInterrupt:
        return


@events.command()
def verify(service: AnyService = None, as_json: Json = False) -> None:
    """Prove the topics against the documents. Exit code 1 where something is missing or wrong."""
    from rathaus.operations.verify import verify as verified

    report = _run(verified(_here(service), [service] if service else None))
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        _print_report(report)
    if not report.proven:
        raise typer.Exit(1)


def _print_report(report: Report) -> None:
    out.print(
        f"{report.events} events of {report.subjects} subjects, {report.repeats} repeats; "
        f"{report.documents} documents, {report.unpublished} events not yet published"
    )
    if report.proven:
        out.print("[green]Proven: nothing is missing, and every subject is in order.[/green]")
        return
    table = Table("kind", "service", "subject", "what")
    for finding in report.findings:
        table.add_row(finding.kind, finding.service, finding.source, finding.detail)
    out.print(table)
    out.print("[red]" + ", ".join(f"{count} × {kind}" for kind, count in report.counts.items()) + "[/red]")


@events.command()
def replay(
    service: ServiceName,
    start: Annotated[str, typer.Option("--from", help="a time, how long ago (2h), an offset, or `beginning`")],
    yes: Annotated[bool, typer.Option("--yes", help="do it; else only say what it would do")] = False,
) -> None:
    """Let a service read its events again. The service must be stopped; what it applied before does nothing."""
    from rathaus.operations.replay import planned
    from rathaus.operations.replay import replay as replayed

    here = _here(service)
    offset = int(start) if start.isdigit() else None
    since = None if start == "beginning" or offset is not None else moment(start)
    moves = _run(planned(here, service, since=since, offset=offset))
    if not moves:
        out.print(f"{service} has read nothing, so there is nothing to read again. See also: rathaus read-models")
        return
    table = Table("topic", "partition", "now at", "goes to", "read again")
    for move in moves:
        now = "-" if move.committed is None else str(move.committed)
        table.add_row(move.topic, str(move.partition), now, str(move.target), str(move.events))
    out.print(table)
    if not yes:
        out.print("Nothing was done. Add --yes to do it.")
        return
    _run(replayed(here, service, moves))
    out.print(f"[green]{service} reads from there at its next start.[/green]")


@events.command()
def republish(
    service: ServiceName,
    since: Annotated[str | None, typer.Option(help="only events said since then: a time, or how long ago (2h)")] = None,
) -> None:
    """Say past events again from the documents: same ids and sequences. The service's relay waits meanwhile."""
    from rathaus.operations.republish import republish as said_again

    count = _run(said_again(_here(service), service, since=moment(since) if since else None))
    out.print(f"{count} events said again")


@events.command("raise-epoch")
def raise_epoch(
    service: ServiceName,
    yes: Annotated[bool, typer.Option("--yes", help="do it; else only say what it would do")] = False,
) -> None:
    """After a restore of a service's database from a backup: begin a new line of sequences. Stop the service first."""
    from rathaus.operations.restore import raise_epoch as raised

    here = _here(service)
    if not yes:
        out.print(f"Raises the epoch of {service}'s events (docs/runbooks/restore.md). Add --yes to do it.")
        return
    out.print(f"{service} says its events in epoch {_run(raised(here, service))} from its next start on.")


Subject = Annotated[str | None, typer.Option(help="only this subject's")]
Reason = Annotated[str | None, typer.Option(help="only these: not_yet, hole, rejected, failed, undecodable")]
Older = Annotated[str | None, typer.Option("--older-than", help="only those parked for longer: 15m, 2h, 3d")]


def _selection(subject: str | None, reason: str | None, older: str | None) -> Selection:
    from chassis.events.parking import Selection

    return Selection(subject, reason, duration(older) if older else None)


async def _rows(here: Installation, service: str | None, selection: Selection) -> list[ParkedSummary]:
    from rathaus.operations import parked

    return [row async for _, row in parked.listed(here, service, selection)]


def _print_rows(rows: list[ParkedSummary], as_json: bool) -> None:
    if as_json:
        print(json.dumps([row.as_json() for row in rows], indent=1))
        return
    table = Table("id", "town", "status", "reason", "detail", "since", "tries", "events")
    for row in rows:
        since = row.since.strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(row.id, row.tenant, row.status, row.reason, row.detail, since, str(row.attempts), str(row.events))
    out.print(table if rows else "Nothing is parked.")


@parked_events.command("list")
def list_parked(
    service: AnyService = None,
    subject: Subject = None,
    reason: Reason = None,
    older: Older = None,
    as_json: Json = False,
) -> None:
    """List parked subjects."""
    _print_rows(_run(_rows(_here(service), service, _selection(subject, reason, older))), as_json)


@parked_events.command("show")
def show_parked(parked_id: str, service: ServiceName) -> None:
    """Show one parked subject with its events. Events hold no personal data."""
    from rathaus.operations import parked

    found = _run(parked.shown(_here(service), service, parked_id))
    if found is None:
        out.print("[red]No such parked subject.[/red]")
        raise typer.Exit(2)
    print(json.dumps(found, indent=1))


def _asked(action: str, service: str | None, selection: Selection, *, dry_run: bool, as_json: bool) -> None:
    from rathaus.operations import parked

    here = _here(service)
    _print_rows(_run(_rows(here, service, selection)), as_json)
    if dry_run:
        return
    count = _run(parked.ask(here, service, selection, action))
    if not as_json:
        out.print(f"Asked for {action} of {count}. The partitions' owners do it within seconds: list again to see.")


DryRun = Annotated[bool, typer.Option("--dry-run", help="only list what is meant")]


@parked_events.command("replay")
def replay_parked(
    service: AnyService = None,
    subject: Subject = None,
    reason: Reason = None,
    older: Older = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Try parked events again, for instance after a mended fault."""
    _asked("replay", service, _selection(subject, reason, older), dry_run=dry_run, as_json=as_json)


@parked_events.command("discard")
def discard_parked(
    service: AnyService = None,
    subject: Subject = None,
    reason: Reason = None,
    older: Older = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give up the first parked event of each subject (behind a hole: what is missing) and go on with the next."""
    if subject is None and reason is None:
        raise typer.BadParameter("a discard needs --subject or --reason")
    _asked("discard", service, _selection(subject, reason, older), dry_run=dry_run, as_json=as_json)


@cases.command()
def trace(
    case: Annotated[str, typer.Argument(help="its id, or its reference such as WIT-2026-PTMZP6RAQ9")],
    as_json: Json = False,
) -> None:
    """The whole story of a case across services and topics, with times."""
    from rathaus.operations.trace import trace as traced

    steps = _run(traced(_here(), case))
    if as_json:
        print(json.dumps([step.as_json() for step in steps], indent=1))
        return
    if not steps:
        out.print("[red]No event tells of this case. Name its id, or its reference such as WIT-2026-PTMZP6RAQ9.[/red]")
        raise typer.Exit(2)
    out.print(f"first event at {steps[0].time:%Y-%m-%d %H:%M:%S} UTC, by the services' clock")
    out.print(_story(steps))


def _story(steps: Sequence[Step]) -> Table:
    """Fits into 80 columns; who is done with an event is folded, and nothing is cut off."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("after", justify="right", no_wrap=True)
    for title in ("service", "event", "#"):
        table.add_column(title, no_wrap=True)
    table.add_column("done by", overflow="fold")
    for step in steps:
        after = f"{(step.time - steps[0].time).total_seconds():.3f} s"
        done = ", ".join(step.done_by) if step.published else "[red]not in its topic yet[/red]"
        table.add_row(after, step.service, step.name, str(step.sequence), done)
    return table


@read_models.command("list")
def list_read_models(as_json: Json = False) -> None:
    """Which generation serves, and how far the next one is."""
    from rathaus.operations import readmodels

    rows = _run(readmodels.listed(_here()))
    if as_json:
        print(json.dumps([row.as_json() for row in rows], indent=1))
        return
    table = Table("service", "read model", "serves", "being made", "events left")
    for row in rows:
        table.add_row(row.service, row.name, str(row.live), str(row.building or "-"), str(row.left or "-"))
    out.print(table)


@read_models.command("rebuild")
def rebuild_read_model(name: str, service: ServiceName) -> None:
    """Make a read model anew from all events; it is switched when nothing is left to read. The service must run."""
    from rathaus.operations import readmodels

    generation = _run(readmodels.rebuild(_here(service), service, name))
    out.print(f"Generation {generation} is being made. See: rathaus read-models list")
