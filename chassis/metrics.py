"""Every metric of the chassis, declared once. Labels are bounded: never an id, never a person."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

HTTP_SECONDS = Histogram(
    "rathaus_http_request_seconds", "Time to answer", ["service", "method", "route", "status"], buckets=_FAST
)

HTTP_AT_WORK = Gauge("rathaus_http_requests_at_work", "Requests being answered", ["service"])

EVENTS_PUBLISHED = Counter("rathaus_events_published_total", "Events acknowledged by the broker", ["service", "type"])
PUBLISH_SECONDS = Histogram(
    "rathaus_event_publish_seconds", "From saying an event to its acknowledgement", ["service"], buckets=_SLOW
)
UNPUBLISHED = Gauge(
    "rathaus_subjects_unpublished", "Subjects with events not yet published, at the last look", ["service"]
)
UNPUBLISHED_AGE = Gauge(
    "rathaus_unpublished_age_seconds", "Age of the oldest unpublished event, at the last look", ["service"]
)
PUBLISH_ERRORS = Counter("rathaus_event_publish_errors_total", "Failed turns of the relay", ["service"])
LEASE_HELD = Gauge("rathaus_lease_held", "1 where this process holds the service's lease", ["service"])

EVENTS_HANDLED = Counter(
    "rathaus_events_handled_total",
    "Events handled, by what came of it: applied, ignored, parked, discarded",
    ["service", "type", "outcome"],
)
DELIVERY_SECONDS = Histogram(
    "rathaus_event_delivery_seconds", "From saying an event to its effect here", ["service"], buckets=_SLOW
)
EVENTS_PARKED = Gauge("rathaus_subjects_parked", "Subjects parked, at the last look", ["service", "status"])
CONSUMER_LAG = Gauge("rathaus_consumer_lag_events", "Events not yet done", ["service", "topic"])
CONSUMER_HALTED = Gauge(
    "rathaus_consumer_halted", "1 while the consumer stopped because too much failed at once", ["service"]
)
CONSUMER_RESTARTS = Counter("rathaus_consumer_restarts_total", "Restarts of a consumer that was stuck", ["service"])

WORK_DONE = Counter(
    "rathaus_work_done_total", "Due work, by what came of it: done, repeated, failed", ["service", "work", "outcome"]
)
WORK_SECONDS = Histogram("rathaus_work_seconds", "Time for one piece of due work", ["service", "work"], buckets=_SLOW)
WORK_LATE = Gauge("rathaus_work_late_seconds", "How late the most overdue work is, at the last look", ["service"])
WRITE_CONFLICTS = Counter("rathaus_write_conflicts_total", "Writes that met another writer", ["service", "aggregate"])
CLOCK_OFFSET = Gauge("rathaus_clock_offset_seconds", "How far the clock was moved (0 in production)", ["service"])
