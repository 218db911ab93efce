"""What a person sees of the processes: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import psutil
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rathaus.supervisor.state import Phase, Watched

_STYLE = {
    Phase.READY: "green",
    Phase.FAILED: "bold red",
    Phase.RESTARTING: "yellow",
    Phase.UNWELL: "yellow",
    Phase.STOPPED: "dim",
}


def table(processes: Iterable[Watched], *, figures: bool = False) -> Table:
    """The processes, one a row; with `figures` also memory."""
    made = Table(box=None, pad_edge=False, show_header=figures)
    for title in ("process", "state", "pid", *(["memory"] if figures else []), "restarts", "what it waits for"):
        made.add_column(title, justify="right" if title in {"pid", "memory", "restarts"} else "left")
    for each in processes:
        made.add_row(
            each.name,
            Text(each.phase, style=_STYLE.get(each.phase, "cyan")),
            str(each.pid or ""),
            *([_memory(each)] if figures else []),
            f"{each.restarts} restarts" if each.restarts and not figures else str(each.restarts or ""),
            Text(each.reason, overflow="fold" if figures else "ellipsis", no_wrap=not figures),
        )
    return made


def _memory(watched: Watched) -> str:
    try:
        return f"{psutil.Process(watched.pid).memory_info().rss // 1_048_576} MB" if watched.pid else ""
    except psutil.Error:
        return ""


class Display:
    """Shows changes while the platform starts and runs. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, Watched] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()

    def settle(self) -> None:
        """Ends the live table; from now on plain lines tell the changes."""
        if self._live:
            self._live.stop()
            self._live = None

    def show(self, watched: Watched) -> None:
        """Tells of a change."""
        before = self._seen.get(watched.name)
        self._seen[watched.name] = watched
        if self._live:
            self._live.update(table(self._seen.values()), refresh=True)
        elif before is None or before.phase is not watched.phase:
            self._console.print(_line(watched))

    def say(self, text: str) -> None:
        """A line between."""
        self._console.print(text, markup=False)


def _line(watched: Watched) -> Text:
    line = Text(f"{datetime.now().astimezone():%H:%M:%S} {watched.name:<20} ")
    line.append(watched.phase, style=_STYLE.get(watched.phase, "cyan"))
    if watched.reason:
        line.append(f"  {watched.reason}")
    return line
