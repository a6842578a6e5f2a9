"""Every event as one sentence: there is one for each, it is short, it is on one line, and it does no harm."""

import re
from datetime import timedelta
from importlib.resources import files

import pytest
from recorder_builders import (
    ADA,
    FINGERPRINT,
    INCIDENT,
    NOW,
    OTHER,
    STEP,
    SYSTEM,
    NoPlaybooks,
    after,
    as_log,
    every_event,
    every_variation,
    grouped,
    opened,
    paged,
)

from tocsin_recorder.adapters.looks import ACTIONS, LOOKS, offset
from tocsin_recorder.adapters.queries import Incident
from tocsin_recorder.adapters.severities import Severities
from tocsin_recorder.adapters.views import details
from tocsin_recorder.core.fold import fold
from tocsin_recorder.core.sentences import SENTENCES, UNREADABLE, sentence
from tocsin_recorder.core.summary import ActionState
from tocsin_recorder.core.timeline import Head
from tocsin_recorder.core.words import name_of, span
from tocsin_schemas import INCIDENT_EVENTS, Actor, DeadlineKind, Event, Impact, RunbookOutcome
from tocsin_schemas import events as said

VARIATIONS = tuple(every_variation())


def test_every_event_has_a_sentence_and_a_look_and_nothing_else_has() -> None:
    assert set(SENTENCES) == set(INCIDENT_EVENTS) == set(LOOKS)


def test_every_way_an_action_can_go_has_a_word() -> None:
    assert set(ACTIONS) == set(ActionState)


def test_the_builders_know_every_event() -> None:
    assert {type(event) for event in every_event()} == set(INCIDENT_EVENTS)


def test_every_sign_of_a_look_is_drawn_and_every_tone_has_a_colour() -> None:
    pages = files("tocsin_recorder") / "pages"
    drawn = set(re.findall(r'symbol id="s-(\w+)"', (pages / "templates/_signs.html").read_text()))
    assert {look.sign for look in LOOKS.values()} <= drawn
    assert {look.tone for look in LOOKS.values()} <= {"good", "warn", "bad", "plain"}


def test_the_variations_have_every_deadline_and_every_reason() -> None:
    """A word that is new in the contract is tried without anybody thinking of it."""
    kinds = {event.kind for event in VARIATIONS if isinstance(event, said.DeadlineSet)}
    assert kinds == set(DeadlineKind)
    paged_for = {event.reason for event in VARIATIONS if isinstance(event, said.ResponderPaged)}
    assert {"unanswered", "added", "declined"} < paged_for


@pytest.mark.parametrize("event", VARIATIONS, ids=lambda event: type(event).__name__)
def test_every_word_that_an_event_may_hold_is_shown_on_the_page(event: Event) -> None:
    log = as_log([(0, opened()), (0, grouped()), (1, paged()), (2, event)])
    incident = Incident(fold(INCIDENT, log), Head(INCIDENT), 1)
    shown = details(incident, after(60), Severities(NoPlaybooks()))
    texts = [shown.row.headline, *(item.text + item.tag for section in shown.sections for item in section.items)]
    assert all(text and "None" not in text for text in texts)


@pytest.mark.parametrize("event", VARIATIONS, ids=lambda event: type(event).__name__)
def test_a_sentence_is_one_short_line_that_begins_like_one(event: Event) -> None:
    text = sentence(event)
    assert text
    assert text == text.strip()
    assert "\n" not in text
    assert not text.endswith((".", ":"))
    assert "None" not in text
    assert len(text) <= 400


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (opened(), "Opened as P1: Checkout is failing"),
        (grouped(), "Alert CheckoutErrors (P1) is firing: 31% of checkouts fail"),
        (paged(), "Paged ada (level 1): the incident was opened"),
        (paged(level=1, reason="escalated"), "Paged ada (level 2): nobody has answered yet"),
        (said.IncidentAcknowledged(by=ADA), "ada is on it"),
        (said.IncidentAcknowledged(by=ADA, until=after(60)), "ada is on it until 12:01:00 UTC"),
        (said.IncidentResolved(by=ADA, notes="It was DNS.\nAgain."), "Resolved by ada: It was DNS. …"),
        (said.IncidentResolved(by=SYSTEM), "Resolved"),
        (said.NoteAdded(text="\t tabs\tand   spaces ", by=ADA), "ada noted: tabs and spaces"),
        (said.NoteAdded(text=" \n ", by=ADA), "ada noted"),
        (
            said.SeverityChanged(before="P2", after="P0", why="classification", because="customer data", by=SYSTEM),
            "Severity changed from P2 to P0: customer data",
        ),
        (
            said.SeverityChanged(before="P2", after="P0", why="time", by=SYSTEM),
            "Severity changed from P2 to P0: it has lasted too long",
        ),
        (
            said.IncidentEscalated(level=2, reason="command", targets=tuple(f"person:p{n}" for n in range(7)), by=ADA),
            "Escalated to level 3 (p0, p1, p2, p3, p4 and 2 more) by ada: somebody asked for it",
        ),
        (
            said.DeadlineSet(deadline="d", kind=DeadlineKind.ESCALATE, due_at=after(15), level=1),
            "If nobody has answered, the next level is told (level 2) at 12:00:15 UTC",
        ),
        (
            said.DeadlineSet(deadline="d", kind=DeadlineKind.ESCALATE, due_at=after(900)),
            "If it still lasts at 12:15:00 UTC, it becomes more severe",
        ),
        (
            said.ActionProposed(**STEP, description="Empty it", target="", needs_approval=True, because="P2 asks"),
            "Proposed clear-cache, waiting for approval: P2 asks",
        ),
        (
            said.RunbookFinished(runbook="r", outcome=RunbookOutcome.EXHAUSTED, reason="nothing helped"),
            "Runbook r has no step left: nothing helped",
        ),
        (
            said.RoleAssigned(role="incident_commander", person="grace", by=ADA),
            "grace is incident commander (assigned by ada)",
        ),
        (paged(reason="unanswered", way=1, repeats="p"), "Paged ada (level 1, way 2): they have not answered yet"),
        (paged(each=True), "Paged ada (level 1, must answer): the incident was opened"),
        (
            said.DeadlineSet(deadline="d", kind=DeadlineKind.CONTACT, due_at=after(60), page="p"),
            "If nobody has answered, the page is repeated in another way at 12:01:00 UTC",
        ),
        (
            said.DeadlineMissed(deadline="d", kind=DeadlineKind.MUTE, due_at=NOW),
            "What keeps people from being told may be over (12:00:00 UTC)",
        ),
        (
            said.TargetNeared(deadline="d", target="resolve", due_at=after(60)),
            "It is not resolved, and should be by 12:01:00 UTC",
        ),
        (said.ResponderAnswered(person="ada", waiting_for=(), by=ADA), "ada has answered"),
        (
            said.ResponderAnswered(person="eve", waiting_for=("ada", "bob"), by=ADA),
            "eve has answered (says ada); still waiting for ada, bob",
        ),
        (said.ResponderDeclined(person="ada", because="on a train", by=ADA), "ada cannot take it: on a train"),
        (
            said.ResponderAdded(target="team:payments", people=("bob", "eve"), by=ADA),
            "ada asked for team payments (bob, eve)",
        ),
        (said.ResponderAdded(target="person:bob", people=("bob",), because="DNS", by=ADA), "ada asked for bob: DNS"),
        (
            said.ResponderAdded(target="schedule:night", people=(), by=ADA),
            "ada asked for schedule night, where nobody is",
        ),
        (
            said.WarRoomRequested(channel="slack", name="#incident-20260301-1200", invite=("person:ada", "team:shop")),
            "A war room is asked for: #incident-20260301-1200 (slack), for ada, team shop",
        ),
        (
            said.StatusUpdated(text="We switch.\nSoon.", status="identified", by=ADA),
            "ada says how it stands (identified): We switch. …",
        ),
        (said.SeverityReleased(by=ADA), "Severity released by ada: alerts, conditions and time may change it again"),
        (
            said.SeverityChanged(before="P1", after="P0", why="merge", by=SYSTEM),
            "Severity changed from P1 to P0: an incident that is a part of it is more severe",
        ),
        (
            said.ImpactStated(impact=Impact(users_affected=0.315, data_at_risk=False, workaround=True), by=ADA),
            "Impact by ada: 31.5% of users affected, customer data is safe, there is a workaround",
        ),
        (said.ImpactStated(impact=Impact(), by=ADA), "Impact by ada: nothing is known"),
        (
            said.OriginSuspected(service="payments", because="checkout and search both need it"),
            "It seems to come from payments: checkout and search both need it",
        ),
        (
            said.IncidentMuted(why="merge", name="Payments are down", explained_by=OTHER, because="the same"),
            f"It is a part of incident {OTHER} (Payments are down), of which people are told instead: the same",
        ),
        (
            said.IncidentMuted(why="correlation", name="Payments are down"),
            "It is a part of Payments are down, of which people are told instead",
        ),
        (
            said.AlertMoved(fingerprint=FINGERPRINT, episode="e1", rule="R", to=OTHER),
            f"Alert R is part of incident {OTHER} from now on",
        ),
        (
            said.IncidentLinked(other=OTHER, relation="absorbed", because="one cause", by=ADA),
            f"Incident {OTHER} was merged into this one, says ada: one cause",
        ),
        (said.IncidentLinked(other=OTHER, relation="split_from", by=SYSTEM), f"It was split from incident {OTHER}"),
        (
            said.IncidentResolved(by=ADA, notes="A test.", false_alarm=True),
            "Resolved as a false alarm by ada: A test.",
        ),
        (
            said.IncidentEscalated(level=1, reason="no_update", targets=("team:shop",), by=SYSTEM),
            "Escalated to level 2 (team shop): nobody has written how it stands",
        ),
    ],
)
def test_what_people_read(event: Event, expected: str) -> None:
    assert sentence(event) == expected


def test_an_entry_that_cannot_be_read_says_so() -> None:
    assert sentence(None) == UNREADABLE


def test_characters_that_move_or_turn_text_never_stand_in_a_sentence() -> None:
    """Most text is checked where it enters; ids are not, and an adversary may have written the database."""
    hostile = "a\x1b[2Jb\u202ec"
    event = paged().model_copy(update={"target": f"person:{hostile}"})
    assert sentence(event) == "Paged a\ufffd[2Jb\ufffdc (level 1): the incident was opened"


def test_the_longest_texts_are_cut() -> None:
    event = said.ActionFailed(**STEP, attempt=1, execution="e", reason="x" * 1024)
    assert len(sentence(event)) == 400
    assert sentence(event).endswith("…")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("person:ada", "ada"),
        ("channel:slack:#incidents", "#incidents (slack)"),
        ("channel:webhook:https://a/b:c", "https://a/b:c (webhook)"),
        ("team:shop", "team shop"),
        ("schedule:primary", "schedule primary"),
        ("person:", "person:"),
        ("ada@storefront.example", "ada@storefront.example"),
        ("", ""),
    ],
)
def test_targets_are_called_by_their_names(target: str, name: str) -> None:
    assert name_of(target) == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (0.04, "0.0 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (59.97, "1 min"), (185, "3 min 5 s"),
        (3599.9, "1 h"), (7800, "2 h 10 min"), (86400, "1 d"), (273600, "3 d 4 h"), (-3, "-3.0 s"), (-61, "-1 min 1 s"),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "+0.0 s"), (12.34, "+12.3 s"), (-2.4, "-2.4 s"), (185, "+3:05"), (3725, "+1:02:05"), (176525, "+2 d 1:02:05")],
)
def test_offsets_are_said_as_a_clock_says_them(seconds: float, text: str) -> None:
    assert offset(after(seconds), NOW) == text


def test_a_person_whose_name_is_a_systems_is_still_a_person() -> None:
    assert sentence(said.IncidentAcknowledged(by=Actor.person("escalator", "slack"))) == "escalator is on it"


def test_an_alert_that_expired_is_not_said_to_have_recovered() -> None:
    expired = said.AlertCleared(fingerprint=FINGERPRINT, episode="e", rule="R", ends_at=NOW, reason="expired")
    assert sentence(expired) == "Alert R was not heard of any more"
