"""`python -m tests.chaos`: faults of every kind under load, and whether any promise was broken. Exit code 1 if so."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos import checker
from tests.chaos.client import Plan
from tests.chaos.disk import small_disk
from tests.chaos.faults import QUICK, Scale, long_scale, schedule
from tests.chaos.house import Build
from tests.chaos.run import Order, Result, run
from tests.chaos.show import console, longest, print_run, promises, teller

SLOW = 45.0
"""Seconds to rest after which a person will want to see why: the state is kept."""


def main() -> int:
    """Runs it, prints the table."""
    given = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own clients meet the faults, too
    code = 0
    for number in range(given.runs):
        seed = given.seed + number if given.seed is not None else random.SystemRandom().randrange(1, 1_000_000)
        code |= _one(given, seed)
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="the schedule's; none: by chance, and printed")
    parser.add_argument("--runs", type=int, default=1, help="so many runs, with seeds that follow one another")
    parser.add_argument("--minutes", type=float, help="a long run of so many minutes of load")
    parser.add_argument("--seconds", type=float, default=QUICK.seconds, help="of load, in a quick run")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--rate", type=float, default=3.0, help="journeys that begin each second")
    parser.add_argument(
        "--unruly", type=float, default=0.02, help="share of the events whose handlers fail for a while"
    )
    parser.add_argument("--drain", type=float, help="longest time to rest, in seconds; a busy machine needs more")
    parser.add_argument("--twins", type=float, default=0.25, help="share of the moves that are sent twice at once")
    parser.add_argument("--calm", action="store_true", help="no faults at all: the load and the checker only")
    parser.add_argument("--home", type=Path, help="state, kept afterwards; none: a temporary folder, kept on a failure")
    parser.add_argument("--row", type=Path, help="a line of a Markdown table is added to this file")
    parser.add_argument("--schedule", action="store_true", help="only print what would go wrong, and when")
    return parser.parse_args()


def _one(given: argparse.Namespace, seed: int) -> int:
    home = given.home or Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    console.print(f"[bold]seed {seed}[/]   state in {home}")
    with small_disk(home / "disk", console.print) as disk:
        scale = _scale(given, disk=disk is not None)
        engines = ("kafka",) if given.brokers == 1 else ("kafka-1", "kafka-2", "kafka-3")
        if given.schedule:
            for fault in schedule(seed, scale, (*engines, "mongo")):
                console.print(str(fault), markup=False)
            return 0
        order = Order(
            Build(home, given.brokers, seed, given.unruly, files_dir=disk),
            scale,
            Plan(seed, given.rate, twins=given.twins),
            drain=given.drain or (600 if given.minutes else 120),
            planned=[] if given.calm else None,
        )
        result = asyncio.run(run(order, teller()))
    print_run(f"Chaos, seed {result.seed}", _figures(result), result)
    if given.row:
        with given.row.open("a") as file:
            file.write(_row(result) + "\n")
    if result.good and result.drain < SLOW and not given.home:
        shutil.rmtree(home, ignore_errors=True)
    return 0 if result.good else 1


def _scale(given: argparse.Namespace, *, disk: bool) -> Scale:
    found = long_scale(given.minutes) if given.minutes else Scale(given.seconds)
    return replace(found, disk=disk)


def _figures(result: Result) -> dict[str, str]:
    tally = result.truth.tally
    return {
        "journeys": f"{len(result.truth.journeys)}, finished {result.truth.finished}",
        "requests": f"{tally.requests}, of them twins {tally.twins}",
        "accepted moves": str(tally.accepted),
        "repeated because of": ", ".join(f"{why} {count}" for why, count in tally.repeated.most_common(8)) or "-",
        "events": f"{result.events}, of them repetitions {result.repeats}",
        "faults": f"{result.faults.total()}: " + ", ".join(f"{kind} {n}" for kind, n in sorted(result.faults.items())),
        **promises(result),
        "longest without a success": longest(result.longest),
        "drain": f"{result.drain:.1f} s, last notice after {result.last_notice:.1f} s; left: {result.unrest}",
        "parked and replayed by hand": str(result.replayed),
        "files": f"{result.orphans} that nothing names, {result.leftovers} begun and never finished",
        "wall time": f"{result.seconds:.0f} s",
    }


def _row(result: Result) -> str:
    tally, kinds = result.truth.tally, checker.counts(result.findings)
    away, seconds = max(result.longest.items(), key=lambda each: each[1], default=("-", 0.0))
    cells = (
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        result.seed,
        len(result.truth.journeys),
        tally.requests,
        tally.accepted,
        result.faults.total(),
        kinds[checker.LOST],
        kinds[checker.DOUBLED],
        kinds[checker.ORDER],
        kinds[checker.STUCK] + kinds[checker.WRONG],
        "yes" if result.report.proven else "no",
        f"{away} {seconds:.1f} s",
        f"{result.drain:.1f} s",
        f"{result.last_notice:.1f} s",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    sys.exit(main())
