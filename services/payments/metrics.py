"""What operations watch of payments. Labels are bounded: never an id, never a person."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

PROVIDER_SECONDS = Histogram(
    "rathaus_payment_provider_seconds",
    "Time of a call to the payment provider, by what came of it: ok, away, refused, unknown",
    ["operation", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PAYMENTS_HELD = Counter(
    "rathaus_payments_held_total", "Attempts held because the provider's word doesn't fit what was asked for"
)
TRANSACTIONS_MISSED = Counter(
    "rathaus_payment_transactions_missed_total", "Looks at a transaction that the provider doesn't know (any more)"
)
