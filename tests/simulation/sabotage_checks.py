"""Each sabotage is found within so many schedules. `make simulate-sabotage` runs it; `make test` the quick ones."""

from __future__ import annotations

import pytest

from tests.simulation.processes import simulate
from tests.simulation.sabotages import SABOTAGES

WITHIN = {
    "commit_first": 10,
    "mark_first": 10,
    "seen_ignored": 10,
    "sends_reordered": 5,
    "stale_parked": 10,
    "key_changed": 5,
    "work_list_unguarded": 5,
    "settled_before_saved": 60,
    "parked_before_saved": 100,
    "settled_unguarded": 300,
    "turn_ignored": 20,
    "lock_absent": 250,
    "postpone_unguarded": 300,
    "the_client_asked": 20,
    "drain_goes_on": 20,
    "verdict_by_id": 20,
    "leading_ends": 150,
    "settled_keeps_status": 100,
    "newer_fields_dropped": 50,
    "newer_hears_v2_alone": 60,
}
"""By name: the most schedules that it may take. A change of the chassis may move the seeds, not the order of size."""


@pytest.mark.parametrize("name", WITHIN)
def test_a_sabotage_is_found(name: str) -> None:
    ended = simulate("--sabotage", name, "--seeds", str(WITHIN[name]))
    assert ended.code == 0, ended.told


def test_every_sabotage_has_its_number() -> None:
    assert set(WITHIN) == set(SABOTAGES)
