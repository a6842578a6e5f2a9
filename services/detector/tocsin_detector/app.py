"""The detector's wiring: what is followed, what is answered over HTTP, what runs as time passes."""

import asyncio
from datetime import timedelta
from functools import partial

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.alertmanager_api import AlertmanagerApi
from tocsin_detector.adapters.aside import Aside
from tocsin_detector.adapters.fetch import Fetch, HttpFetch
from tocsin_detector.adapters.pagerduty_api import PagerDutyApi
from tocsin_detector.adapters.silences_api import SilencesApi
from tocsin_detector.adapters.watch import Limits
from tocsin_detector.handlers import Leases, Watches
from tocsin_detector.settings import DetectorSettings
from tocsin_runtime import Host, run
from tocsin_runtime.asking import Asking
from tocsin_runtime.tokens import Tokens
from tocsin_schemas.subjects import ALERTS

__all__ = ["build", "main"]


def build(host: Host[DetectorSettings], *, fetch: Fetch | None = None, aside: Aside = asyncio.to_thread) -> None:
    """Connect the detector with its host.

    A simulation gives what stands for the sources (`fetch`), and `at_once` for the thread in which posted alerts are
    read (`aside`).
    """
    settings, clock = host.settings, host.clock
    book = AlertBook(host.connection, remember=timedelta(hours=settings.remember_hours))
    book.read_by(host.follow("ALERTS", (ALERTS,), book.on_events))

    tokens, orders = Tokens(settings.tokens_path), host.orders
    asking = Asking(host.connection, host.service, orders=orders)
    api = AlertmanagerApi(
        book, clock, max_body_bytes=settings.max_body_bytes, aside=aside, standing=lambda: orders.standing
    )
    last_order = partial(host.connection.last_sequence, "ORDERS")
    silences = SilencesApi(orders, last_order, asking, tokens, clock)
    events = PagerDutyApi(book, asking, tokens, clock)
    host.route(*api.routes(), *silences.routes(), *events.routes())

    patience = timedelta(seconds=settings.source_patience_seconds)
    sources = fetch or HttpFetch()
    watches = Watches(host.playbooks, book, sources, clock, Limits(settings.max_series, patience))
    host.background("watch the playbooks in force", watches.keep_current)
    host.at_stop(watches.stop)
    if isinstance(sources, HttpFetch):
        host.at_stop(sources.close)
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
