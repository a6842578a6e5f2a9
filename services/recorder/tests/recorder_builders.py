"""Builders of the recorder's tests: a whole incident as its services state it, and any single event."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from tocsin_schemas import Actor, DeadlineKind, Envelope, Event, GroupedAlert, Labels, PlaybookRef, Role, RunbookOutcome
from tocsin_schemas import events as said
from tocsin_schemas.envelope import caused_by
from tocsin_schemas.ids import derive_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor.person("ada", "cli")
SYSTEM = Actor.system("escalator")
PLAYBOOK = PlaybookRef(name="storefront", revision="0123456789ab")
INCIDENT = "k3vq7d2m5xab"
FINGERPRINT = "0123456789abcdef"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def envelope(
    event: Event, *, at: float = 0.0, sequence: int = 0, incident: str = INCIDENT, cause: str = "cause"
) -> Envelope[Event]:
    """An event as the log has it. Other arguments, another id."""
    name = derive_id("test", cause, sequence, event.to_json().decode())
    return caused_by(name, 0, event.OWNER, incident, after(at), event).at(sequence)


def opened(severity: str = "P1", title: str = "Checkout is failing", started: float = -2.4) -> said.IncidentOpened:
    return said.IncidentOpened(
        group_key="group",
        episode=0,
        title=title,
        summary="31% of checkouts fail",
        severity=severity,
        labels=Labels(service="checkout"),
        playbook=PLAYBOOK,
        started_at=after(started),
    )


def grouped(rule: str = "CheckoutErrors", episode: str = "e1") -> said.AlertGrouped:
    alert = GroupedAlert(
        fingerprint=FINGERPRINT,
        episode=episode,
        rule=rule,
        severity="P1",
        labels=Labels(alertname=rule, service="checkout"),
        summary="31% of checkouts fail",
        starts_at=after(-2.4),
        value=0.31,
    )
    return said.AlertGrouped(alert=alert)


def cleared(episode: str = "e1", at: float = 30) -> said.AlertCleared:
    return said.AlertCleared(fingerprint=FINGERPRINT, episode=episode, rule="CheckoutErrors", ends_at=after(at))


def deadline(kind: DeadlineKind, due: float, level: int | None = None) -> said.DeadlineSet:
    return said.DeadlineSet(deadline=derive_id("d", kind.value), kind=kind, due_at=after(due), level=level)


def paged(page: str = "page-1", person: str = "ada", level: int = 0, reason: str = "opened") -> said.ResponderPaged:
    return said.ResponderPaged(
        page=page,
        target=f"person:{person}",
        level=level,
        severity="P1",
        reason=reason,  # type: ignore[arg-type]  # one of the literals
        summary="Checkout is failing",
    )


def delivered(page: str = "page-1", channel: str = "slack", person: str = "ada") -> said.NotificationDelivered:
    return said.NotificationDelivered(
        notification=f"n-{page}-{channel}", page=page, channel=channel, recipient=f"person:{person}", reference="171.2"
    )


STEP = {"action": "act-1", "runbook": "checkout-failing", "step": "clear-cache"}
SECOND = {"action": "act-2", "runbook": "checkout-failing", "step": "disable-payment-provider"}
ATTEMPT = {"attempt": 1, "execution": "exec-1"}


def a_whole_incident() -> list[tuple[float, Event]]:
    """Seconds after it was opened, and what was said then: two pages, two actions of which the second helps."""
    return [
        (0.0, opened()),
        (0.0, grouped()),
        (0.0, deadline(DeadlineKind.ACKNOWLEDGE, 20)),
        (0.0, deadline(DeadlineKind.RESOLVE, 900)),
        (0.0, paged()),
        (0.0, deadline(DeadlineKind.ESCALATE, 15, 1)),
        (0.2, said.RunbookStarted(runbook="checkout-failing", severity="P1")),
        (0.2, said.ActionProposed(**STEP, description="Empty the shop's cache", target="POST http://shop/cache/clear")),
        (0.3, said.ActionClaimed(**STEP, **ATTEMPT, claimed_by="remediator-1", abandon_at=after(2.3))),
        (0.4, delivered()),
        (0.5, said.ActionSucceeded(**STEP, **ATTEMPT, detail="200 OK")),
        (3.6, said.VerificationFailed(**STEP, detail="/health still answers 503 after 3 s")),
        (3.7, said.ActionProposed(**SECOND, description="Switch to the backup payment provider", target="POST …")),
        (3.8, said.ActionClaimed(**SECOND, **ATTEMPT, claimed_by="remediator-1", abandon_at=after(5.8))),
        (4.0, said.ActionSucceeded(**SECOND, **ATTEMPT, detail="200 OK")),
        (12.3, said.IncidentAcknowledged(by=ADA)),
        (12.4, said.RoleAssigned(role=Role.COMMANDER, person="ada", by=ADA)),
        (14.1, said.VerificationPassed(**SECOND, detail="/health answers 200")),
        (14.2, said.RunbookFinished(runbook="checkout-failing", outcome=RunbookOutcome.MITIGATED)),
        (16.0, said.NoteAdded(text="The payment provider is down.\nTheir status page says so too.", by=ADA)),
        (19.8, cleared(at=19.5)),
        (19.8, said.IncidentMonitoring(watch_until=after(23.8))),
        (19.8, deadline(DeadlineKind.WATCH, 23.8)),
        (19.9, said.StatusPagePublished(page="public", status="monitoring", message="A fix is in place")),
        (23.9, said.IncidentResolved(by=SYSTEM)),
        (23.9, deadline(DeadlineKind.CLOSE, 83.9)),
    ]


def as_log(story: Iterable[tuple[float, Event]], *, incident: str = INCIDENT, first: int = 1) -> list[Envelope[Event]]:
    """A story as the log has it: each event at its place."""
    return [envelope(event, at=at, sequence=first + n, incident=incident) for n, (at, event) in enumerate(story)]


def every_event() -> Sequence[Event]:
    """One of each kind."""
    told = [event for _, event in a_whole_incident()]
    told += [
        said.SeverityChanged(before="P1", after="P0", why="person", because="all of it", by=ADA),
        said.DeadlineMissed(deadline="d", kind=DeadlineKind.ACKNOWLEDGE, due_at=NOW),
        said.IncidentEscalated(level=1, reason="unacknowledged", targets=("person:grace",), by=SYSTEM),
        said.IncidentResumed(rule="CheckoutErrors"),
        said.IncidentReopened(by=SYSTEM, because="CheckoutErrors fires again"),
        said.IncidentClosed(),
        said.IncidentMuted(why="silence", name="upgrade", because="the database is upgraded", until=NOW),
        said.IncidentUnmuted(because="the silence upgrade is over"),
        said.CommandRejected(command="Resolve", reason="it is resolved already", by=ADA),
        said.ActionApproved(**STEP, by=ADA),
        said.ActionFailed(**STEP, **ATTEMPT, reason="connection refused"),
        said.ActionOutcomeUnknown(**STEP, **ATTEMPT, reason="no answer in 2 s"),
        said.ActionRefused(**STEP, reason="over budget: 4 actions in 10 min"),
        said.AutomationStopped(by=ADA, because="I do it by hand"),
        said.NotificationFailed(
            notification="n", page="page-1", channel="email", recipient="person:ada", reason="550", exhausted=True
        ),
        said.ReviewDrafted(due_at=after(172800), sections=("summary",)),
    ]
    return told
