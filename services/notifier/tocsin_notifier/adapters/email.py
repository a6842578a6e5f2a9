"""E-mail over SMTP: plain text and the same as simple HTML, nothing that is fetched from elsewhere.

The Message-ID follows from the notification, so a mail that is sent twice is recognised; all mails of one incident
are one conversation (References, RFC 5322 section 3.6.4).
"""

import re
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from html import escape
from typing import Protocol

import aiosmtplib

from tocsin_notifier.adapters.sending import Letter, SendError, permanent, temporary
from tocsin_notifier.core.message import Message, ToDo, plain_text
from tocsin_playbook.model.channels import SmtpChannel
from tocsin_runtime.secrets import SecretMissingError, reveal
from tocsin_schemas.text import clean_line

__all__ = ["EmailSender", "Mailer", "SmtpMailer", "compose"]

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([^@\s<>,;:\"()\[\]\\]{1,253})")
_SUBJECT = 200


class _Headers(HeaderRegistry):
    """The registry makes a class for each header it reads. There are as many as names of headers: they are kept."""

    @lru_cache(maxsize=64)  # noqa: B019  # there is one registry
    def __getitem__(self, name: str) -> type:
        return super().__getitem__(name)


_SMTP = SMTP.clone(header_factory=_Headers())


class Mailer(Protocol):
    """Something that takes a mail: a mail server, or what a simulation has in its place."""

    async def take(self, mail: EmailMessage, smtp: SmtpChannel, password: str | None) -> None:
        """Hand it over; the caller bounds the time. Raises aiosmtplib's SMTPException and OSError, or a SendError."""
        ...


class SmtpMailer:
    """A mail server. One connection a mail: pages are rare, and an idle connection may be dead."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def take(self, mail: EmailMessage, smtp: SmtpChannel, password: str | None) -> None:
        await aiosmtplib.send(
            mail,
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username if password is not None else None,
            password=password,
            use_tls=smtp.tls == "implicit",
            start_tls=smtp.tls == "starttls",
            timeout=self._timeout,
        )


class EmailSender:
    """Writes mails, hands them over, and sorts what goes wrong."""

    def __init__(self, now: Callable[[], datetime], mailer: Mailer) -> None:
        self._now, self._mailer = now, mailer

    async def send(self, letter: Letter) -> str:
        """The answer is the Message-ID."""
        smtp = letter.channel.smtp
        if smtp is None:
            raise permanent(f"{letter.channel.name} is not e-mail")
        mail = compose(letter.message, smtp, letter.address, self._now())
        mail["X-Tocsin-Channel"] = letter.channel.name
        try:
            password = reveal(smtp.password) if smtp.password is not None else None
        except SecretMissingError as error:
            raise permanent(f"the password is missing: {error}") from None
        try:
            await self._mailer.take(mail, smtp, password)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _sorted(error, password) from None
        return str(mail["Message-ID"])


def compose(message: Message, smtp: SmtpChannel, address: str, now: datetime) -> EmailMessage:
    """The mail. Raises SendError where the address is none. Line breaks never reach a header."""
    domain = smtp.sender.rpartition("@")[2]
    root = f"<incident.{message.incident}@{domain}>"
    mail = EmailMessage(policy=_SMTP)
    mail["From"] = Address("Tocsin", smtp.sender.rpartition("@")[0], domain)
    mail["To"] = _mailbox(address)
    mail["Subject"] = clean_line(_subject(message), _SUBJECT)
    mail["Date"] = now
    mail["Message-ID"] = f"<{message.notification}@{domain}>"
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["X-Tocsin-Incident"] = message.incident
    mail["X-Tocsin-Notification"] = message.notification
    mail["X-Tocsin-Kind"] = message.kind
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    if message.is_page:
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"
    mail.set_content(plain_text(message), cte="quoted-printable")
    mail.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    return mail


def _subject(message: Message) -> str:
    return f"[{message.kind.upper()}] {message.headline}" if message.is_page else message.headline


def _mailbox(address: str) -> Address:
    """The address as SMTP takes it everywhere: ASCII before the @, the domain in its ASCII form."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise permanent("this is no e-mail address that every mail server takes")
    try:
        domain = match[1].encode("idna").decode()
    except UnicodeError:
        raise permanent("the domain of the e-mail address is none") from None
    return Address("", address.rpartition("@")[0], domain)


def _html(message: Message) -> str:
    """The same words for readers that show HTML. All text is escaped; there is nothing to load."""
    rows = "".join(
        f'<tr><th align="left" style="padding:2px 12px 2px 0;vertical-align:top">{escape(field.label)}</th>'
        f"<td>{escape(field.value)}</td></tr>"
        for field in message.fields
    )
    paragraphs = "".join(f'<p style="white-space:pre-wrap">{escape(text)}</p>' for text in message.paragraphs)
    links = " &middot; ".join(f'<a href="{escape(link.url)}">{escape(link.title)}</a>' for link in message.links)
    return (
        '<!doctype html><html><head><meta charset="utf-8"></head>'
        '<body style="font:16px/1.5 system-ui,sans-serif">'
        f'<h1 style="font-size:20px">{escape(message.headline)}</h1>{paragraphs}'
        + (f"<table>{rows}</table>" if rows else "")
        + _html_to_do(message.to_do)
        + (f"<p>{links}</p>" if links else "")
        + f'<p style="color:#666;font-size:13px">{escape(message.footer)}</p></body></html>\n'
    )


def _html_to_do(to_do: ToDo | None) -> str:
    if to_do is None:
        return ""
    commands = "".join(f"<br><code>{escape(command)}</code>" for command in to_do.commands)
    otherwise = f"<br>{escape(to_do.otherwise)}" if to_do.otherwise else ""
    return f"<p><strong>To do:</strong> {escape(to_do.what)}{commands}{otherwise}</p>"


def _sorted(error: Exception, password: str | None) -> SendError:
    """SMTP's failure: 4xx will pass, 5xx will not; a connection lost midway may have carried the mail."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        return _by_code(error.recipients[0].code, error.recipients[0].message, password)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _by_code(error.code, error.message, password)
    if isinstance(error, aiosmtplib.SMTPConnectError):
        return temporary("cannot connect to the mail server")
    if type(error) in (aiosmtplib.SMTPNotSupported, aiosmtplib.SMTPException):  # the latter: no STARTTLS is offered
        return permanent("the mail server does not offer what is needed, such as STARTTLS")
    lost = isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPTimeoutError)
    return temporary(f"the mail server did not answer: {type(error).__name__}", may_have_arrived=lost)


def _by_code(code: int, said: str, password: str | None) -> SendError:
    """What the server says is kept for people to read, without a password that it may repeat."""
    words = " ".join((said.replace(password, "***") if password else said).split())
    reason = clean_line(f"the mail server says {code} {words}", 200)
    return permanent(reason) if 500 <= code < 600 else temporary(reason)
