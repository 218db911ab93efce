"""Many schedules side by side, on all cores, the same each time."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context

from tests.simulation.run import Outcome, run
from tests.simulation.sabotages import SABOTAGES
from tests.simulation.world import Options

STRIKES = (
    *("lost", "silent", "late", "unforeseen"),
    *(f"{kind} {when}" for kind in ("kill", "freeze", "kick", "stop") for when in ("before", "after")),
)
"""What can happen at one operation."""
REPRODUCIBLE = {"PYTHONHASHSEED": "0"}
"""Environment of each process: sets of strings have an order that Python draws anew for each process otherwise."""
_BATCH = 5

Job = tuple[int, Options]


def prepare(sabotage: str | None) -> None:
    """Readies a process for schedules, of a chassis broken on purpose where one is named."""
    warnings.simplefilter("ignore")  # what killed processes leave behind complains when it is collected
    sys.unraisablehook = lambda _: None
    if sabotage:
        SABOTAGES[sabotage]()


def _prepare_worker(sabotage: str | None, parent: int) -> None:
    prepare(sabotage)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """A worker doesn't outlive whoever started it, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _batch(jobs: list[Job]) -> list[Outcome]:
    return [run(seed, options) for seed, options in jobs]


def outcomes(jobs: Iterable[Job], sabotage: str | None = None, workers: int = 0) -> Iterator[Outcome]:
    """Runs schedules side by side; the outcomes as they come. `workers`: processes, one a core where 0."""
    count = workers or os.cpu_count() or 1
    left = iter(jobs)
    with ProcessPoolExecutor(count, get_context("spawn"), _prepare_worker, (sabotage, os.getpid())) as pool:
        running: set[Future[list[Outcome]]] = set()
        try:
            while True:
                while len(running) < 2 * count and (batch := list(islice(left, _BATCH))):
                    running.add(pool.submit(_batch, batch))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            for each in running:
                each.cancel()


def seeds(first: int, count: int) -> list[Job]:
    """One schedule a seed."""
    return [(seed, Options()) for seed in range(first, first + count)]


def everywhere() -> list[Job]:
    """Each fault at each operation of one journey, one at a time."""
    short = Options(faults=False, clients=1, requests=2, seconds=0.6)
    operations = run(1, short).operations
    return [(1, replace(short, strike=(number, kind))) for number in range(1, operations + 1) for kind in STRIKES]
