"""The shortest schedule that still shows a fault: faults left out one by one, then clients and moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.run import Outcome, run
from tests.simulation.world import Options

_SALTS = 4
_RUNS = 250


def kind_of(finding: str) -> str:
    """A finding without its ids and numbers: what counts as the same fault."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f-]*)?|\d+|\[.*|'[^']*'", "", finding)[:60]


def minimise(outcome: Outcome) -> Outcome:
    """A shorter schedule of the same seed whose findings are of the same kind as the first one.

    Leaving something out changes what happens by chance behind it: each is tried with several runs of luck.
    """
    wanted = kind_of(outcome.findings[0])
    best, left = outcome, _RUNS
    while left > 0 and (shorter := _shorter_one(best, wanted)):
        best, tried = shorter
        left -= tried
    return best


def _shorter_one(outcome: Outcome, wanted: str) -> tuple[Outcome, int] | None:
    """The first that is shorter, and how many were tried."""
    tried = 0
    for options in _shorter(outcome):
        for salt in range(_SALTS):
            tried += 1
            found = run(outcome.seed, replace(options, salt=options.salt + salt))
            if wanted in {kind_of(each) for each in found.findings}:
                return found, tried
    return None


def _shorter(outcome: Outcome) -> Iterator[Options]:
    """What may be left out, the largest first."""
    options = outcome.options
    names = sorted({name for _, name, _ in outcome.happened if name != "strike"})
    middle = len(names) // 2
    for clients in range(1, options.clients):
        yield replace(options, clients=clients)
    for part in (names, names[:middle], names[middle:], *([name] for name in names)):
        if part:
            yield replace(options, only=frozenset(names) - set(part))
    for requests in range(1, options.requests):
        yield replace(options, requests=requests)


_PLOT = ("FAULT", "FINDING", "operator", "world", " is ", "rebalances", "goes on", "stands still")


def story(outcome: Outcome) -> list[str]:
    """Who did what: what was done to the subjects found, between the faults and what became of the processes."""
    told = run(outcome.seed, replace(outcome.options, log=True))
    about = re.findall(r"[0-9a-f]{8}(?=[-\s/:]|$)", told.findings[0]) if told.findings else []
    plot = re.compile("|".join([*_PLOT, *sorted(about)]))
    return [line for line in told.lines if plot.search(line)]
