"""The notifier's wiring: what is consumed, through which channels it goes out."""

from tocsin_notifier.adapters.channels import senders
from tocsin_notifier.adapters.console import Terminal, TextTerminal
from tocsin_notifier.adapters.courier import Courier, Waits
from tocsin_notifier.adapters.email import Mailer, SmtpMailer
from tocsin_notifier.adapters.gates import Gates
from tocsin_notifier.adapters.http import HttpPoster, Poster
from tocsin_notifier.adapters.lanes import Lanes
from tocsin_notifier.adapters.rate_limit import Limiter, RateLimiter
from tocsin_notifier.adapters.rulebooks import Rulebooks
from tocsin_notifier.adapters.slack_door import SlackDoor
from tocsin_notifier.adapters.slack_replies import SlackReplies
from tocsin_notifier.adapters.slack_signature import SigningSecrets
from tocsin_notifier.adapters.writer import Writer
from tocsin_notifier.core.attempts import Patience
from tocsin_notifier.core.fold import NotifierFold
from tocsin_notifier.handlers import Notifier
from tocsin_notifier.presses import Presses
from tocsin_notifier.settings import NotifierSettings
from tocsin_notifier.watch import Watch
from tocsin_runtime import Decider, Host, run
from tocsin_runtime.asking import Asking

__all__ = ["build", "main"]


def build(
    host: Host[NotifierSettings],
    *,
    http: Poster | None = None,
    mail: Mailer | None = None,
    terminal: Terminal | None = None,
    limiter: Limiter | None = None,
) -> None:
    """Connect the notifier with its host. A simulation gives what stands for the receivers, and for Redis."""
    settings, clock = host.settings, host.clock
    poster = http or HttpPoster()
    rates = limiter or RateLimiter(clock, settings.redis_url)
    watch = Watch(clock)
    signing = SigningSecrets(settings.slack_signing_secret.get_secret_value(), host.playbooks)
    mailer = mail or SmtpMailer(settings.attempt_timeout_seconds)
    channels = senders(poster, mailer, clock, terminal or TextTerminal(), signing.has)
    courier = Courier(
        channels,
        rates,
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
        rulebooks=Rulebooks(host.playbooks, host.orders, channels),
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
    presses = Presses(
        asking=Asking(host.connection, host.service),
        load=host.incidents.load,
        playbooks=host.playbooks,
        replies=SlackReplies(poster, clock, settings.hosts_of_answers),
        clock=clock,
        vouches=signing.vouches,
        teams=settings.teams,
        drain=settings.drain_seconds,
    )
    host.route(*SlackDoor(signing.all, presses.take, clock).routes())
    host.at_stop(presses.drain)
    host.at_stop(poster.close)
    host.at_stop(rates.close)


def main() -> int:
    """One notifier as one process; the answer is its exit status."""
    return run(NotifierSettings, build)
