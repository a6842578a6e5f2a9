"""The notifier's wiring: what is consumed, through which channels it goes out."""

from tocsin_notifier.adapters.channels import senders
from tocsin_notifier.adapters.courier import Courier, Waits
from tocsin_notifier.adapters.gates import Gates
from tocsin_notifier.adapters.http import HttpPoster
from tocsin_notifier.adapters.lanes import Lanes
from tocsin_notifier.adapters.rate_limit import RateLimiter
from tocsin_notifier.adapters.rulebooks import Rulebooks
from tocsin_notifier.adapters.writer import Writer
from tocsin_notifier.core.attempts import Patience
from tocsin_notifier.core.fold import NotifierFold
from tocsin_notifier.handlers import Notifier
from tocsin_notifier.settings import NotifierSettings
from tocsin_notifier.watch import Watch
from tocsin_runtime import Decider, Host, run

__all__ = ["build", "main"]


def build(host: Host[NotifierSettings]) -> None:
    """Connect the notifier with its host."""
    settings, clock = host.settings, host.clock
    http = HttpPoster()
    limiter = RateLimiter(clock, settings.redis_url)
    watch = Watch(clock)
    channels = senders(http, clock, attempt_timeout=settings.attempt_timeout_seconds)
    courier = Courier(
        channels,
        limiter,
        Gates(settings.channel_concurrency),
        clock,
        Patience(channel=settings.channel_timeout_seconds, attempt=settings.attempt_timeout_seconds),
        Waits(
            page=settings.page_wait_seconds,
            announcement=settings.announcement_wait_seconds,
            patience=settings.announcement_patience_seconds,
        ),
    )
    notifier = Notifier(
        decider=Decider(host.incidents, host.service, NotifierFold(), clock, reads="all"),
        rulebooks=Rulebooks(host.playbooks, channels),
        writer=Writer(clock, settings.console_url),
        courier=courier,
        clock=clock,
        watch=watch,
        lanes=Lanes(),
        page_wait=settings.page_wait_seconds,
        playbook_tries=settings.playbook_tries,
    )
    host.consume("notifier-incidents", notifier.on_events)
    host.ready_when("pages", watch.problem)
    host.at_stop(http.close)
    host.at_stop(limiter.close)


def main() -> int:
    """One notifier as one process; the answer is its exit status."""
    return run(NotifierSettings, build)
