"""`python -m tests.chaos.outage`: the broker away for five minutes, at half the load that the platform sustains.

First the load is found: as many journeys as clients can make one after another, each with its notice fetched. Then half
as many begin each second, without waiting for their notices, while the broker is killed and kept away. Exit code 1 if a
promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.client import Load, Plan
from tests.chaos.house import Build, House
from tests.chaos.run import Result, furnish, judged, rest
from tests.chaos.show import console, longest, print_run, promises, teller
from tests.chaos.truth import Applied, Truth
from tests.chaos.world import PAST

BROKER = "kafka"
FREE = (0, 9, 1)
"""Weights of the journeys: free and decided by rule, so that nothing but the platform keeps anybody waiting."""
BEFORE, AFTER = 20.0, 60.0
"""Seconds of the load before the broker goes and after it came back."""
REST = 300.0
WARMING = 10.0
"""Seconds after which caches and connections are warm."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Drained:
    """What the outage came to. Seconds count from the moment at which the broker is started again."""

    result: Result
    sustained: float = 0.0
    """Journeys a second, closed loop."""
    rate: float = 0.0
    begun: int = 0
    """Journeys begun while the broker was away."""
    submitted: int = 0
    """Those of them that were acknowledged as submitted before it came back."""
    backlog: int = 0
    """Events said and not published when it came back."""
    broker: float = 0.0
    """Until the broker answered."""
    published: float = 0.0
    """Until each event said before its return was published."""
    noticed: float = 0.0
    """Until the last notice of a case submitted before its return."""


def main() -> int:
    """Runs it, prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outage", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long the broker is away")
    parser.add_argument("--clients", type=int, default=24, help="of one journey at a time, to find the load")
    parser.add_argument("--finding", type=float, default=60, help="seconds in which the load is looked for")
    parser.add_argument("--rate", type=float, help="journeys a second, instead of half of what was found")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own clients meet the outage, too
    home = Path(tempfile.mkdtemp(prefix="outage-"))
    console.print(f"state in {home}")
    drained = asyncio.run(_run(home, given))
    print_run(f"The broker away for {given.seconds:.0f} s", _figures(drained), drained.result)
    if drained.result.good:
        shutil.rmtree(home, ignore_errors=True)
    return 0 if drained.result.good else 1


async def _run(home: Path, given: argparse.Namespace) -> Drained:
    say = teller()
    drained = Drained(Result(given.seed, Truth()))
    async with House(Build(home)) as house:
        await furnish(house, home / "towns")
        await rest(house, REST, drained.result, say)
        drained.sustained = await _sustained(house, drained.result.truth, given)
        drained.rate = given.rate or drained.sustained / 2
        say(f"{drained.sustained:.2f} journeys a second; now {drained.rate:.2f} a second")
        await rest(house, REST, drained.result, say)
        await _outage(house, drained, given, say)
        await judged(house, drained.result, say)
    return drained


async def _sustained(house: House, truth: Truth, given: argparse.Namespace) -> float:
    plan = Plan(given.seed, rate=math.inf, most=given.clients, twins=0, reading=1, kinds=FREE)
    load = Load(house.platform.gateway_url, plan, truth)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(WARMING)
    began, before = time.monotonic(), truth.finished
    await asyncio.sleep(given.finding)
    found = (truth.finished - before) / (time.monotonic() - began)
    load.stop()
    await running
    return found


async def _outage(house: House, drained: Drained, given: argparse.Namespace, say: Say) -> None:
    truth = drained.result.truth
    plan = Plan(given.seed + 1, drained.rate, most=2000, twins=0, reading=0, kinds=FREE)
    load = Load(house.platform.gateway_url, plan, truth)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(BEFORE)
    first = len(truth.journeys)
    await house.hold(BROKER)
    say("the broker is gone")
    await asyncio.sleep(given.seconds)
    drained.backlog = await _unpublished(house, datetime.now(UTC))
    asked = truth.journeys[first:]
    submitted = [applied for applied in asked if applied.submitted]
    drained.begun, drained.submitted = len(asked), len(submitted)
    house.release(BROKER)
    back, back_at = time.monotonic(), datetime.now(UTC)
    say(f"the broker comes back; {drained.backlog} events wait, of {len(submitted)} cases")
    answered = asyncio.create_task(house.platform.ready(BROKER, timeout=120))
    answered.add_done_callback(lambda _: setattr(drained, "broker", time.monotonic() - back))
    while await _unpublished(house, back_at):
        await asyncio.sleep(0.5)
    drained.published = time.monotonic() - back
    say(f"everything said before is published after {drained.published:.1f} s")
    await answered
    await asyncio.sleep(max(0.0, AFTER - drained.published))
    load.stop()
    load.ends = time.monotonic() + REST
    began = time.monotonic()
    await asyncio.gather(rest(house, REST, drained.result, say), running)
    drained.result.drain = time.monotonic() - began
    drained.noticed = await _last_notice(house, submitted, back_at)


async def _unpublished(house: House, said_before: datetime) -> int:
    """Events not yet published of the documents that had something to tell then."""
    where = {"unpublished_since": {"$gt": PAST, "$lt": said_before}}
    count = 0
    for service in house.names:
        async with house.installation.database(service) as database:
            for name in await database.names():
                async for row in database.collection(name).find(where, {"sequence": 1, "published": 1}):
                    count += row["sequence"] - row["published"]
    return count


async def _last_notice(house: House, submitted: list[Applied], back_at: datetime) -> float:
    cases = {applied.case_id for applied in submitted}
    async with house.installation.database("notifications") as database:
        rows = [row async for row in database.collection("notice").find({}, {"state": 1})]
    times = [
        datetime.fromisoformat(row["state"]["provided_at"]) for row in rows if row["state"].get("case_id") in cases
    ]
    if len(times) < len(cases):
        raise AssertionError(f"{len(cases)} cases, {len(times)} notices")
    return (max(times) - back_at).total_seconds()


def _figures(drained: Drained) -> dict[str, str]:
    result, tally = drained.result, drained.result.truth.tally
    return {
        "sustained": f"{drained.sustained:.2f} journeys/s",
        "load": f"{drained.rate:.2f} journeys/s",
        "begun while away": f"{drained.begun}, submitted {drained.submitted}",
        "waited when it came back": f"{drained.backlog} events",
        "broker answers": f"after {drained.broker:.1f} s",
        "all of them published": f"after {drained.published:.1f} s",
        "last notice of them": f"after {drained.noticed:.1f} s",
        "journeys": f"{len(result.truth.journeys)}, finished {result.truth.finished}",
        "requests": f"{tally.requests}, repeated {dict(tally.repeated.most_common(5))}",
        "longest without a success": longest(tally.longest),
        **promises(result),
        "events": f"{result.events}, of them repetitions {result.repeats}",
    }


if __name__ == "__main__":
    raise SystemExit(main())
