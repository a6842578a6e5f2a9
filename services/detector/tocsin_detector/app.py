"""The detector's wiring: what is followed, what is answered over HTTP, what runs as time passes."""

from datetime import timedelta

import httpx

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.alertmanager_api import AlertmanagerApi
from tocsin_detector.adapters.watch import Limits
from tocsin_detector.handlers import Leases, Watches
from tocsin_detector.settings import DetectorSettings
from tocsin_runtime import Host, run
from tocsin_schemas.subjects import ALERTS

__all__ = ["build", "main"]


def build(host: Host[DetectorSettings]) -> None:
    """Connect the detector with its host."""
    settings, clock = host.settings, host.clock
    book = AlertBook(host.connection, remember=timedelta(hours=settings.remember_hours))
    host.follow("ALERTS", (ALERTS,), book.on_events)

    api = AlertmanagerApi(book, clock, max_body_bytes=settings.max_body_bytes)
    host.route(*api.routes())

    # No limit on connections: sources that hang must not keep others from being asked.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=60, limits=limits)
    patience = timedelta(seconds=settings.source_patience_seconds)
    watches = Watches(host.playbooks, book, client, clock, Limits(settings.max_series, patience))
    host.background("watch the playbooks in force", watches.keep_current)
    host.at_stop(watches.stop)
    host.ready_when("playbooks", watches.problem)

    leases = Leases(
        book,
        clock,
        grace=timedelta(seconds=settings.lease_grace_seconds),
        patience=timedelta(seconds=settings.lease_patience_seconds),
    )
    host.background("end leases", leases.end_for_ever)


def main() -> int:
    """One detector as one process; the answer is its exit status."""
    return run(DetectorSettings, build)
