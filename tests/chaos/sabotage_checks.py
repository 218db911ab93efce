"""Services broken on purpose, in a running platform: the checker must find each. Run by `make chaos-sabotage`.

Not collected by `make test`: each takes about a minute. What needs no running platform stands in `test_checker.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import checker
from tests.chaos.checker import DOUBLED, LOST, ORDER, STUCK
from tests.chaos.client import Plan
from tests.chaos.faults import Fault, Scale
from tests.chaos.house import Build
from tests.chaos.run import Order, Result, run

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of clients whose broker is killed
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SECONDS = 25


@dataclass(frozen=True, slots=True)
class Broken:
    """One sabotage, what provokes it, and what must be found."""

    name: str
    service: str
    faults: tuple[Fault, ...]
    kinds: frozenset[str]
    unruly: float = 0.0


def _killed(service: str) -> tuple[Fault, ...]:
    return tuple(Fault(at, "kill_service", service) for at in (5, 9, 13, 17, 21))


CASES = (
    Broken("commit_first", "notifications", _killed("notifications"), frozenset({LOST})),
    Broken(
        "mark_first",
        "applications",
        (Fault(6, "engine_away", "kafka", 14), Fault(12, "kill_service", "applications")),
        frozenset({LOST, ORDER}),
    ),
    Broken(
        "seen_ignored",
        "applications",
        (Fault(12, "republish", "notifications"), Fault(18, "republish", "payments")),
        frozenset({DOUBLED}),
    ),
    Broken("sends_reordered", "applications", (), frozenset({ORDER})),
    Broken("stale_parked", "applications", (), frozenset({LOST, STUCK}), unruly=0.3),
    Broken("key_changed", "payments", (), frozenset({ORDER})),
    Broken("files_forgotten", "notifications", (), frozenset({LOST})),
)


async def _run(home: Path, broken: dict[str, str], faults: Sequence[Fault], unruly: float) -> Result:
    order = Order(
        Build(home, unruly=unruly, sabotage=broken),
        Scale(SECONDS),
        Plan(1, rate=3, reading=0.3),
        drain=60 if broken else 150,
        planned=list(faults),
    )
    return await run(order, print)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_sabotage_is_found(case: Broken, tmp_path: Path) -> None:
    result = await _run(tmp_path, {case.service: case.name}, case.faults, case.unruly)
    assert not result.good
    kinds = checker.counts(result.findings)
    assert kinds.keys() & case.kinds, f"found {kinds}, verify {result.report.counts}"


async def test_without_sabotage_nothing_is_found(tmp_path: Path) -> None:
    result = await _run(tmp_path, {}, [*_killed("notifications"), Fault(18, "republish", "payments")], 0.0)
    assert result.findings == []
    assert result.good
