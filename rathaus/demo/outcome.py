"""Whether a journey ended as it should: each expected event once, in the order of its subject, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rathaus.demo.events import Told


def findings(expected: Mapping[str, tuple[str, ...]], told: Sequence[Told]) -> list[str]:
    """What isn't as it should be; empty: all is well.

    Args:
        expected: for each stream the events of its one subject, in order.
        told: the case's events, each once, as they passed.
    """
    found = []
    for stream, names in expected.items():
        passed = [each for each in told if each.envelope.stream == stream]
        if (heard := tuple(each.name for each in passed)) != names:
            found.append(f"{stream}: expected {', '.join(names)}; heard {', '.join(heard) or 'nothing'}")
        if len({each.envelope.source for each in passed}) > 1:
            found.append(f"{stream}: several subjects where one was expected")
        if (places := [each.envelope.sequence for each in passed]) != list(range(1, len(passed) + 1)):
            found.append(f"{stream}: the sequence isn't whole: {places}")
    return [*found, *(f"unexpected: {each.envelope.type}" for each in told if each.envelope.stream not in expected)]


def unbalanced(ledger: Mapping[str, Any]) -> list[str]:
    """What is wrong in a town's ledger of a period: each booking and the whole must come to zero."""
    if not ledger["items"]:
        return ["the ledger is empty"]
    wrong = [f"booking {each['booking_id']} isn't balanced" for each in ledger["items"] if _difference(each["lines"])]
    return wrong + [
        f"the ledger's difference is {each['difference']}" for each in ledger["proof"] if each["difference"]
    ]


def _difference(lines: Sequence[Mapping[str, int]]) -> int:
    return sum(line["debit"] - line["credit"] for line in lines)
