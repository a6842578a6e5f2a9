"""E-mail: headers that hold, two parts with the same words, and which errors will pass."""

import email
import email.policy
import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notifier_builders import NASTY, NOW
from notifier_letters import a_letter, a_message, a_page, channel

from tocsin_notifier.adapters.email import EmailSender, SmtpMailer, compose
from tocsin_notifier.adapters.sending import SendError
from tocsin_notifier.core.message import Message
from tocsin_playbook.model.channels import Channel, SmtpChannel
from tocsin_testkit.receivers.smtp import Mail, SmtpFailure, SmtpSink

TO = "ada@shop.example"


def sender() -> EmailSender:
    return EmailSender(lambda: NOW, SmtpMailer(5.0))


def mail_of(sink: SmtpSink) -> Channel:
    return channel("email", smtp=sink.port)


def smtp_channel() -> SmtpChannel:
    smtp = channel("email").smtp
    assert smtp is not None
    return smtp


async def sent(sink: SmtpSink, message: Message | None = None) -> Mail:
    await sender().send(a_letter(message, via=mail_of(sink), address=TO))
    return sink.mails[-1]


async def refusal(sink: SmtpSink, address: str = TO) -> SendError:
    with pytest.raises(SendError) as raised:
        await sender().send(a_letter(via=mail_of(sink), address=address))
    return raised.value


async def test_a_page_says_the_same_in_both_parts(smtp_sink: SmtpSink) -> None:
    mail = await sent(smtp_sink)
    html = mail.message.get_body(("html",))
    assert mail.subject == "[PAGE] P0: 31 % of checkouts fail, since 04:11 CET"
    assert mail.text.startswith("P0: 31 % of checkouts fail, since 04:11 CET\n\nAda L., this page is for you")
    assert "To do: acknowledge it\n    tocsin ack 4h2kq7xmpw3a" in mail.text
    assert html is not None
    assert "<code>tocsin ack 4h2kq7xmpw3a</code>" in html.get_content()
    assert (mail.message["Importance"], mail.message["Auto-Submitted"]) == ("high", "auto-generated")


async def test_a_mail_is_named_after_its_notification_and_belongs_to_its_incidents_conversation(
    smtp_sink: SmtpSink,
) -> None:
    page = a_page()
    first, again = await sent(smtp_sink, page), await sent(smtp_sink, page)
    other = await sent(smtp_sink, a_message())
    assert first.message_id == again.message_id == f"<{page.notification}@shop.example>" != other.message_id
    assert first.message["References"] == other.message["References"] == "<incident.4h2kq7xmpw3a@shop.example>"
    about = [first.message[f"X-Tocsin-{name}"] for name in ("Incident", "Kind", "Channel")]
    assert about == ["4h2kq7xmpw3a", "page", "email"]


async def test_only_pages_are_marked_as_urgent(smtp_sink: SmtpSink) -> None:
    mail = await sent(smtp_sink, a_message(page=None))
    assert (mail.message["Importance"], mail.subject) == (None, "31 % of checkouts fail")


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
async def test_foreign_text_makes_no_header_no_markup_and_no_end_of_the_mail(smtp_sink: SmtpSink, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()  # as it comes out of an event
    mail = await sent(smtp_sink, a_message(text))
    html = mail.message.get_body(("html",))
    assert html is not None
    assert mail.recipients == (TO,)
    assert set(mail.message.keys()) <= {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Tocsin-Incident",
        "X-Tocsin-Notification", "X-Tocsin-Kind", "X-Tocsin-Channel", "Auto-Submitted", "Importance", "X-Priority",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    tags = set(re.findall(r"<([a-z0-9]+)", html.get_content()))
    assert tags <= {"html", "head", "meta", "body", "h1", "p", "table", "tr", "th", "td", "strong", "br", "code", "a"}
    assert "src=" not in re.sub(r">[^<]*<", "><", html.get_content())  # nothing that would be fetched
    assert all(len(line) <= 998 for line in mail.raw.split(b"\r\n"))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=3000))
def test_a_mail_can_be_read_back_whatever_is_said(text: str) -> None:
    made = compose(a_message(text.encode("utf-8", "replace").decode()), smtp_channel(), TO, NOW)
    read = email.message_from_bytes(made.as_bytes(), policy=email.policy.default)
    assert read["To"] == TO
    assert len(read.get_all("Subject", [])) == 1
    assert "\n" not in str(read["Subject"])


@pytest.mark.parametrize(
    "address",
    [
        "nobody", "#incidents", "a@b@c", "ada lovelace@shop.example", "müller@shop.example", "a@b.example\r\nBcc: x@y",
        '"a b"@shop.example', "a@[127.0.0.1]", "a,b@shop.example", "@shop.example", "a@" + "x" * 70 + ".example",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_a_permanent_failure(smtp_sink: SmtpSink, address: str) -> None:
    assert (await refusal(smtp_sink, address)).failure.is_permanent
    assert smtp_sink.mails == ()


async def test_a_domain_in_other_letters_is_written_in_its_ascii_form(smtp_sink: SmtpSink) -> None:
    await sender().send(a_letter(via=mail_of(smtp_sink), address="ada@bücher.example"))
    assert smtp_sink.mails[0].recipients == ("ada@xn--bcher-kva.example",)


async def test_a_recipient_who_is_refused_is_a_permanent_failure(smtp_sink: SmtpSink) -> None:
    smtp_sink.reject_domain("shop.example")
    failure = (await refusal(smtp_sink)).failure
    assert failure.is_permanent
    assert "550" in failure.reason


@pytest.mark.parametrize(
    ("cause", "may_have_arrived"),
    [
        (SmtpFailure.TRY_LATER, False),
        (SmtpFailure.DISCONNECT, True),
        (SmtpFailure.ANSWER_LOST, True),
        (SmtpFailure.HANG, True),
    ],
)
async def test_what_may_go_better_next_time_is_temporary(
    smtp_sink: SmtpSink, cause: SmtpFailure, may_have_arrived: bool
) -> None:
    smtp_sink.fail(cause)
    failure = (await refusal(smtp_sink)).failure
    assert (failure.is_permanent, failure.may_have_arrived) == (False, may_have_arrived)


async def test_a_server_that_does_not_listen_is_a_temporary_failure_and_nothing_can_have_arrived() -> None:
    with pytest.raises(SendError) as raised:
        await sender().send(a_letter(via=channel("email", smtp=1), address=TO))
    assert (raised.value.failure.is_permanent, raised.value.failure.may_have_arrived) == (False, False)


async def test_a_server_without_the_protection_that_is_asked_for_gets_nothing(smtp_sink: SmtpSink) -> None:
    via = mail_of(smtp_sink)
    assert via.smtp is not None
    strict = via.model_copy(update={"smtp": via.smtp.model_copy(update={"tls": "starttls"})})
    with pytest.raises(SendError) as raised:
        await sender().send(a_letter(via=strict, address=TO))
    assert raised.value.failure.is_permanent
    assert smtp_sink.mails == ()


def test_the_date_is_the_moment_of_sending() -> None:
    later = NOW + timedelta(days=1)
    assert compose(a_page(), smtp_channel(), TO, later)["Date"].datetime == later
