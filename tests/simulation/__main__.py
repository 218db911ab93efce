"""`make simulate`: schedules from one seed to another, side by side on all cores; what is found, as a story.

python -m tests.simulation --seeds 500               # seeds 1 to 500
python -m tests.simulation --seed 107                # one seed, with its log
python -m tests.simulation --exhaustive              # each fault at each operation of one journey
python -m tests.simulation --sabotage lock_absent    # a chassis broken on purpose, until it is found
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from collections import Counter
from dataclasses import replace

from rich.console import Console

from tests.simulation.many import REPRODUCIBLE, Job, everywhere, outcomes, prepare, seeds
from tests.simulation.minimise import minimise, story
from tests.simulation.run import Outcome, run
from tests.simulation.sabotages import SABOTAGES
from tests.simulation.world import Options

_FOUND_AT_MOST = 5
_STORY_LINES = 200

say = Console(highlight=False, markup=False, soft_wrap=True).print


def main() -> int:
    """Exit code 1 where something was found; with a sabotage, where nothing was."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--seed", type=int, help="this one alone, with its log")
    parser.add_argument("--exhaustive", action="store_true", help="each fault at each operation of one journey")
    parser.add_argument("--every", type=int, default=1, help="with --exhaustive: only every so manieth")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="breaks the chassis; ends with the first finding")
    parser.add_argument("--workers", type=int, default=0, help="processes; one a core where 0")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed, given.sabotage)
    prepare(None)
    jobs = everywhere()[:: given.every] if given.exhaustive else seeds(given.first, given.seeds)
    return _many(jobs, given)


def _one(seed: int, sabotage: str | None) -> int:
    prepare(sabotage)
    outcome = run(seed, Options(log=True))
    for line in outcome.lines:
        say(line)
    _tell(outcome)
    say(f"\ndigest {outcome.digest:08x}, {outcome.steps} steps, {outcome.seconds:.1f} virtual seconds")
    if not outcome.good:
        _explain(replace(outcome, options=Options()))
    return 0 if outcome.good else 1


def _many(jobs: list[Job], given: argparse.Namespace) -> int:
    began, count, digest = time.monotonic(), 0, 0
    found: list[Outcome] = []
    faults: Counter[str] = Counter()
    for outcome in outcomes(jobs, given.sabotage, given.workers):
        count += 1
        faults += outcome.counts
        digest ^= zlib.crc32(f"{outcome.seed} {outcome.options.strike} {outcome.digest}".encode())
        if not outcome.good:
            found.append(outcome)
            _tell(outcome)
        if found and (given.sabotage or len(found) >= _FOUND_AT_MOST):
            break
    seconds = time.monotonic() - began
    happened = ", ".join(f"{kind} {times}" for kind, times in sorted(faults.items()))
    say(f"\n{count} schedules in {seconds:.0f} s, {count / seconds:.1f} a second; faults: {happened}")
    if given.sabotage:
        say(f"{given.sabotage}: {'found' if found else 'NOT FOUND'} within {count} schedules")
        return 0 if found else 1
    say(f"digest {digest:08x}: the same seeds, the same digest")
    if not found:
        say("nothing lost, doubled, out of order, parked without cause or left behind")
        return 0
    _explain(found[0])
    return 1


def _tell(outcome: Outcome) -> None:
    """What was found, and the faults before it."""
    say(f"\nseed {outcome.seed}{f', {outcome.options.strike}' if outcome.options.strike else ''}:")
    for finding in outcome.findings[:_FOUND_AT_MOST]:
        say(f"  found: {finding[:400]}")
    for at, name, what in outcome.happened:
        say(f"    {at:8.3f}  {name:<6} {what}")


def _explain(outcome: Outcome) -> None:
    """The shortest schedule that shows it, as a story."""
    shortest = minimise(outcome)
    options = shortest.options
    say(f"\nThe shortest schedule of seed {outcome.seed}: {options.clients} clients, {options.requests} moves each")
    _tell(shortest)
    for line in story(shortest)[-_STORY_LINES:]:
        say(f"  {line[:200]}")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, **REPRODUCIBLE})
    sys.exit(main())
