"""The wired notifier over modelled outsides, as in a simulation: no socket, no thread, no file."""

import asyncio
import io
import json
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any, cast

import aiosmtplib
import pytest
from notifier_builders import INCIDENT, NOW, REF, opened, paged, playbook
from notifier_letters import a_letter, channel

from tocsin_notifier.adapters.console import TextTerminal
from tocsin_notifier.adapters.email import EmailSender
from tocsin_notifier.adapters.http import Answer
from tocsin_notifier.adapters.sending import SendError, temporary
from tocsin_notifier.app import build
from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.rates import Rate
from tocsin_notifier.settings import NotifierSettings
from tocsin_playbook import Playbook
from tocsin_playbook.model.channels import SmtpChannel
from tocsin_playbook.standing_orders import NO_ORDERS
from tocsin_runtime import Delivery, Host
from tocsin_runtime.bus.delivery import Position
from tocsin_runtime.bus.log import Append
from tocsin_schemas import Envelope, Event, Payload, PlaybookRef, caused_by
from tocsin_schemas.events import NotificationDelivered, NotificationFailed
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import incident_subject

CHANNELS = """
    - {name: hook, webhook: {url: "http://desk.example/hook"}}
    - {name: tty, console: {}}
"""


class PassingClock:
    """Time passes when somebody sleeps, and at once."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Log:
    """The log of incidents in memory."""

    def __init__(self) -> None:
        self.events: list[Envelope[Event]] = []

    def add(self, event: Event) -> Envelope[Event]:
        number = len(self.events) + 1
        service = type(event).OWNER
        self.events.append(caused_by(derive_id("test", number), 0, service, INCIDENT, NOW, event).at(number))
        return self.events[-1]

    async def load(self, _: str, *, after: int = 0, service: str | None = None) -> list[Envelope[Event]]:
        return [event for event in self.events[after:] if service in (None, type(event.data).OWNER)]

    async def append(self, appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
        stored = []
        for each in appends:
            first = len(self.events) + 1
            placed = tuple(event.at(number) for number, event in enumerate(each.events, first))
            self.events += placed
            stored.append(placed)
        return stored


class Shelf:
    """The one published playbook."""

    def on_change(self, _: Callable[[], None]) -> None: ...

    def heads(self) -> dict[str, PlaybookRef]:
        return {REF.name: REF}

    def get(self, _: PlaybookRef) -> Playbook:
        return playbook(channels=CHANNELS)


class Ordered:
    """The standing orders."""

    standing = NO_ORDERS


class Wiring:
    """A host that only notes what is connected with it."""

    service = "notifier"

    def __init__(self) -> None:
        self.settings, self.clock = NotifierSettings(), PassingClock()
        self.incidents, self.playbooks, self.orders = Log(), Shelf(), Ordered()
        self.connection: Any = None
        self.handle: Any = None
        self.stops: list[Callable[[], Awaitable[None]]] = []

    def consume(self, _: str, handle: Any) -> None:
        self.handle = handle

    def ready_when(self, *_: Any) -> None: ...

    def route(self, *_: Any) -> None: ...

    def at_stop(self, call: Callable[[], Awaitable[None]]) -> None:
        self.stops.append(call)


class Outside:
    """Everybody who takes messages, and the limiter."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.mails: list[EmailMessage] = []
        self.mail_errors: list[Exception] = []
        self.places: list[Place] = []
        self.closed = 0

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.posts.append((url, json.loads(body)))
        return Answer(200, {}, b'{"ok": true, "ts": "1.0"}')

    async def take(self, mail: EmailMessage, smtp: SmtpChannel, password: str | None) -> None:
        if self.mail_errors:
            raise self.mail_errors.pop(0)
        self.mails.append(mail)

    async def wait_for(self, place: Place, rate: Rate, *, patient: bool) -> float:
        self.places.append(place)
        return 0.0

    async def close(self) -> None:
        self.closed += 1


class System:
    def __init__(self) -> None:
        self.host, self.outside, self.terminal = Wiring(), Outside(), io.StringIO()
        outside = self.outside
        build(
            cast(Host[NotifierSettings], self.host),
            http=outside,
            mail=outside,
            terminal=TextTerminal(self.terminal),
            limiter=outside,
        )

    async def page(self, target: str) -> NotificationDelivered | NotificationFailed:
        """Page them; the answer is the last receipt."""
        log = self.host.incidents
        if not log.events:
            log.add(opened("P3"))
        event = log.add(paged(target))
        subject = incident_subject(INCIDENT, type(event.data))
        delivery = cast(
            Delivery[Payload],
            Delivery(event, subject, Position("INCIDENTS", event.sequence, 1), None),  # type: ignore[arg-type]  # it is not settled here
        )
        await self.host.handle([delivery])
        receipt = log.events[-1].data
        assert isinstance(receipt, NotificationDelivered | NotificationFailed)
        return receipt


@pytest.fixture
async def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """A notifier that is wired, and whoever opens a socket or asks for a thread gets an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket or a thread")

    monkeypatch.setenv("TOCSIN_TEST_SLACK", "xoxb-model")
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    return System()


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("channel:slack:#incidents", "#incidents"),
        ("channel:email:ada@shop.example", "ada@shop.example"),
        ("channel:hook:desk", "desk"),
        ("channel:tty:desk", "desk"),
    ],
)
async def test_a_message_reaches_the_model_of_its_channel_and_is_receipted(
    system: System, target: str, address: str
) -> None:
    receipt = await system.page(target)
    assert isinstance(receipt, NotificationDelivered)
    kind = target.split(":")[1]
    assert [each.address for each in system.outside.places] == [address]
    assert [url for url, _ in system.outside.posts] == {
        "slack": ["http://127.0.0.1:9/api/chat.postMessage"],
        "hook": ["http://desk.example/hook"],
    }.get(kind, [])
    assert [mail["To"] for mail in system.outside.mails] == ([address] if kind == "email" else [])
    assert ("31 % of checkouts fail" in system.terminal.getvalue()) == (kind == "tty")


async def test_a_mail_server_that_refuses_for_now_is_tried_again(system: System) -> None:
    system.outside.mail_errors = [aiosmtplib.SMTPResponseException(451, "come back")]
    receipt = await system.page("channel:email:ada@shop.example")
    assert isinstance(receipt, NotificationDelivered)
    assert receipt.attempts == 2
    assert system.host.clock.passed > 0


async def test_what_was_given_is_closed_with_the_service(system: System) -> None:
    for stop in system.host.stops:
        await stop()
    assert system.outside.closed == 2  # as the poster and as the limiter


# --- what goes wrong with a mail --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "is_permanent", "may_have_arrived"),
    [
        (aiosmtplib.SMTPResponseException(550, "no such user"), True, False),
        (aiosmtplib.SMTPResponseException(451, "later"), False, False),
        (aiosmtplib.SMTPRecipientsRefused([aiosmtplib.SMTPRecipientRefused(550, "no", "a@b")]), True, False),
        (aiosmtplib.SMTPConnectError("refused"), False, False),
        (aiosmtplib.SMTPServerDisconnected("gone"), False, True),
        (aiosmtplib.SMTPException("no STARTTLS"), True, False),
        (ConnectionResetError(), False, False),
        (temporary("the model says so", may_have_arrived=True), False, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_what_goes_wrong_with_a_mail_is_sorted_whoever_takes_it(
    error: Exception, is_permanent: bool, may_have_arrived: bool
) -> None:
    model = Outside()
    model.mail_errors = [error]
    with pytest.raises(SendError) as raised:
        await EmailSender(lambda: NOW, model).send(a_letter(via=channel("email"), address="ada@shop.example"))
    failure = raised.value.failure
    assert (failure.is_permanent, failure.may_have_arrived) == (is_permanent, may_have_arrived)
