"""A strict SMTP sink: it records mail that a careful server would deliver and refuses the rest."""

import asyncio
import email
import email.policy
import re
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from enum import StrEnum
from itertools import count
from typing import AnyStr, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from tocsin_testkit.loops import LoopThread, reset_connection
from tocsin_testkit.ports import LOOPBACK
from tocsin_testkit.receivers.inbox import DEFAULT_TIMEOUT, Inbox
from tocsin_testkit.receivers.refusals import Refusal, Refusals

__all__ = ["Mail", "SmtpFailure", "SmtpSink"]

REQUIRED_HEADERS = ("From", "Date", "Message-ID")
REJECTED_DOMAIN = "550 5.1.2 Mail to this domain is not accepted:"
ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")


class SmtpFailure(StrEnum):
    TRY_LATER = "try later"
    """451 to the recipient, as greylisting does."""
    HANG = "hang"
    """Takes the mail and never answers; not recorded."""
    ANSWER_LOST = "answer lost"
    """Records the mail, then resets the connection before the 250: it is delivered, and the sender cannot know."""
    DISCONNECT = "disconnect"
    """Resets the connection at the recipient; not recorded."""


AT_RECIPIENT = frozenset({SmtpFailure.TRY_LATER, SmtpFailure.DISCONNECT})
AT_DATA = frozenset({SmtpFailure.HANG, SmtpFailure.ANSWER_LOST})


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail: the envelope, and the message as parsed and as it came."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"]).strip()

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain text part, with line feeds only; empty when there is none."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""

    def __str__(self) -> str:
        return f"mail to {', '.join(self.recipients)}: {self.subject} {self.message_id}"


class SmtpSink:
    """An SMTP server on loopback, answering from its own thread.

        with SmtpSink(rejected_domains=["gone.example"]) as smtp:
            await aiosmtplib.send(message, hostname=smtp.host, port=smtp.port)
            mail = await smtp.wait_for(lambda mail: "checkout" in mail.subject)

    It refuses: no sender, an address without a domain, a rejected domain, more than `max_bytes`, bare line feeds,
    headers that are not ASCII, and mail without exactly one From, Date and Message-ID.
    """

    def __init__(
        self, *, port: int | None = None, max_bytes: int = 10_000_000, rejected_domains: Iterable[str] = ()
    ) -> None:
        self.host = LOOPBACK
        self.port = port or 0
        self._max_bytes = max_bytes
        self._rejected_domains = {domain.lower() for domain in rejected_domains}
        self._inbox: Inbox[Mail] = Inbox()
        self._numbers = count(1)
        self._refusals = Refusals("SMTP sink")
        self._lock = threading.Lock()
        self._planned: Counter[SmtpFailure] = Counter()
        self._lasting: set[SmtpFailure] = set()
        self._thread: LoopThread | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    def start(self) -> Self:
        """Listen; a second start listens on the same port again."""
        self._thread = LoopThread("smtp-sink")
        self._thread.start()
        try:
            self._thread.run(self._listen())
        except OSError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Refuse new connections and drop the open ones. Nothing happens if it does not listen."""
        if self._thread is not None:
            self._thread.run(self._close())
            self._thread.stop()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what it received ----------------------------------------------------------------------------------------

    @property
    def mails(self) -> tuple[Mail, ...]:
        return self._inbox.items

    def duplicates(self) -> dict[str, tuple[Mail, ...]]:
        """Mail that came more than once, by Message-ID."""
        by_id: dict[str, list[Mail]] = defaultdict(list)
        for mail in self.mails:
            by_id[mail.message_id].append(mail)
        return {identity: tuple(same) for identity, same in by_id.items() if len(same) > 1}

    async def wait_for(self, predicate: Callable[[Mail], bool], timeout: timedelta = DEFAULT_TIMEOUT) -> Mail:
        """The first mail, received or yet to come, for which the predicate holds; else NothingArrivedError."""
        return await self._inbox.wait_for(predicate, timeout)

    def wait(self, predicate: Callable[[Mail], bool], timeout: timedelta = DEFAULT_TIMEOUT) -> Mail:
        """`wait_for` in a test without an event loop."""
        return self._inbox.wait(predicate, timeout)

    # --- what it refused -----------------------------------------------------------------------------------------

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What a careful server refuses; not the failures a test switched on, nor the rejected domains."""
        return self._refusals.all()

    def expect_refusals(self, *codes: str) -> None:
        """These reply codes ("550") are what the test is about."""
        self._refusals.expect(*codes)

    def raise_unexpected_refusals(self) -> None:
        """UnexpectedRefusalError if anything else was refused; the pytest fixture does this at the end."""
        self._refusals.raise_unexpected()

    # --- failures --------------------------------------------------------------------------------------------------

    def fail(self, failure: SmtpFailure, times: int | None = 1) -> None:
        """The next mails fail so (None: all until `heal`)."""
        with self._lock:
            if times is None:
                self._lasting.add(failure)
            else:
                self._planned[failure] += times

    def reject_domain(self, domain: str) -> None:
        """From now on recipients there get 550."""
        with self._lock:
            self._rejected_domains.add(domain.lower())

    def heal(self) -> None:
        """No more planned failures; rejected domains stay."""
        with self._lock:
            self._planned.clear()
            self._lasting.clear()

    # --- the conversation: names and arguments are aiosmtpd's hooks ---------------------------------------------

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not ADDRESS.fullmatch(address):
            return f"501 5.1.7 Bad sender address: {address}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        match self._next_failure(AT_RECIPIENT):
            case SmtpFailure.TRY_LATER:
                return "451 4.7.1 Try again later"
            case SmtpFailure.DISCONNECT:
                _reset(server)
        if not ADDRESS.fullmatch(address):
            return f"501 5.1.3 Bad recipient address: {address}"
        if address.rpartition("@")[2].lower() in self._rejected_domains:
            return f"{REJECTED_DOMAIN} {address}"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        if complaint := _complaint(raw, message):
            return complaint
        failure = self._next_failure(AT_DATA)
        if failure is SmtpFailure.HANG:
            await asyncio.Event().wait()  # until the connection is lost
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message, raw)
        self._inbox.put(str(next(self._numbers)), mail)
        if failure is SmtpFailure.ANSWER_LOST:
            _reset(server)
        return "250 2.0.0 OK"

    # --- how -----------------------------------------------------------------------------------------------------

    def note_reply(self, reply: str) -> None:
        """Keep what was refused, by us or by aiosmtpd."""
        if reply.startswith("5") and not reply.startswith(REJECTED_DOMAIN):
            self._refusals.add(Refusal("mail", reply[:3], reply[4:]))

    def _next_failure(self, candidates: frozenset[SmtpFailure]) -> SmtpFailure | None:
        with self._lock:
            for failure in sorted(candidates):
                if self._planned[failure] > 0:
                    self._planned[failure] -= 1
                    return failure
                if failure in self._lasting:
                    return failure
        return None

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Connection(self, self._connections, self._max_bytes, loop),
            host=self.host,
            port=self.port,
            family=socket.AF_INET,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            _reset(connection)


class _Connection(SMTP):
    """aiosmtpd's protocol, known to the sink while it lasts, whose own refusals are recorded too."""

    def __init__(
        self, sink: SmtpSink, connections: "set[_Connection]", max_bytes: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(sink, data_size_limit=max_bytes, hostname="smtp.testkit.example", loop=loop)
        self._sink = sink
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    async def push(self, status: AnyStr) -> None:
        self._sink.note_reply(status if isinstance(status, str) else status.decode())
        await super().push(status)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)


def _reset(server: SMTP) -> None:
    if server.transport is not None:
        reset_connection(server.transport)


def _complaint(raw: bytes, message: EmailMessage) -> str | None:
    """Why a careful server does not deliver this, as its reply."""
    if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
        return "521 5.5.2 bare line feed or carriage return"
    head = raw.partition(b"\r\n\r\n")[0]
    if not head.isascii():
        return "550 5.6.7 a header is not ASCII"
    for header in REQUIRED_HEADERS:
        if len(message.get_all(header, [])) != 1:
            return f"550 5.7.1 there must be exactly one {header} header (RFC 5322)"
    return None
