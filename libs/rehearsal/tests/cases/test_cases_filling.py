"""From a world's log, alerts and messages to one timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tocsin_recorder.core.fold import evolve
from tocsin_recorder.core.summary import Summary, empty
from tocsin_rehearsal.cases import Moment, Seen, fill
from tocsin_rehearsal.cases.seen import Kind
from tocsin_schemas import (
    INCIDENT_EVENTS,
    Actor,
    DeadlineKind,
    Envelope,
    Event,
    GroupedAlert,
    Impact,
    Labels,
    PlaybookRef,
    RunbookOutcome,
    caused_by,
)
from tocsin_schemas import Role as RoleName
from tocsin_schemas import events as e

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
S = timedelta(seconds=1)
INCIDENT = "inc1"
ADA = Actor.person("ada", "cli")
SYSTEM = Actor.system("escalator")
LABELS = Labels(alertname="Errors", service="shop")
REF = PlaybookRef(name="shop", revision="0" * 12)
ALERT = {"fingerprint": "0" * 16, "episode": "ep1", "rule": "Errors", "labels": LABELS, "source": "shop"}
STEP = {"action": "a1", "runbook": "mend", "step": "restart"}
ATTEMPT = {**STEP, "attempt": 1, "execution": "x1"}
NOTICE = {"notification": "n1", "channel": "slack", "recipient": "person:ada"}


@dataclass(frozen=True)
class Message:
    """As a world keeps it."""

    at: timedelta
    text: str
    id: str = "n1"
    channel: str = "slack"
    address: str = "#incidents"
    notification: str = "page"
    incident: str = INCIDENT


def said(seconds: float, event: Event, incident: str = INCIDENT) -> Envelope[Event]:
    return caused_by(f"cause {seconds}", 0, event.OWNER, incident, START + seconds * S, event)


def opened(severity: str = "P0") -> e.IncidentOpened:
    return e.IncidentOpened(
        group_key="g", episode=0, title="Errors (shop)", severity=severity, labels=Labels(service="shop"),
        playbook=REF, started_at=START,
    )  # fmt: skip


def paged(page: str = "p1", target: str = "person:ada", level: int = 0) -> e.ResponderPaged:
    return e.ResponderPaged(page=page, target=target, level=level, severity="P0", reason="opened")


def due(kind: DeadlineKind, seconds: float, level: int | None = None, name: str = "") -> e.DeadlineSet:
    return e.DeadlineSet(deadline=name or kind.value, kind=kind, due_at=START + seconds * S, level=level)


def filled(*log: Envelope[Event], alerts: Sequence[Envelope[Event]] = (), messages: Sequence[Message] = ()) -> Seen:
    return fill(log, alerts, messages, start=START, until=600 * S)


def of(seen: Seen, kind: Kind, *fields: str) -> list[tuple[object, ...]]:
    return [(moment.at / S, *(moment.fields[name] for name in fields)) for moment in seen.of(kind)]


def test_an_alert_is_told_when_it_begins_changes_and_ends() -> None:
    fired = e.AlertFired(**ALERT, severity="P1", starts_at=START)
    worse = e.AlertFired(**ALERT, severity="P0", starts_at=START)
    over = e.AlertResolved(**ALERT, ends_at=START)
    seen = filled(alerts=[said(2, fired), said(30, fired), said(40, worse), said(60, over), said(61, over)])
    assert of(seen, "alert", "state", "severity", "name") == [
        (2, "firing", "P1", "Errors"), (40, "firing", "P0", "Errors"), (60, "ended", "P0", "Errors"),
    ]  # fmt: skip
    assert [moment.text for moment in seen.of("alert")] == [
        "alert Errors fires (P1) {service=shop}", "alert Errors fires (P0) {service=shop}",
        "alert Errors ends {service=shop}",
    ]  # fmt: skip
    assert of(seen, "event", "type") == [(2, "AlertFired"), (40, "AlertFired"), (60, "AlertResolved")]


def test_an_alert_without_a_severity_says_so() -> None:
    seen = filled(alerts=[said(2, e.AlertFired(**ALERT, starts_at=START))])
    assert seen.of("alert")[0].text == "alert Errors fires (no severity) {service=shop}"


def test_an_incident_is_told_as_it_stands_after_each_change() -> None:
    seen = filled(
        said(2, opened("P1")),
        said(3, e.NoteAdded(text="hm", by=ADA)),
        said(5, e.SeverityChanged(before="P1", after="P0", why="alert", by=SYSTEM)),
        said(9, e.IncidentAcknowledged(by=ADA)),
        said(30, e.IncidentMonitoring(watch_until=START + 40 * S)),
        said(40, e.IncidentResolved(by=SYSTEM)),
        said(99, e.IncidentClosed()),
    )
    assert of(seen, "incident", "phase", "severity") == [
        (2, "triggered", "P1"), (5, "triggered", "P0"), (9, "acknowledged", "P0"), (30, "monitoring", "P0"),
        (40, "resolved", "P0"), (99, "closed", "P0"),
    ]  # fmt: skip
    assert seen.of("incident")[0].text == "incident triggered, P1: Opened as P1: Errors (shop)"
    assert seen.labels_of(INCIDENT) == {"service": "shop"}


def test_a_page_is_decided_and_then_delivered_or_not() -> None:
    seen = filled(
        said(2, opened()),
        said(2, paged(level=1)),
        said(4, e.NotificationFailed(**NOTICE, page="p1", reason="429", exhausted=False)),
        said(6, e.NotificationDelivered(**{**NOTICE, "channel": "email"}, page="p1")),
    )
    assert of(seen, "page", "outcome", "target", "channel", "level") == [
        (2, "decided", "person:ada", None, 2), (4, "failed", "person:ada", "slack", 2),
        (6, "delivered", "person:ada", "email", 2),
    ]  # fmt: skip
    assert [moment.text for moment in seen.of("page")] == [
        "ada is to be paged (level 2)", "ada could not be paged by slack (level 2)", "ada is paged by email (level 2)",
    ]  # fmt: skip


def test_a_request_to_approve_is_no_page_and_says_which_step_waits() -> None:
    proposed = said(2, e.ActionProposed(**STEP, description="d", target="t", needs_approval=True))
    request = e.ResponderPaged(page="p2", target="person:ada", level=0, severity="P0", reason="automation_needs_you")
    seen = filled(
        said(1, opened()),
        proposed,
        caused_by(proposed.id, 0, "escalator", INCIDENT, START + 3 * S, request),
        said(4, e.NotificationFailed(**NOTICE, page="p2", reason="429", exhausted=False)),
        said(6, e.NotificationDelivered(**{**NOTICE, "channel": "email"}, page="p2")),
    )
    assert seen.of("page") == []
    assert of(seen, "approval", "outcome", "target", "channel", "runbook", "step") == [
        (3, "decided", "person:ada", None, "mend", "restart"), (4, "failed", "person:ada", "slack", "mend", "restart"),
        (6, "delivered", "person:ada", "email", "mend", "restart"),
    ]  # fmt: skip
    assert [moment.text for moment in seen.of("approval")] == [
        "ada is to be asked to approve restart", "ada could not be asked to approve restart by slack",
        "ada is asked to approve restart by email",
    ]  # fmt: skip


def test_a_request_whose_action_is_not_known_is_told_all_the_same() -> None:
    request = e.ResponderPaged(page="p2", target="person:ada", level=0, severity="P0", reason="automation_needs_you")
    (moment,) = filled(said(1, opened()), said(3, request)).of("approval")
    assert (moment.text, moment.fields["step"]) == ("ada is to be asked to approve an action", None)


def test_times_of_day_are_told_since_the_start() -> None:
    seen = filled(
        said(2, opened()),
        said(3, due(DeadlineKind.ACKNOWLEDGE, 20)),
        said(4, e.IncidentAcknowledged(by=ADA, until=START + 90 * S)),
        said(30, e.IncidentMonitoring(watch_until=START + 330 * S)),
    )
    assert [moment.text for moment in seen.of("incident")][1:] == [
        "incident acknowledged, P0: ada is on it until 1m30s",
        "incident monitoring, P0: All alerts have cleared; watching until 5m30s",
    ]
    assert "DeadlineSet: Somebody should answer by 20s" in [moment.text for moment in seen.of("event")]


def test_news_is_no_page() -> None:
    seen = filled(said(2, opened()), said(3, e.NotificationDelivered(**{**NOTICE, "recipient": "#incidents"})))
    assert seen.of("page") == []


def test_an_action_is_told_with_every_outcome() -> None:
    course = (
        e.ActionProposed(**STEP, description="d", target="t"), e.ActionApproved(**STEP, by=ADA),
        e.ActionClaimed(**ATTEMPT, claimed_by="r1", abandon_at=START), e.ActionSucceeded(**ATTEMPT),
        e.VerificationFailed(**STEP), e.VerificationPassed(**STEP), e.ActionFailed(**ATTEMPT, reason="r"),
        e.ActionOutcomeUnknown(**ATTEMPT, reason="r"), e.ActionRefused(**STEP, reason="r"),
    )  # fmt: skip
    seen = filled(*(said(number, event) for number, event in enumerate(course)))
    assert [fields[1] for fields in of(seen, "action", "outcome", "step", "runbook")] == [
        "proposed", "approved", "started", "succeeded", "did_not_help", "helped", "failed", "unknown", "refused",
    ]  # fmt: skip
    assert of(seen, "action", "step", "runbook", "incident")[0] == (0, "restart", "mend", INCIDENT)


def test_deadlines_open_move_and_are_over() -> None:
    seen = filled(
        said(2, opened()),
        said(2, due(DeadlineKind.ACKNOWLEDGE, 20)),
        said(2, due(DeadlineKind.ESCALATE, 17, level=1, name="next")),
        said(17, e.IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM)),
        said(17, due(DeadlineKind.ESCALATE, 32, level=2, name="next")),
        said(18, e.IncidentAcknowledged(by=ADA)),
    )
    assert of(seen, "deadline", "kind", "state", "due", "level") == [
        (2, "acknowledge", "open", 20 * S, None), (2, "escalate", "open", 17 * S, 2),
        (17, "escalate", "over", 17 * S, 2),
        (17, "escalate", "open", 32 * S, 3), (18, "acknowledge", "over", 20 * S, None),
        (18, "escalate", "over", 32 * S, 3),
    ]  # fmt: skip
    assert [moment.text for moment in seen.of("deadline")][1:3] == [
        "escalate to level 2 is due at 17s", "escalate to level 2 is not due any more",
    ]  # fmt: skip


def test_every_event_is_told_with_all_its_fields() -> None:
    seen = filled(said(3, e.NoteAdded(text="hm", by=ADA)))
    (moment,) = seen.of("event")
    assert moment.text == "NoteAdded: ada noted: hm"
    assert moment.fields == {
        "text": "hm", "by": {"kind": "person", "name": "ada", "via": "cli"}, "type": "NoteAdded", "incident": INCIDENT,
    }  # fmt: skip


def test_a_message_is_told_by_its_first_line_and_kept_whole() -> None:
    delivered = said(3, e.NotificationDelivered(**NOTICE, page="p1"))
    seen = filled(
        said(1, opened()), said(2, paged()), delivered, messages=[Message(2 * S, "\n*P0* Errors \x1b[1m\nmore")]
    )
    assert of(seen, "message", "channel", "to", "person", "about", "incident") == [
        (2, "slack", "#incidents", "ada", "page", INCIDENT)
    ]
    assert seen.of("message")[0].text == "message by slack to #incidents (page): *P0* Errors \ufffd[1m"
    assert seen.of("message")[0].fields["text"] == "\n*P0* Errors \x1b[1m\nmore"


def test_a_message_to_nobody_in_particular_has_no_person() -> None:
    seen = filled(messages=[Message(2 * S, "")])
    assert of(seen, "message", "person") == [(2, None)]
    assert seen.of("message")[0].text == "message by slack to #incidents (page): "


def test_everything_is_in_the_order_of_time() -> None:
    seen = filled(
        said(5, opened()),
        alerts=[said(2, e.AlertFired(**ALERT, starts_at=START))],
        messages=[Message(3 * S, "x")],
    )
    assert [moment.at / S for moment in seen.moments] == [2, 2, 3, 5, 5]
    assert seen.until == 600 * S


EVERY: tuple[Event, ...] = (
    opened(),
    e.AlertGrouped(
        alert=GroupedAlert(fingerprint="0" * 16, episode="ep1", rule="Errors", labels=LABELS, starts_at=START)
    ),
    e.AlertCleared(fingerprint="0" * 16, episode="ep1", rule="Errors", ends_at=START),
    e.SeverityChanged(before="P0", after="P1", why="person", by=ADA),
    due(DeadlineKind.UPDATE, 25),
    e.DeadlineMissed(deadline="update", kind=DeadlineKind.UPDATE, due_at=START),
    paged(),
    e.IncidentEscalated(level=1, reason="command", by=ADA),
    e.IncidentAcknowledged(by=ADA),
    e.RoleAssigned(role=RoleName.COMMANDER, person="ada", by=ADA),
    e.NoteAdded(text="hm", by=ADA),
    e.IncidentMonitoring(watch_until=START),
    e.IncidentResumed(rule="Errors"),
    e.IncidentResolved(by=ADA),
    e.IncidentReopened(by=SYSTEM),
    e.IncidentClosed(),
    e.IncidentMuted(why="silence", name="upgrade"),
    e.IncidentUnmuted(because="the silence upgrade is over"),
    e.CommandRejected(command="Resolve", reason="r", by=ADA),
    e.SeverityReleased(by=ADA),
    e.ImpactStated(impact=Impact(users_affected=0.3), by=ADA),
    e.OriginSuspected(service="payments", because="r"),
    e.TargetNeared(deadline="update", target="resolve", due_at=START),
    e.ResponderAnswered(person="ada", waiting_for=("bob",), by=ADA),
    e.ResponderDeclined(person="ada", by=ADA),
    e.ResponderAdded(target="person:bob", people=("bob",), by=ADA),
    e.WarRoomRequested(channel="slack", name="#incident-1"),
    e.StatusUpdated(text="hm", status="identified", by=ADA),
    e.AlertMoved(fingerprint="0" * 16, episode="ep1", rule="Errors", to="inc2"),
    e.IncidentLinked(other="inc2", relation="related", by=ADA),
    e.RunbookStarted(runbook="mend", severity="P0"),
    e.ActionProposed(**STEP, description="d", target="t"),
    e.ActionApproved(**STEP, by=ADA),
    e.ActionClaimed(**ATTEMPT, claimed_by="r1", abandon_at=START),
    e.ActionSucceeded(**ATTEMPT),
    e.ActionFailed(**ATTEMPT, reason="r"),
    e.ActionOutcomeUnknown(**ATTEMPT, reason="r"),
    e.ActionRefused(**STEP, reason="r"),
    e.VerificationPassed(**STEP),
    e.VerificationFailed(**STEP),
    e.RunbookFinished(runbook="mend", outcome=RunbookOutcome.MITIGATED),
    e.AutomationStopped(by=ADA),
    e.RequestRefused(command="ApproveAction", reason="r", by=ADA),
    e.NotificationDelivered(**NOTICE, page="p1"),
    e.NotificationFailed(**NOTICE, page="p1", reason="r", exhausted=True),
    e.StatusPagePublished(page="p", status="resolved", message="m"),
    e.ReviewDrafted(due_at=START),
)


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in EVERY} == set(INCIDENT_EVENTS)


def standing(summary: Summary) -> object:
    of_people = summary.roles, summary.impact, summary.part_of, summary.origin, summary.war_room
    return summary.opened_at, summary.phase, summary.severity, summary.deadlines, of_people


PAGED = (
    said(1, opened()),
    said(1, paged()),
    said(1, due(DeadlineKind.UPDATE, 20)),
    said(1, due(DeadlineKind.ESCALATE, 30, level=1)),
    said(1, e.DeadlineSet(deadline="contact", kind=DeadlineKind.CONTACT, due_at=START + 30 * S, page="p1")),
)
HELD = (*PAGED, said(1, e.IncidentAcknowledged(by=ADA)))


@pytest.mark.parametrize("before", [PAGED, HELD], ids=["paged", "held"])
@pytest.mark.parametrize(
    "event",
    [
        *EVERY,
        e.ResponderPaged(page="p2", target="person:ada", level=0, severity="P0", reason="unanswered", repeats="p1"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_event_changes_how_an_incident_stands_unnoticed(event: Event, before: Sequence[Envelope[Event]]) -> None:
    """Only some events are folded: those that are not must change nothing that is told."""
    folded = empty(INCIDENT)
    for each in before:
        folded = evolve(folded, each)
    has_changed = standing(evolve(folded, said(2, event))) != standing(folded)
    told: list[Moment] = [
        moment
        for moment in filled(*before, said(2, event)).moments
        if moment.at == 2 * S and moment.kind in ("incident", "deadline")
    ]
    assert bool(told) is has_changed
