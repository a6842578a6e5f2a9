"""Who is told of an event: given a log and a playbook, when this event, then these recipients."""

from datetime import timedelta

import pytest
from notifier_builders import ADA, MINUTE, Log, acknowledged, kinds, opened, paged, playbook, resolved, rulebook

from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.plan import concerns
from tocsin_schemas import Actor, Event
from tocsin_schemas.events import (
    ActionClaimed,
    ActionProposed,
    ActionSucceeded,
    AlertCleared,
    DeadlineMissed,
    IncidentClosed,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentReopened,
    IncidentResumed,
    NoteAdded,
    RoleAssigned,
    RunbookFinished,
    SeverityChanged,
    VerificationPassed,
)

CHANNEL = "channel:slack:#incidents"
SYSTEM = Actor.system("escalator")
STEP = {"action": "a1", "runbook": "checkout-failing", "step": "clear-cache"}
UNVERIFIED = {"action": "a2", "runbook": "checkout-failing", "step": "restart"}


def test_a_page_for_a_person_has_the_persons_contacts_as_its_ways_in_their_order() -> None:
    log = Log(opened())
    (told,) = log.told(log.add(paged("person:ada")))
    assert (told.kind, told.recipient.name, told.page is not None) == ("page", "person:ada", True)
    assert told.recipient.ways == (Place("slack", "#incidents"), Place("email", "ada@shop.example"))


def test_a_page_for_a_channel_goes_to_that_address() -> None:
    log = Log(opened())
    (told,) = log.told(log.add(paged("channel:slack:#incidents")))
    assert (told.recipient.name, told.recipient.ways) == ("#incidents", (Place("slack", "#incidents"),))


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("person:zoe", "the playbook has no person 'zoe'"),
        ("team:shop", "team:shop is several people, not one"),
        ("nonsense", "nonsense is neither a person nor a channel"),
        ("channel:slack", "the channel slack has no address of its own, and channel:slack names none"),
    ],
)
def test_a_page_for_nobody_who_can_be_reached_is_planned_all_the_same_and_says_why(target: str, missing: str) -> None:
    log = Log(opened())
    (told,) = log.told(log.add(paged(target)))
    assert (told.recipient.ways, told.recipient.missing) == ((), missing)


def test_a_channels_fallback_comes_after_all_contacts_and_a_circle_of_fallbacks_ends() -> None:
    channels = """    - {name: chat, console: {}, fallback: pager}
    - {name: pager, console: {prefix: "!"}, address: desk, fallback: chat}"""
    book = rulebook(playbook(channels=channels))
    log = Log(opened())
    (told,) = log.told(log.add(paged("channel:chat:room")), book)
    assert told.recipient.ways == (Place("chat", "room"), Place("pager", "desk"))


@pytest.mark.parametrize(
    ("event", "occasion"),
    [
        (SeverityChanged(before="P0", after="P1", why="alert", by=SYSTEM), "severity_changed"),
        (acknowledged(), "acknowledged"),
        (IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM), "escalated"),
        (DeadlineMissed(deadline="d", kind="acknowledge", due_at=Log().at), "deadline_missed"),
        (DeadlineMissed(deadline="d", kind="resolve", due_at=Log().at), "deadline_missed"),
        (DeadlineMissed(deadline="d", kind="update", due_at=Log().at), "update"),
        (DeadlineMissed(deadline="d", kind="escalate", due_at=Log().at), None),
        (DeadlineMissed(deadline="d", kind="close", due_at=Log().at), None),
        (NoteAdded(text="found it", by=ADA), "update"),
        (NoteAdded(text="nobody is on call", by=SYSTEM), None),
        (IncidentMonitoring(watch_until=Log().at), "monitoring"),
        (IncidentResumed(rule="CheckoutErrors"), "monitoring"),
        (resolved(), "resolved"),
        (IncidentReopened(by=SYSTEM), "reopened"),
        (IncidentClosed(), "closed"),
        (RoleAssigned(role="incident_commander", person="ada", by=ADA), None),
        (AlertCleared(fingerprint="0" * 16, episode="e", rule="R", ends_at=Log().at), None),
        (ActionProposed(**STEP, description="d", target="t", needs_approval=True), "action"),
        (ActionProposed(**STEP, description="d", target="t"), None),
        (ActionClaimed(**STEP, attempt=1, execution="x", claimed_by="r", abandon_at=Log().at), "action"),
        (ActionSucceeded(**STEP, attempt=1, execution="x"), None),  # whether it helped is told when it is known
        (ActionSucceeded(**UNVERIFIED, attempt=1, execution="x"), "action"),  # and this is not going to be looked at
        (VerificationPassed(**STEP), "action"),
        (RunbookFinished(runbook="checkout-failing", outcome="exhausted"), "action"),
        (RunbookFinished(runbook="checkout-failing", outcome="mitigated"), None),
    ],
)
def test_every_event_is_told_under_its_occasion_or_not_at_all(event: Event, occasion: str | None) -> None:
    log = Log(opened())
    told = log.told(log.add(event))
    assert kinds(told) == ([(occasion, CHANNEL)] if occasion else [])
    assert concerns(event) or not told


def test_only_those_hear_of_an_incident_who_follow_its_severity() -> None:
    log = Log()
    assert log.told(log.add(opened("P3"))) == ()


def test_those_who_follow_the_severity_before_a_change_and_those_after_it_hear_of_it() -> None:
    log = Log(opened("P0"))
    assert kinds(log.told(log.add(SeverityChanged(before="P0", after="P3", why="person", by=ADA)))) == [
        ("severity_changed", CHANNEL)
    ]
    assert log.told(log.add(acknowledged())) == ()


def test_whoever_heard_of_an_incident_hears_of_its_end_although_it_is_less_severe_by_then() -> None:
    log = Log(opened("P0"), SeverityChanged(before="P0", after="P3", why="person", by=ADA))
    assert kinds(log.told(log.add(resolved()))) == [("resolved", CHANNEL)]


def test_a_recipient_of_several_announcements_is_told_once() -> None:
    more = '    - {to: ["slack:#incidents", "team:shop"], on: [opened]}'
    log = Log()
    told = log.told(log.add(opened()), rulebook(playbook(communicate=more)))
    assert kinds(told) == [("opened", CHANNEL), ("opened", "person:ada"), ("opened", "person:grace")]


def test_an_announcement_whose_condition_does_not_hold_is_not_made() -> None:
    more = """    - {to: ["person:grace"], on: [opened], when: "incident.labels.service == 'checkout'"}
    - {to: ["person:ada"], on: [opened], when: "incident.labels.service == 'search'"}
    - {to: ["person:ada"], on: [opened], when: "incident.labels.zone == 'a'"}"""  # there is no such label
    log = Log()
    told = log.told(log.add(opened("P3")), rulebook(playbook(communicate=more)))
    assert kinds(told) == [("opened", "person:grace")]


def test_a_condition_that_does_not_compile_is_a_problem_and_never_holds() -> None:
    book = rulebook(playbook(communicate='    - {to: ["person:grace"], on: [opened], when: "incident.colour == 1"}'))
    log = Log()
    assert log.told(log.add(opened("P3")), book) == ()
    assert "incident.colour" in book.problems[0]


def test_a_channel_that_nothing_can_be_sent_through_is_a_problem_of_the_playbook() -> None:
    (problem,) = rulebook(playbook(channels="    - {name: push, ntfy: {}}")).problems
    assert problem == "channel push: this version cannot send through ntfy; the next way is taken"


def test_the_same_event_gives_the_same_ids_whatever_has_happened_since() -> None:
    log = Log()
    first = log.add(opened())
    before = [each.id for each in log.told(first)]
    log.add(SeverityChanged(before="P0", after="P3", why="person", by=ADA), after=MINUTE)
    log.add(resolved(), after=MINUTE)
    assert [each.id for each in log.told(first)] == before != []


def test_two_events_give_two_ids_to_the_same_recipient() -> None:
    log = Log(opened())
    (first,), (second,) = log.told(log.add(paged())), log.told(log.add(paged(level=1)))
    assert first.id != second.id


def test_whoever_has_the_incident_is_reminded_that_an_update_is_due() -> None:
    log = Log(opened("P3"), acknowledged())
    due = log.add(DeadlineMissed(deadline="d", kind="update", due_at=log.at), after=timedelta(minutes=30))
    assert kinds(log.told(due)) == [("reminder", "person:ada")]


def test_the_incident_commander_is_reminded_before_whoever_acknowledged() -> None:
    log = Log(opened("P3"), acknowledged(), RoleAssigned(role="incident_commander", person="grace", by=ADA))
    due = log.add(DeadlineMissed(deadline="d", kind="update", due_at=log.at))
    assert kinds(log.told(due)) == [("reminder", "person:grace")]


def test_nobody_is_reminded_where_nobody_has_the_incident_or_it_is_somebody_the_playbook_does_not_know() -> None:
    log = Log(opened("P3"))
    assert log.told(log.add(DeadlineMissed(deadline="d", kind="update", due_at=log.at))) == ()
    log.add(RoleAssigned(role="incident_commander", person="zoe", by=ADA))
    assert log.told(log.add(DeadlineMissed(deadline="e", kind="update", due_at=log.at))) == ()


def test_a_cadence_can_name_who_is_reminded() -> None:
    book = rulebook(playbook(communicate='  cadence: [{severities: [P3], every: 1h, remind: ["person:grace"]}]'))
    log = Log(opened("P3"), acknowledged())
    assert kinds(log.told(log.add(DeadlineMissed(deadline="d", kind="update", due_at=log.at)), book)) == [
        ("reminder", "person:grace")
    ]
