"""What the escalator counts, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["HEALED", "LATENESS", "OPEN_INCIDENTS"]

OPEN_INCIDENTS = Gauge("tocsin_incidents_open", "Incidents that are not closed")
HEALED = Counter("tocsin_deadlines_healed_total", "Deadlines whose alarm clock did not ring, found by the audit")
LATENESS = Histogram(
    "tocsin_deadline_lateness_seconds",
    "From the moment a deadline was due to the decision about it",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
