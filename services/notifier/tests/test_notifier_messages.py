"""What is said: for somebody who has just been woken, and for everybody who follows."""

from datetime import timedelta

import pytest
from notifier_builders import ADA, MINUTE, NASTY, NOW, Log, acknowledged, grouped, opened, paged, resolved, rulebook

from tocsin_notifier.core.message import Field, Message, Tone, plain_text, with_text
from tocsin_notifier.core.render import bare, render
from tocsin_notifier.core.scene import Scene
from tocsin_notifier.core.words import clock, listed, span
from tocsin_schemas import Actor, Envelope, Event
from tocsin_schemas.events import (
    ActionClaimed,
    ActionOutcomeUnknown,
    ActionProposed,
    AutomationStopped,
    DeadlineMissed,
    DeadlineSet,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentReopened,
    IncidentResumed,
    NoteAdded,
    RoleAssigned,
    RunbookFinished,
    SeverityChanged,
    VerificationFailed,
    VerificationPassed,
)

SYSTEM = Actor.system("escalator")
STEP = {"action": "a1", "runbook": "checkout-failing", "step": "clear-cache"}


def said(log: Log, event: Envelope[Event], *, later: timedelta = timedelta()) -> Message:
    """The first message that follows from the event."""
    book = rulebook()
    return render(Scene(log.incident, log.told(event, book)[0], book.playbook, log.at + later))


def fields(message: Message) -> dict[str, str]:
    return {field.label: field.value for field in message.fields}


def test_a_page_says_what_is_done_by_whom_and_what_to_do_next() -> None:
    log = Log(opened(), grouped(), DeadlineSet(deadline="d", kind="escalate", due_at=NOW + 5 * MINUTE, level=1))
    log.add(ActionClaimed(**STEP, attempt=1, execution="x", claimed_by="r", abandon_at=NOW))
    message = said(log, log.add(paged()))
    facts = fields(message)
    assert facts["Being done"] == "Running: Empty the shop's cache"
    assert facts["Who"] == "nobody has acknowledged yet; paged: Ada L."
    assert facts["Impact"] == "Nobody can buy anything"
    assert facts["Firing"] == "1 alert: CheckoutErrors"
    assert message.to_do is not None
    assert message.to_do.commands == ("tocsin ack 4h2kq7xmpw3a",)
    assert message.to_do.otherwise == "If nobody does by 04:17 CET, the next level is told."


def test_times_are_those_of_the_readers_zone_and_utc_for_everybody_else() -> None:
    log = Log(opened())
    assert said(log, log.add(paged("person:ada"))).headline.endswith("since 04:11 CET")
    assert said(log, log.add(paged("person:grace"))).headline.endswith("since 03:11 UTC")


def test_a_deadline_that_is_near_is_told_in_seconds() -> None:
    log = Log(opened(), DeadlineSet(deadline="d", kind="escalate", due_at=NOW + timedelta(seconds=15), level=1))
    to_do = said(log, log.add(paged())).to_do
    assert to_do is not None
    assert to_do.otherwise == "If nobody does within 15 s, the next level is told."


def test_a_page_for_an_incident_that_somebody_has_acknowledged_asks_to_look_not_to_acknowledge() -> None:
    log = Log(opened(), acknowledged())
    to_do = said(log, log.add(paged("person:grace", "escalated", 1))).to_do
    assert to_do is not None
    assert to_do.commands == ("tocsin show 4h2kq7xmpw3a",)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("opened", "you are the first to be told (level 2, round 2)"),
        ("escalated", "it has been escalated to you"),
        ("reopened", "it is back after it had been resolved"),
        ("severity_raised", "its severity was raised"),
        ("page_failed", "the one before you could not be reached"),
        ("command", "Ada L. escalated it to you"),
    ],
)
def test_a_page_says_why_it_comes_to_this_person(reason: str, words: str) -> None:
    log = Log(opened(), IncidentEscalated(level=1, reason="command", by=Actor.person("ada", "cli")))
    message = said(log, log.add(paged("person:grace", reason, 1, round=1)))
    assert f"grace, this page is for you: {words}" in message.paragraphs[0]


def test_a_page_to_a_channel_says_so() -> None:
    log = Log(opened())
    assert (
        said(log, log.add(paged("channel:slack:#incidents"))).paragraphs[0].startswith("This page is for this channel")
    )


def test_a_request_to_approve_says_what_would_run_why_it_asks_and_how_to_allow_it() -> None:
    log = Log(opened())
    log.add(ActionProposed(**STEP, description="d", target="t", needs_approval=True, because="P0 asks a person"))
    message = said(log, log.add(paged(reason="automation_needs_you", summary="Approve clear-cache")))
    facts = fields(message)
    assert message.headline.startswith("P0 · needs your approval: 31 % of checkouts fail")
    assert (facts["Waits for you"], facts["Because"]) == ("Empty the shop's cache (clear-cache)", "P0 asks a person")
    assert message.to_do is not None
    assert message.to_do.commands == ("tocsin approve 4h2kq7xmpw3a a1",)


@pytest.mark.parametrize(
    ("event", "headline"),
    [
        (SeverityChanged(before="P1", after="P0", why="alert", by=SYSTEM), "P1 is now P0: 31 % of checkouts fail"),
        (SeverityChanged(before="P0", after="P1", why="person", by=ADA), "P0 is now P1 by Ada L.: 31 %"),
        (acknowledged(), "P0 · Ada L. is on it: 31 % of checkouts fail"),
        (
            IncidentEscalated(level=1, reason="unacknowledged", targets=("person:grace",), by=SYSTEM),
            "P0 · escalated to level 2 (grace), nobody has acknowledged it: 31 %",
        ),
        (DeadlineMissed(deadline="d", kind="acknowledge", due_at=NOW), "P0 · nobody acknowledged in time: 31 %"),
        (DeadlineMissed(deadline="d", kind="resolve", due_at=NOW), "P0 · not resolved in time: 31 %"),
        (DeadlineMissed(deadline="d", kind="update", due_at=NOW), "P0 · still open after 20 s: 31 %"),
        (NoteAdded(text="found it", by=ADA), "P0 · update by Ada L.: 31 %"),
        (IncidentMonitoring(watch_until=NOW + MINUTE), "P0 · all alerts are quiet: 31 %"),
        (IncidentResumed(rule="CheckoutErrors"), "P0 · not over, CheckoutErrors fires again: 31 %"),
        (resolved(), "P0 · resolved after 20 s: 31 %"),
        (IncidentReopened(by=SYSTEM), "P0 · again: 31 % of checkouts fail, since 03:11 UTC"),
        (
            ActionClaimed(**STEP, attempt=1, execution="x", claimed_by="r", abandon_at=NOW),
            "P0 · Running: Empty the shop's",
        ),
        (VerificationPassed(**STEP), "P0 · Helped: Empty the shop's cache"),
        (VerificationFailed(**STEP, detail="503"), "P0 · Did not help: Empty the shop's cache (503)"),
        (
            ActionOutcomeUnknown(**STEP, attempt=1, execution="x", reason="no answer"),
            "P0 · Outcome unknown, look before you repeat it: Empty the shop's cache (no answer)",
        ),
        (
            RunbookFinished(runbook="checkout-failing", outcome="exhausted"),
            "P0 · runbook checkout-failing has no step left, and it is not mended",
        ),
        (AutomationStopped(by=ADA, because="we look ourselves"), "P0 · Ada L. stopped all automation: 31 %"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_event_is_told_on_one_line_that_begins_with_the_severity(event: Event, headline: str) -> None:
    log = Log(opened("P1") if isinstance(event, SeverityChanged) and event.after == "P0" else opened())
    assert said(log, log.add(event)).headline.startswith(headline)


def test_a_resolution_sums_up_how_long_it_took_who_responded_and_what_was_tried() -> None:
    log = Log(opened(), acknowledged(), VerificationFailed(**STEP, detail="503"))
    log.add(VerificationPassed(action="a2", runbook="checkout-failing", step="restart"))
    message = said(log, log.add(resolved("The cache was full."), after=10 * MINUTE))
    assert message.tone is Tone.GOOD
    assert message.paragraphs == ("The cache was full.",)
    assert [(field.label, field.value) for field in message.fields] == [
        ("Incident", "CheckoutErrors (checkout)"),
        ("From", "03:11 UTC"),
        ("To", "03:22 UTC"),
        ("Responded", "Ada L."),
        ("Tried", "Did not help: Empty the shop's cache (503)"),
        ("Tried", "Helped: Restart the shop"),
    ]


def test_an_update_that_nobody_wrote_says_how_it_stands_and_when_the_next_one_comes() -> None:
    log = Log(opened(), acknowledged(), RoleAssigned(role="incident_commander", person="grace", by=ADA))
    due = log.add(DeadlineMissed(deadline="u0", kind="update", due_at=NOW), after=30 * MINUTE)
    log.add(DeadlineSet(deadline="u1", kind="update", due_at=NOW + 60 * MINUTE))
    facts = fields(said(log, due))
    assert facts["Who"] == "Ada L. acknowledged at 03:12 UTC; grace is incident commander"
    assert facts["Next update"] == "04:12 UTC, in 30 min"


def test_an_incident_of_a_severity_that_the_playbook_does_not_know_is_told_as_the_worst() -> None:
    log = Log(opened("P7"))
    assert said(log, log.add(paged())).rank == 0


def test_a_message_after_an_error_still_says_what_it_is_about() -> None:
    log = Log(opened())
    (told,) = log.told(log.add(paged()))
    assert plain_text(bare(log.incident, told)).startswith("P0: 31 % of checkouts fail\n")
    assert bare(Log().incident, told).headline == "Incident: an incident"


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_text_of_others_makes_a_second_line_of_the_headline_or_moves_the_cursor(text: str) -> None:
    log = Log(opened())
    event = log.add(paged())
    noted = with_text(said(log, event), text or "-")
    shown = plain_text(noted)
    assert "\n" not in noted.headline
    assert not set(shown) & {"\x00", "\x1b", "\u202e", "\u2028", "\r"}


def test_a_templates_first_line_is_the_headline_and_how_to_act_stays() -> None:
    log = Log(opened())
    message = with_text(said(log, log.add(paged())), "\n:rotating_light: P0\n\nImpact: all\n")
    assert (message.headline, message.paragraphs, message.fields) == (":rotating_light: P0", ("Impact: all",), ())
    assert message.to_do is not None
    assert message.is_the_authors


def test_plain_text_aligns_its_facts() -> None:
    log = Log(opened())
    message = said(log, log.add(paged()))
    lines = [line for line in plain_text(message).split("\n") if line.startswith(("Impact:", "Since:"))]
    assert lines == ["Impact:     Nobody can buy anything", "Since:      04:11 CET, 20 s ago"]
    assert Field("Status", "investigating") in message.fields


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (7500, "2 h 5 min"),
     (86400, "1 d"), (90000, "1 d 1 h")],
)  # fmt: skip
def test_lengths_are_told_in_two_units_at_most(seconds: int, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def test_another_day_has_its_date() -> None:
    assert clock(NOW, NOW.tzinfo or NOW.astimezone().tzinfo, NOW + timedelta(days=2)) == "1 Mar 03:12 UTC"  # type: ignore[arg-type]  # NOW has a zone


def test_long_lists_are_counted() -> None:
    assert listed(list("abcdefg"), 5) == "a, b, c, d, e and 2 more"
