"""What the notifier counts. Labels are kinds of channels, never names or addresses: the number of series is bounded."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["ATTEMPTS", "DELIVERY_SECONDS", "FALLBACK_TEXTS", "LIMITED", "OUTCOMES", "PRESSES", "UNDELIVERABLE_PAGES"]

ATTEMPTS = Counter("tocsin_notifier_attempts_total", "Attempts to hand a message over", ["kind", "result"])
OUTCOMES = Counter("tocsin_notifications_total", "Notifications that came to an end", ["kind", "outcome"])
DELIVERY_SECONDS = Histogram(
    "tocsin_notification_seconds",
    "From the event being in the log to the channel having taken its message",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 300),
)
LIMITED = Counter("tocsin_notifier_put_back_total", "Announcements put back for a while", ["why"])
FALLBACK_TEXTS = Counter("tocsin_notifier_fallback_texts_total", "Messages sent in plain words after an error", ["why"])
PRESSES = Counter("tocsin_notifier_presses_total", "Presses of buttons, by what became of them", ["outcome"])
UNDELIVERABLE_PAGES = Gauge(
    "tocsin_notifier_undeliverable_pages", "Pages that no channel took, since the last that one did"
)
