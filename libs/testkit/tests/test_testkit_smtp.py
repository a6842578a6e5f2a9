"""The SMTP sink: what it keeps, what it refuses, how it fails."""

import asyncio
import email.policy
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, localtime

import aiosmtplib
import pytest

from tocsin_testkit.receivers.inbox import NothingArrivedError
from tocsin_testkit.receivers.refusals import UnexpectedRefusalError
from tocsin_testkit.receivers.smtp import SmtpFailure, SmtpSink


def mail(
    subject: str = "page", message_id: str = "<n-1@tocsin.example>", to: str = "alice@example.org"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "tocsin@example.org"
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = message_id
    message.set_content("checkout fails\n")
    return message


async def send(smtp: SmtpSink, message: EmailMessage, timeout: float = 5) -> None:
    await aiosmtplib.send(message, hostname=smtp.host, port=smtp.port, timeout=timeout)


@contextmanager
def session(smtp: SmtpSink) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(smtp.host, smtp.port, timeout=5) as client:
        yield client


async def test_mail_is_kept_with_its_envelope_and_parsed(smtp_sink: SmtpSink) -> None:
    message = mail(subject="Störung: checkout", to="Alice <alice@example.org>, bob@example.org")
    message.add_alternative("<p>checkout fails</p>", subtype="html")
    await send(smtp_sink, message)
    (kept,) = smtp_sink.mails
    assert (kept.sender, kept.recipients) == ("tocsin@example.org", ("alice@example.org", "bob@example.org"))
    assert (kept.subject, kept.message_id, kept.text) == (
        "Störung: checkout",
        "<n-1@tocsin.example>",
        "checkout fails\n",
    )
    assert kept.raw.endswith(b"--\r\n")


def test_smtplib_delivers_too(smtp_sink: SmtpSink) -> None:
    with session(smtp_sink) as client:
        client.send_message(mail("first"))
        client.send_message(mail("second", "<n-2@tocsin.example>"))
    assert [kept.subject for kept in smtp_sink.mails] == ["first", "second"]
    assert smtp_sink.duplicates() == {}
    assert smtp_sink.wait(lambda kept: kept.subject == "second").message_id == "<n-2@tocsin.example>"


async def test_waiting_returns_what_comes_or_says_what_came(smtp_sink: SmtpSink) -> None:
    waiting = asyncio.create_task(smtp_sink.wait_for(lambda kept: kept.subject == "page"))
    await send(smtp_sink, mail())
    assert (await waiting).text == "checkout fails\n"
    with pytest.raises(NothingArrivedError, match=r"mail to alice@example\.org: page <n-1@tocsin\.example>"):
        await smtp_sink.wait_for(lambda kept: kept.subject == "never", timedelta(milliseconds=20))


def test_mail_without_a_plain_text_has_no_text(smtp_sink: SmtpSink) -> None:
    message = mail()
    message.set_content("<p>x</p>", subtype="html")
    with session(smtp_sink) as client:
        client.send_message(message)
    assert smtp_sink.mails[0].text == ""


def test_the_null_sender_and_malformed_senders_are_refused(smtp_sink: SmtpSink) -> None:
    smtp_sink.expect_refusals("501")
    with session(smtp_sink) as client:
        for sender in ("", "tocsin"):
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                client.send_message(mail(), from_addr=sender, to_addrs=["alice@example.org"])
            assert refused.value.smtp_code == 501
    assert smtp_sink.mails == ()


def test_a_recipient_without_a_domain_is_refused(smtp_sink: SmtpSink) -> None:
    smtp_sink.expect_refusals("501")
    with session(smtp_sink) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(mail(), to_addrs=["alice"])
    assert refused.value.recipients["alice"][0] == 501


async def test_a_rejected_domain_gets_550_and_is_no_surprise() -> None:
    with SmtpSink(rejected_domains=["Gone.example"]) as smtp:
        smtp.reject_domain("also.example")
        for domain in ("gone.example", "also.EXAMPLE"):
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                await send(smtp, mail(to=f"bob@{domain}"))
            assert refused.value.recipients[0].code == 550
        smtp.raise_unexpected_refusals()
        assert smtp.mails == ()


def test_only_the_rejected_recipient_is_left_out() -> None:
    with SmtpSink(rejected_domains=["gone.example"]) as smtp, session(smtp) as client:
        refused = client.send_message(mail(), to_addrs=["alice@example.org", "bob@gone.example"])
        assert list(refused) == ["bob@gone.example"]
        assert smtp.mails[0].recipients == ("alice@example.org",)


async def test_oversized_mail_is_refused_when_announced_and_when_not() -> None:
    big = mail()
    big.set_content("x" * 70 + "\n" + "y\n" * 1000)
    with SmtpSink(max_bytes=1000) as smtp:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await send(smtp, big)
        assert refused.value.code == 552
        with session(smtp) as client:
            client.helo()  # without EHLO no size is announced
            with pytest.raises(smtplib.SMTPDataError) as late:
                client.send_message(big)
        assert late.value.smtp_code == 552
        assert smtp.mails == ()
        assert [refusal.error for refusal in smtp.refusals] == ["552", "552"]


@pytest.mark.parametrize("header", ["From", "Date", "Message-ID"])
def test_mail_without_a_header_that_every_mail_has_is_refused(smtp_sink: SmtpSink, header: str) -> None:
    smtp_sink.expect_refusals("550")
    message = mail()
    del message[header]
    with session(smtp_sink) as client, pytest.raises(smtplib.SMTPDataError, match=f"exactly one {header} header"):
        client.sendmail("tocsin@example.org", ["alice@example.org"], message.as_bytes(policy=email.policy.SMTP))


HEADERS = b"From: a@b.example\r\nDate: Fri, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@b.example>\r\n"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (HEADERS + b"\r\nbare\nline feed\r\n", 521),
        (HEADERS + b"\r\nbare\rcarriage return\r\n", 521),
        (HEADERS + "Subject: Störung\r\n\r\nx\r\n".encode(), 550),
        (HEADERS + b"From: second@b.example\r\n\r\nx\r\n", 550),
        (HEADERS + b"\r\n" + b"x" * 1500 + b"\r\n", 500),
    ],
)  # fmt: skip
def test_malformed_mail_is_refused(smtp_sink: SmtpSink, raw: bytes, code: int) -> None:
    smtp_sink.expect_refusals(str(code))
    with session(smtp_sink) as client:
        client.ehlo()
        client.mail("a@b.example")
        client.rcpt("c@d.example")
        client.docmd("DATA")
        client.send(raw + b".\r\n")
        assert client.getreply()[0] == code
    assert smtp_sink.mails == ()


def test_commands_out_of_order_are_refused_and_noted(smtp_sink: SmtpSink) -> None:
    smtp_sink.expect_refusals("503")
    with session(smtp_sink) as client:
        client.ehlo()
        assert client.docmd("DATA")[0] == 503
    assert smtp_sink.refusals[0].error == "503"


def test_a_refusal_that_nobody_expected_fails_the_test() -> None:
    with SmtpSink() as smtp:
        with session(smtp) as client, pytest.raises(smtplib.SMTPSenderRefused):
            client.send_message(mail(), from_addr="")
        with pytest.raises(UnexpectedRefusalError, match="SMTP sink refused"):
            smtp.raise_unexpected_refusals()


async def test_try_later_is_said_so_often(smtp_sink: SmtpSink) -> None:
    smtp_sink.fail(SmtpFailure.TRY_LATER, times=2)
    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await send(smtp_sink, mail())
        assert refused.value.recipients[0].code == 451
    await send(smtp_sink, mail())
    assert len(smtp_sink.mails) == 1


async def test_a_lasting_failure_lasts_until_healed(smtp_sink: SmtpSink) -> None:
    smtp_sink.fail(SmtpFailure.TRY_LATER, times=None)
    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(smtp_sink, mail())
    smtp_sink.heal()
    await send(smtp_sink, mail())


async def test_a_hanging_server_never_answers_and_keeps_nothing(smtp_sink: SmtpSink) -> None:
    smtp_sink.fail(SmtpFailure.HANG)
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        await send(smtp_sink, mail(), timeout=0.2)
    assert smtp_sink.mails == ()


async def test_a_lost_answer_leaves_a_mail_that_a_second_try_duplicates(smtp_sink: SmtpSink) -> None:
    smtp_sink.fail(SmtpFailure.ANSWER_LOST)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(smtp_sink, mail())
    assert len(smtp_sink.mails) == 1
    await send(smtp_sink, mail())
    assert [len(same) for same in smtp_sink.duplicates().values()] == [2]
    assert list(smtp_sink.duplicates()) == ["<n-1@tocsin.example>"]


def test_a_disconnect_keeps_nothing(smtp_sink: SmtpSink) -> None:
    smtp_sink.fail(SmtpFailure.DISCONNECT)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)), session(smtp_sink) as client:
        client.send_message(mail())
    assert smtp_sink.mails == ()


async def test_a_stopped_sink_refuses_connections_and_comes_back_on_its_port(smtp_sink: SmtpSink) -> None:
    port = smtp_sink.port
    smtp_sink.stop()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(smtp_sink, mail())
    assert smtp_sink.start().port == port
    await send(smtp_sink, mail())
    with pytest.raises(OSError, match="in use"):
        SmtpSink(port=port).start()


def test_an_open_connection_does_not_keep_the_sink_from_stopping() -> None:
    smtp = SmtpSink().start()
    client = smtplib.SMTP(smtp.host, smtp.port, timeout=5)
    before = time.monotonic()
    smtp.stop()
    assert time.monotonic() - before < 10
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        client.ehlo()
    client.close()
