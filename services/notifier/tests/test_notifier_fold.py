"""What the log means for messages."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from notifier_builders import ADA, MINUTE, NOW, Log, acknowledged, grouped, opened, paged, resolved

from tocsin_notifier.core.fold import NotifierFold, evolve
from tocsin_notifier.core.incident import ActionState, Incident, Phase
from tocsin_schemas import Actor, Event, Impact
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionProposed,
    ActionSucceeded,
    AlertCleared,
    AlertMoved,
    DeadlineMissed,
    DeadlineSet,
    ImpactStated,
    IncidentClosed,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentMuted,
    IncidentReopened,
    IncidentResumed,
    IncidentUnmuted,
    NoteAdded,
    OriginSuspected,
    ResponderAdded,
    ResponderDeclined,
    RoleAssigned,
    SeverityChanged,
    StatusUpdated,
    TargetNeared,
    VerificationFailed,
    VerificationPassed,
    WarRoomRequested,
)

SYSTEM = Actor.system("escalator")
STEP = {"action": "a1", "runbook": "checkout-failing", "step": "clear-cache"}


def test_an_incident_is_what_its_opening_says() -> None:
    incident = Log(opened()).incident
    assert (incident.phase, incident.severity, incident.summary) == (Phase.TRIGGERED, "P0", "31 % of checkouts fail")


def test_the_severity_is_known_for_every_place_in_the_log() -> None:
    log = Log(opened("P1"), acknowledged())
    changed = log.add(SeverityChanged(before="P1", after="P0", why="alert", by=SYSTEM))
    assert [log.incident.severity_at(n) for n in (1, 2, changed.sequence)] == ["P1", "P1", "P0"]
    assert log.incident.severity == "P0"


def test_alerts_come_and_go() -> None:
    log = Log(opened(), grouped(), grouped("CheckoutLatency", "f" * 16))
    log.add(AlertCleared(fingerprint="f" * 16, episode="e1", rule="CheckoutLatency", ends_at=NOW))
    assert [alert.rule for alert in log.incident.alerts.values()] == ["CheckoutErrors"]


def test_an_acknowledgement_ends_what_was_due_for_want_of_one() -> None:
    log = Log(opened(), DeadlineSet(deadline="d1", kind="escalate", due_at=NOW, level=1))
    log.add(DeadlineSet(deadline="d2", kind="update", due_at=NOW))
    log.add(acknowledged(), after=MINUTE)
    incident = log.incident
    assert (incident.phase, incident.acknowledged_by) == (Phase.ACKNOWLEDGED, "ada")
    assert list(incident.deadlines) == ["d2"]


def test_an_acknowledgement_that_lapsed_is_none() -> None:
    log = Log(opened(), acknowledged(), IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM))
    assert (log.incident.phase, log.incident.acknowledged_by) == (Phase.TRIGGERED, "")


def test_an_incident_is_watched_resumed_resolved_reopened_and_closed() -> None:
    log = Log(opened(), acknowledged(), IncidentMonitoring(watch_until=NOW + MINUTE))
    assert log.incident.phase is Phase.MONITORING
    log.add(IncidentResumed(rule="CheckoutErrors"))
    assert log.incident.phase is Phase.ACKNOWLEDGED
    end = log.add(resolved("fixed"), after=MINUTE)
    assert (log.incident.phase, log.incident.resolved_sequence) == (Phase.RESOLVED, end.sequence)
    log.add(IncidentReopened(by=SYSTEM))
    assert (log.incident.phase, log.incident.acknowledged_by, log.incident.reopened) == (Phase.REOPENED, "", 1)
    log.add(resolved())
    log.add(IncidentClosed())
    assert log.incident.phase is Phase.CLOSED


def test_an_action_is_as_far_as_its_last_event_says_and_the_latest_stands_last() -> None:
    log = Log(opened(), ActionProposed(**STEP, description="Empty the cache", target="shop", needs_approval=True))
    log.add(ActionApproved(**STEP, by=ADA))
    log.add(ActionClaimed(**STEP, attempt=1, execution="x", claimed_by="r", abandon_at=NOW))
    log.add(ActionSucceeded(**STEP, attempt=1, execution="x", detail="200"))
    log.add(ActionProposed(action="a2", runbook="r", step="s", description="d", target="t"))
    log.add(VerificationFailed(**STEP, detail="still 503"))
    first, last = log.incident.actions.values()
    assert (first.id, last.id, last.state, last.detail) == ("a2", "a1", ActionState.DID_NOT_HELP, "still 503")
    assert last.description == "Empty the cache"


def test_what_needs_no_approval_is_not_said_to_wait_for_one() -> None:
    log = Log(opened(), ActionProposed(**STEP, description="Empty the cache", target="shop"))
    (action,) = log.incident.actions.values()
    assert action.state is ActionState.NEXT


def test_only_notes_of_people_are_kept_and_only_the_last_few() -> None:
    log = Log(opened(), NoteAdded(text="system", by=SYSTEM), *(NoteAdded(text=str(n), by=ADA) for n in range(9)))
    assert [note.text for note in log.incident.notes] == ["4", "5", "6", "7", "8"]


EVENTS: list[Callable[[], Event]] = [
    opened, grouped, paged, acknowledged, resolved, IncidentClosed,
    lambda: SeverityChanged(before="P0", after="P3", why="person", by=ADA),
    lambda: IncidentReopened(by=SYSTEM),
    lambda: IncidentMonitoring(watch_until=NOW),
    lambda: IncidentResumed(rule="R"),
    lambda: IncidentEscalated(level=1, reason="unacknowledged", by=ADA),
    lambda: AlertCleared(fingerprint="0123456789abcdef", episode="e1", rule="R", ends_at=NOW),
    lambda: RoleAssigned(role="incident_commander", person="ada", by=ADA),
    lambda: DeadlineSet(deadline="d", kind="escalate", due_at=NOW, level=1),
    lambda: DeadlineMissed(deadline="d", kind="escalate", due_at=NOW),
    lambda: VerificationPassed(**STEP),
    lambda: NoteAdded(text="t", by=ADA),
    lambda: StatusUpdated(text="t", status="mitigating", by=ADA),
    lambda: ResponderDeclined(person="ada", by=ADA),
    lambda: ResponderAdded(target="person:grace", people=("grace",), by=ADA),
    lambda: ImpactStated(impact=Impact(data_loss=True), by=ADA),
    lambda: OriginSuspected(service="payments", because="b"),
    lambda: WarRoomRequested(channel="slack", name="#i"),
    lambda: TargetNeared(deadline="d", target="resolve", due_at=NOW),
    lambda: AlertMoved(fingerprint="0123456789abcdef", episode="e1", rule="R", to="other"),
    lambda: IncidentMuted(why="merge", name="n", explained_by="other"),
    lambda: IncidentUnmuted(because="b"),
]  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.sampled_from(EVENTS), max_size=20))
def test_the_fold_takes_events_in_any_order_and_is_the_same_whenever_it_is_read(
    makers: list[Callable[[], Event]],
) -> None:
    log = Log()
    for make in makers:
        log.add(make(), after=timedelta(seconds=1))
    fold = NotifierFold()
    again = fold.empty(log.incident.id)
    for event in log.events:
        again = fold.evolve(again, event)
    assert again == log.incident


def test_an_event_without_a_meaning_changes_nothing() -> None:
    log = Log(opened())
    before: Incident = log.incident
    event = log.add(AlertCleared(fingerprint="0" * 16, episode="x", rule="R", ends_at=NOW))
    assert evolve(before, event).alerts == before.alerts
