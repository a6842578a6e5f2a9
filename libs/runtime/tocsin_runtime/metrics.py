"""What every service counts, for Prometheus. Labels are names of ours, never ids: the number of series is bounded."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["APPENDED", "CONSUMER_SILENCE", "DEAD_LETTERS", "DECISION_SECONDS", "HANDLED", "LOST_RACES", "REDELIVERED"]

HANDLED = Counter("tocsin_messages_handled_total", "Messages handled and acknowledged", ["consumer"])
REDELIVERED = Counter("tocsin_messages_redelivered_total", "Messages given back after a failure", ["consumer"])
DEAD_LETTERS = Counter("tocsin_dead_letters_total", "Messages parked because they could not be handled", ["consumer"])
APPENDED = Counter("tocsin_events_appended_total", "Events appended to the log of incidents", ["service"])
LOST_RACES = Counter("tocsin_lost_races_total", "Appends refused because the log had moved on", ["service"])
DECISION_SECONDS = Histogram(
    "tocsin_decision_seconds",
    "From taking a batch of inputs to its decisions being in the log",
    ["service"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CONSUMER_SILENCE = Gauge("tocsin_consumer_silence_seconds", "Since the server's last sign of life", ["consumer"])
