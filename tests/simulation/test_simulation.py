"""The simulation itself: it finds nothing in the chassis as it is, is the same each time, and shows what it finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.simulation.minimise import kind_of
from tests.simulation.processes import Ended, simulate
from tests.simulation.sabotage_checks import WITHIN

QUICK = 25
"""Sabotages that are found within so many schedules are tried with every run of the tests; all by make."""


def test_thirty_seeds_find_nothing() -> None:
    ended = simulate("--seeds", "30")
    assert ended.code == 0, ended.told
    assert "30 schedules" in ended.told


def test_faults_at_single_operations_find_nothing() -> None:
    ended = simulate("--exhaustive", "--every", "47")
    assert ended.code == 0, ended.told


def test_the_same_seed_has_the_same_log() -> None:
    first, second = simulate("--seed", "7"), simulate("--seed", "7")
    assert first.code == 0, first.told[-2000:]
    assert first.told == second.told
    assert len(first.told.splitlines()) > 500


def test_the_same_seeds_have_the_same_digest_however_many_work_on_them() -> None:
    digests = {
        found[1]
        for workers in ("1", "2")
        if (found := re.search(r"digest (\w+)", simulate("--seeds", "8", "--workers", workers).told))
    }
    assert len(digests) == 1


def _search(name: str) -> Ended:
    return simulate("--sabotage", name, "--seeds", str(WITHIN[name]), "--workers", "1")


@pytest.fixture(scope="module")
def searches() -> Iterator[dict[str, Future[Ended]]]:
    """All quick sabotages, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_search, name) for name, most in WITHIN.items() if most <= QUICK}


@pytest.mark.parametrize("name", [name for name, most in WITHIN.items() if most <= QUICK])
def test_a_sabotage_is_found(name: str, searches: dict[str, Future[Ended]]) -> None:
    ended = searches[name].result()
    assert ended.code == 0, ended.told


def test_what_is_found_is_told_as_a_short_story() -> None:
    first = re.search(r"^seed (\d+):", simulate("--sabotage", "seen_ignored", "--workers", "1").told, re.MULTILINE)
    assert first is not None
    ended = simulate("--seed", first[1], "--sabotage", "seen_ignored")
    assert ended.code == 1, ended.told
    whole, _, shortest = ended.told.partition(f"The shortest schedule of seed {first[1]}: ")
    assert shortest.count("FAULT") < whole.count("FAULT")
    assert "found:" in shortest


def test_findings_of_one_kind_are_the_same_whatever_they_are_about() -> None:
    one = "a hole that isn't one: beta/witten/alpha/84cd5995-2d51-5533-b028-d9d3149397e7 [7, 8]"
    other = "a hole that isn't one: beta/witten/alpha/d7896881-e0c7-52ea-8506-c1748da2ff32 [13]"
    assert kind_of(one) == kind_of(other) != kind_of("a discard was forgotten: beta/witten/alpha/84cd5995 4")
