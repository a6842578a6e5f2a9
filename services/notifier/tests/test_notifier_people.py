"""Whom a page reaches by their own rules, and who hears of roles, warnings, rooms and updates."""

from typing import get_args

import pytest
from notifier_builders import (
    ADA,
    MINUTE,
    NOW,
    Log,
    acknowledged,
    grouped,
    kinds,
    opened,
    paged,
    playbook,
    playbook_text,
    resolved,
    rulebook,
)

from tocsin_notifier.core import news, pages, words
from tocsin_notifier.core.incident import Phase, Place
from tocsin_notifier.core.message import Message, Tone, plain_text
from tocsin_notifier.core.occasions import OCCASIONS
from tocsin_notifier.core.plan import Notification, concerns
from tocsin_notifier.core.progress import Drop, Send, arrived, next_step
from tocsin_notifier.core.render import render
from tocsin_notifier.core.rulebook import Rulebook
from tocsin_notifier.core.scene import Scene
from tocsin_playbook import load
from tocsin_runtime.topology import consumers_of
from tocsin_schemas import INCIDENT_EVENTS, Actor, Event, Impact
from tocsin_schemas.events import (
    AlertMoved,
    DeadlineMissed,
    DeadlineSet,
    ImpactStated,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentMuted,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    OriginSuspected,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
    RoleAssigned,
    StatusUpdated,
    TargetNeared,
    WarRoomRequested,
)
from tocsin_schemas.subjects import incident_subject

SYSTEM = Actor.system("escalator")
GRACE = Actor.person("grace", "slack")
CHANNEL = "channel:slack:#incidents"
CHAT, MAIL, DESK = Place("slack", "#incidents"), Place("email", "ada@shop.example"), Place("desk", "phone")
RULES = """        - {channel: desk, address: phone}
      rules:
        - {contact: slack, after: 0s}
        - {contact: email, after: 5m, severities: [P0]}"""


def ruled() -> Rulebook:
    """Ada wants Slack first and, of the worst incidents, a mail later; her desk is in no rule."""
    return rulebook(playbook(channels="    - {name: desk, console: {}}", ada=RULES))


def ways(book: Rulebook, **page: object) -> tuple[Place, ...]:
    log = Log(opened())
    (told,) = log.told(log.add(paged("person:ada", **page)), book)  # type: ignore[arg-type]  # fields by name
    return told.recipient.ways


def said(log: Log, event: Event, book: Rulebook | None = None) -> Message:
    """The first message that follows from the event."""
    made = book or rulebook()
    return render(Scene(log.incident, log.told(log.add(event), made)[0], made.playbook, log.at))


# --- a person's own rules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (None, (CHAT, MAIL, DESK)),
        (0, (CHAT, MAIL, DESK)),
        (1, (MAIL, DESK)),
        (2, (MAIL, DESK)),
        (1_000_000, (MAIL, DESK)),
    ],
)
def test_each_way_of_a_page_goes_where_the_persons_rules_say(way: int | None, expected: tuple[Place, ...]) -> None:
    assert ways(ruled(), way=way) == expected


def test_the_rules_for_the_severity_of_the_page_count_not_those_for_what_it_has_become_since() -> None:
    assert ways(ruled(), severity="P3", way=1) == (CHAT, MAIL, DESK)


@pytest.mark.parametrize("way", [None, 0, 3])
def test_a_person_without_rules_is_told_by_their_contacts_in_order(way: int | None) -> None:
    assert ways(rulebook(), way=way) == (CHAT, MAIL)


def test_a_person_without_contacts_cannot_be_reached_in_any_way() -> None:
    text = playbook_text().replace("      contacts: [{channel: email, address: grace@shop.example}]\n", "")
    log = Log(opened())
    (told,) = log.told(log.add(paged("person:grace", way=1)), rulebook(load(text).playbook))
    assert (told.recipient.ways, told.recipient.missing) == ((), "grace has no contacts")


def test_a_page_in_the_next_way_takes_the_place_of_one_that_has_not_left_yet() -> None:
    log = Log(opened())
    (first,) = log.told(log.add(paged()))
    (again,) = log.told(log.add(paged(reason="unanswered", way=1, page="p2", repeats=first.page)))
    assert isinstance(next_step(log.incident, first), Drop)
    assert isinstance(next_step(log.incident, again), Send)


# --- the words of pages -----------------------------------------------------------------------------------------------


def first_words(log: Log, **page: object) -> str:
    return said(log, paged("person:grace", **page)).paragraphs[0]  # type: ignore[arg-type]  # fields by name


def test_a_page_says_whom_it_stands_for_or_who_asked() -> None:
    log = Log(opened(), ResponderAdded(target="person:grace", people=("grace",), by=ADA))
    assert "Ada L. asked for you" in first_words(log, reason="added")
    log.add(ResponderDeclined(person="ada", by=ADA))
    assert "Ada L. cannot take it" in first_words(log, reason="declined")
    assert "you have not answered yet" in first_words(log, reason="unanswered")
    assert "somebody asked for you" in first_words(
        Log(opened(), ResponderAdded(target="team:shop", people=(), by=SYSTEM)), reason="added"
    )


def test_a_page_that_everybody_must_answer_says_so() -> None:
    assert first_words(Log(opened()), each=True).endswith("Everybody who is told so must answer.")
    assert "must answer" not in first_words(Log(opened()))


def test_a_page_says_what_is_known_where_it_seems_to_come_from_and_where_it_is_talked_about() -> None:
    log = Log(
        opened(),
        ImpactStated(impact=Impact(users_affected=0.31, data_loss=False, workaround=True), by=ADA),
        OriginSuspected(service="payments", because="both need it"),
        WarRoomRequested(channel="slack", name="#incident-20260301-0312"),
    )
    facts = {field.label: field.value for field in said(log, paged()).fields}
    assert facts["Known impact"] == "31 % of users affected, no data is lost, there is a workaround"
    assert (facts["Suspected origin"], facts["War room"]) == ("payments", "#incident-20260301-0312")


@pytest.mark.parametrize(
    ("model", "field", "table"),
    [
        (ResponderPaged, "reason", pages._WHY),
        (IncidentEscalated, "reason", news._ESCALATED),
    ],
)
def test_there_are_words_for_every_reason(model: type[Event], field: str, table: dict[str, str]) -> None:
    assert set(get_args(model.model_fields[field].annotation)) == set(table)


def test_there_are_words_for_everything_that_can_be_known_of_the_impact() -> None:
    assert {"users_affected", *words._IMPACT} == set(Impact.model_fields)
    assert words.impact_of(None) == words.impact_of(Impact()) == ""


# --- what is read is what concerns somebody ---------------------------------------------------------------------------


def test_the_notifier_is_shown_what_concerns_somebody_and_nothing_else() -> None:
    (spec,) = consumers_of("notifier")
    concerning = {model for model in INCIDENT_EVENTS if concerns(model.model_construct())}
    assert {incident_subject("i", model).replace(".i.", ".*.") for model in concerning} == set(spec.filters)


def test_there_are_words_for_every_occasion() -> None:
    assert set(news._SAID) == set(OCCASIONS)


# --- updates, responders ----------------------------------------------------------------------------------------------


def test_an_update_is_announced_in_the_words_of_whoever_wrote_it() -> None:
    log = Log(opened(), acknowledged(), DeadlineSet(deadline="u", kind="update", due_at=NOW + 30 * MINUTE))
    event = log.add(StatusUpdated(text="We <b>switch</b>.", status="mitigating", by=ADA))
    assert kinds(log.told(event)) == [("update", CHANNEL)]
    log.add(DeadlineSet(deadline="u", kind="update", due_at=NOW + 60 * MINUTE))
    told = log.told(event)[0]
    message = render(Scene(log.incident, told, playbook(), log.at))
    assert message.headline == "P0 · mitigating, update by Ada L.: 31 % of checkouts fail"
    assert message.paragraphs == ("We <b>switch</b>.",)
    assert "Next update" in plain_text(message)
    assert said(log, StatusUpdated(text="Still.", by=ADA)).headline.startswith("P0 · update by Ada L.: ")


def test_an_update_by_who_is_on_it_for_a_time_does_not_announce_again_that_they_are() -> None:
    log = Log(opened())
    assert kinds(log.told(log.add(acknowledged()))) == [("acknowledged", CHANNEL)]
    log.at += MINUTE
    log.add(StatusUpdated(text="t", by=ADA))
    assert log.told(log.add(acknowledged())) == ()
    assert log.incident.acknowledged_at == NOW
    assert kinds(log.told(log.add(IncidentAcknowledged(by=GRACE)))) == [("acknowledged", CHANNEL)]
    log.add(IncidentReopened(by=ADA))
    assert kinds(log.told(log.add(IncidentAcknowledged(by=GRACE)))) == [("acknowledged", CHANNEL)]


def test_an_update_is_due_no_more_once_there_is_one() -> None:
    log = Log(opened(), DeadlineSet(deadline="u", kind="update", due_at=NOW + MINUTE), StatusUpdated(text="t", by=ADA))
    assert log.incident.deadlines == {}


def test_the_reminder_asks_for_an_update_and_knows_the_last_one() -> None:
    log = Log(opened("P3"), acknowledged(), StatusUpdated(text="We look.", by=ADA))
    log.at += 30 * MINUTE
    message = said(log, DeadlineMissed(deadline="d", kind="update", due_at=log.at))
    assert (message.kind, message.paragraphs[0].endswith("The last one was 30 min ago.")) == ("reminder", True)
    assert message.to_do is not None
    assert message.to_do.commands == ('tocsin update 4h2kq7xmpw3a "..."',)


def test_a_commander_whom_the_playbook_does_not_know_leaves_the_reminder_to_who_acknowledged() -> None:
    log = Log(opened("P3"), acknowledged(), RoleAssigned(role="incident_commander", person="mallory", by=ADA))
    due = log.add(DeadlineMissed(deadline="d", kind="update", due_at=log.at))
    assert kinds(log.told(due)) == [("reminder", "person:ada")]


@pytest.mark.parametrize(
    ("event", "occasion", "headline"),
    [
        (
            ResponderAnswered(person="ada", waiting_for=("grace",), by=ADA),
            "acknowledged",
            "P0 · Ada L. has answered: 31 % of checkouts fail",
        ),
        (
            ResponderDeclined(person="ada", because="on a train", by=ADA),
            "acknowledged",
            "P0 · Ada L. cannot take it: 31 % of checkouts fail",
        ),
        (
            ResponderAdded(target="team:shop", people=("ada", "grace"), by=GRACE),
            "escalated",
            "P0 · grace asked for shop (Ada L., grace): 31 % of checkouts fail",
        ),
        (
            ResponderAdded(target="schedule:night", people=(), by=GRACE),
            "escalated",
            "P0 · grace asked for night (nobody): 31 % of checkouts fail",
        ),
    ],
)
def test_who_answers_and_who_is_asked_for_is_announced(event: Event, occasion: str, headline: str) -> None:
    log = Log(opened())
    assert kinds(log.told(log.add(event))) == [(occasion, CHANNEL)]
    assert said(log, event).headline == headline


def test_an_answer_says_who_must_still_answer() -> None:
    log = Log(opened())
    waits = said(log, ResponderAnswered(person="ada", waiting_for=("grace",), by=ADA))
    done = said(log, ResponderAnswered(person="ada", waiting_for=(), by=ADA))
    assert (waits.paragraphs, done.paragraphs) == (("Still waiting for grace.",), ())


def test_a_false_alarm_is_told_as_one() -> None:
    log = Log(opened())
    message = said(log, IncidentResolved(by=ADA, notes="A load test.", false_alarm=True))
    assert message.headline == "P0 · false alarm, over after 20 s: 31 % of checkouts fail"
    assert message.paragraphs == ("A load test.",)


# --- roles, warnings, rooms -------------------------------------------------------------------------------------------


def test_whoever_is_given_a_role_is_told_and_whoever_takes_one_is_not() -> None:
    log = Log(opened())
    given = log.add(RoleAssigned(role="incident_commander", person="grace", by=ADA))
    assert kinds(log.told(given)) == [("role", "person:grace")]
    by_rule = log.add(RoleAssigned(role="technical_lead", person="ada", by=SYSTEM))
    assert kinds(log.told(by_rule)) == [("role", "person:ada")]
    taken = log.add(RoleAssigned(role="incident_commander", person="ada", by=ADA))
    assert log.told(taken) == ()
    stranger = log.add(RoleAssigned(role="support_lead", person="mallory", by=ADA))
    assert log.told(stranger) == ()


def test_a_role_is_told_with_who_gave_it() -> None:
    message = said(Log(opened()), RoleAssigned(role="communications_lead", person="grace", by=ADA))
    assert message.headline == "P0 · you are communications lead: 31 % of checkouts fail"
    assert message.paragraphs == ("Ada L. gave it to you.",)
    assert said(Log(opened()), RoleAssigned(role="support_lead", person="grace", by=SYSTEM)).paragraphs == ()


def near(target: str) -> TargetNeared:
    return TargetNeared(deadline="d", target=target, due_at=NOW + 5 * MINUTE)  # type: ignore[arg-type]  # a literal


def test_as_long_as_nobody_has_answered_all_who_were_paged_are_warned_but_for_who_cannot() -> None:
    log = Log(opened(), paged("person:ada"), paged("person:grace", level=1), paged("channel:slack:#incidents"))
    assert kinds(log.told(log.add(near("acknowledge")))) == [
        ("warning", "person:ada"), ("warning", "person:grace"), ("warning", CHANNEL),
    ]  # fmt: skip
    log.add(ResponderDeclined(person="ada", by=ADA))
    assert kinds(log.told(log.add(near("resolve")))) == [("warning", "person:grace"), ("warning", CHANNEL)]


def test_whoever_has_the_incident_is_warned_that_it_should_be_resolved() -> None:
    log = Log(opened(), paged("person:ada"), paged("person:grace", level=1), acknowledged())
    assert kinds(log.told(log.add(near("resolve")))) == [("warning", "person:ada")]
    log.add(RoleAssigned(role="incident_commander", person="grace", by=ADA))
    assert kinds(log.told(log.add(near("resolve")))) == [("warning", "person:grace"), ("warning", "person:ada")]


def test_a_commander_by_rule_is_warned_besides_those_who_were_paged_and_once() -> None:
    log = Log(opened(), paged("person:ada"), RoleAssigned(role="incident_commander", person="grace", by=SYSTEM))
    log.add(paged("person:grace"))
    assert kinds(log.told(log.add(near("acknowledge")))) == [("warning", "person:grace"), ("warning", "person:ada")]


def test_a_warning_says_how_much_time_is_left_and_what_to_do() -> None:
    log = Log(opened(), paged("person:grace"))
    message = said(log, near("acknowledge"))
    assert message.headline == "P0 · acknowledge within 5 min: 31 % of checkouts fail"
    assert message.paragraphs == ("Somebody should have acknowledged by 03:17 UTC, and nobody has.",)
    assert (message.tone, message.to_do and message.to_do.commands) == (Tone.ALARM, ("tocsin ack 4h2kq7xmpw3a",))
    later = said(log, near("resolve"))
    assert later.headline == "P0 · resolve within 5 min: 31 % of checkouts fail"
    assert later.paragraphs == ("It should be resolved by 03:17 UTC.",)


def test_a_warning_that_was_overtaken_by_an_answer_is_not_sent() -> None:
    log = Log(opened(), paged("person:ada"))
    (told,) = log.told(log.add(near("acknowledge")))
    (other,) = log.told(log.add(near("resolve")))
    log.add(acknowledged())
    assert next_step(log.incident, told) == Drop("somebody has acknowledged")
    assert isinstance(next_step(log.incident, other), Send)


def test_a_war_room_is_told_to_those_who_heard_of_the_opening_and_to_who_is_invited_once() -> None:
    log = Log(opened())
    room = WarRoomRequested(
        channel="slack", name="#incident-20260301-0312", invite=("person:grace", "channel:slack:#incidents")
    )
    assert kinds(log.told(log.add(room))) == [("war_room", CHANNEL), ("war_room", "person:grace")]
    message = said(log, room)
    assert message.headline == "P0 · war room #incident-20260301-0312: 31 % of checkouts fail"
    assert message.paragraphs == ("It is talked about in #incident-20260301-0312 (slack).",)
    assert said(Log(opened("P3")), room).paragraphs[0].startswith("You are invited. ")


@pytest.mark.parametrize("telling", [pages.role, pages.warning, pages.war_room])
def test_words_about_an_event_of_another_kind_are_refused(telling: object) -> None:
    log = Log(opened())
    (told,) = log.told(log.add(paged()))
    with pytest.raises(TypeError, match="ResponderPaged"):
        telling(Scene(log.incident, told, playbook(), log.at))  # type: ignore[operator]  # one of the three


# --- merged incidents -------------------------------------------------------------------------------------------------

MERGED = IncidentMuted(why="merge", name="Payments are down", explained_by="other")


def told_after(*events: Event) -> list[tuple[str, str]]:
    """Who is told of the last of these events."""
    log = Log(*events[:-1])
    return kinds(log.told(log.add(events[-1])))


@pytest.mark.parametrize("why", ["merge", "correlation"])
def test_while_an_incident_is_a_part_of_another_nobody_hears_of_it_although_people_have_before(why: str) -> None:
    muted = IncidentMuted(why=why, name="Payments are down", explained_by="other")  # type: ignore[arg-type]  # drawn from its own words
    log = Log(opened())
    (told,) = log.told(log.add(paged()))
    log.add(delivered(told))
    log.add(muted)
    for event in (
        StatusUpdated(text="t", by=ADA),
        RoleAssigned(role="incident_commander", person="grace", by=ADA),
        near("resolve"),
        WarRoomRequested(channel="slack", name="#i"),
        resolved(),
    ):
        assert log.told(log.add(event)) == ()


def test_whoever_has_heard_of_a_silenced_incident_hears_how_it_goes_on() -> None:
    log = Log(opened())
    (told,) = log.told(log.add(paged()))
    log.add(delivered(told))
    log.add(IncidentMuted(why="silence", name="upgrade"))
    assert kinds(log.told(log.add(resolved()))) == [("resolved", CHANNEL)]


@pytest.mark.parametrize("end", [IncidentUnmuted(because="split"), IncidentReopened(by=ADA)])
def test_an_incident_that_is_one_of_its_own_again_is_told_of(end: Event) -> None:
    assert told_after(opened(), MERGED, end) != []
    assert told_after(opened(), MERGED, end, StatusUpdated(text="t", by=ADA)) == [("update", CHANNEL)]


def test_what_was_decided_before_the_merge_is_told_also_when_it_is_read_after_it() -> None:
    log = Log()
    first = log.add(opened())
    log.add(MERGED)
    assert kinds(log.told(first)) == [("opened", CHANNEL)]


def delivered(told: Notification) -> Event:
    return arrived(told, Send(CHAT, 0, is_last=False), "1.1", 1).receipt


# --- what the log means -----------------------------------------------------------------------------------------------


def test_how_far_the_work_is_is_what_was_said_last_by_who_is_on_it() -> None:
    log = Log(opened(), StatusUpdated(text="t", status="identified", by=ADA))
    assert log.incident.phase is Phase.TRIGGERED
    log.add(acknowledged())
    log.add(StatusUpdated(text="t", status="identified", by=ADA))
    assert (log.incident.phase, words.status_of(log.incident)) == (Phase.IDENTIFIED, "identified")
    log.add(IncidentMonitoring(watch_until=NOW + MINUTE))
    log.add(IncidentResumed(rule="R"))
    assert log.incident.phase is Phase.IDENTIFIED
    log.add(IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM))
    assert (log.incident.phase, log.incident.acknowledged_by) == (Phase.TRIGGERED, "")
    log.add(IncidentResolved(by=ADA, false_alarm=True))
    assert (log.incident.phase, words.status_of(log.incident)) == (Phase.FALSE_ALARM, "false alarm")
    assert log.incident.phase.is_over
    log.add(IncidentReopened(by=ADA))
    assert log.incident.phase is Phase.REOPENED
    log.add(acknowledged())
    assert log.incident.phase is Phase.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (acknowledged(), ["resolve", "resolve_soon", "update"]),
        (IncidentMonitoring(watch_until=NOW), ["resolve", "resolve_soon", "update"]),
        (IncidentMuted(why="silence", name="upgrade"), []),
    ],
    ids=["acknowledged", "monitoring", "muted"],
)
def test_what_is_not_due_any_more_is_not_told_as_due(event: Event, left: list[str]) -> None:
    kinds = ("acknowledge", "acknowledge_soon", "contact", "escalate", "resolve", "resolve_soon", "update")
    due = [DeadlineSet(deadline=kind, kind=kind, due_at=NOW + MINUTE) for kind in kinds]  # type: ignore[arg-type]  # pydantic reads it
    assert sorted(Log(opened(), *due, event).incident.deadlines) == left


def test_whoever_had_it_and_cannot_take_it_has_it_no_more() -> None:
    log = Log(opened(), acknowledged(), ResponderDeclined(person="grace", by=GRACE))
    assert (log.incident.phase, log.incident.acknowledged_by) == (Phase.ACKNOWLEDGED, "ada")
    log.add(ResponderDeclined(person="ada", by=ADA))
    assert (log.incident.phase, log.incident.acknowledged_by) == (Phase.TRIGGERED, "")
    assert log.incident.declined == ("grace", "ada")
    log.add(acknowledged())
    assert log.incident.declined == ("grace",)
    log.add(resolved())
    log.add(IncidentReopened(by=ADA))
    assert log.incident.declined == ()


def test_an_alert_that_moved_to_another_incident_is_not_told_here_any_more() -> None:
    log = Log(opened(), grouped())
    log.add(AlertMoved(fingerprint="0123456789abcdef", episode="e1", rule="CheckoutErrors", to="other"))
    assert log.incident.alerts == {}


def test_a_warning_that_was_given_is_not_due_any_more() -> None:
    log = Log(opened(), DeadlineSet(deadline="d", kind="resolve_soon", due_at=NOW + MINUTE), near("resolve"))
    assert log.incident.deadlines == {}


@pytest.mark.parametrize(
    ("said_of_it", "told"),
    [
        (None, []),
        (Impact(data_loss=True), []),
        (Impact(users_affected=0.2), [("opened", "person:grace")]),
        (Impact(users_affected=0.1), []),
    ],
)
def test_a_condition_about_the_impact_holds_only_where_somebody_has_said_it(
    said_of_it: Impact | None, told: list[tuple[str, str]]
) -> None:
    more = '    - {to: ["person:grace"], on: [opened], when: "incident.users_affected > 0.1"}'
    book = rulebook(playbook(communicate=more))
    log = Log(opened("P3"))
    if said_of_it is not None:
        log.add(ImpactStated(impact=said_of_it, by=ADA))
    assert kinds(log.told(log.add(IncidentUnmuted(because="over")), book)) == told
