"""What the recorder counts, for Prometheus."""

from prometheus_client import Counter, Gauge

__all__ = ["LOG_BREAKS", "RECORDED", "SET_ASIDE", "WATCHERS"]

RECORDED = Counter("tocsin_recorded_entries_total", "Entries put on timelines")
SET_ASIDE = Counter(
    "tocsin_set_aside_total", "Messages kept as dead letters: theirs, or what has no place on a timeline"
)
LOG_BREAKS = Counter("tocsin_log_breaks_total", "How often the log was found to be another than the one that is stored")
WATCHERS = Gauge("tocsin_live_watchers", "Pages that watch live")
