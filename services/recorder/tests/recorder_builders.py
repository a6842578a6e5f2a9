"""Builders of the recorder's tests: a whole incident as its services state it, and any single event."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from tocsin_runtime.playbooks import UnknownPlaybookError
from tocsin_schemas import (
    Actor,
    DeadlineKind,
    Envelope,
    Event,
    GroupedAlert,
    Impact,
    Labels,
    PlaybookRef,
    Role,
    RunbookOutcome,
)
from tocsin_schemas import events as said
from tocsin_schemas.envelope import caused_by
from tocsin_schemas.ids import derive_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor.person("ada", "cli")
SYSTEM = Actor.system("escalator")
PLAYBOOK = PlaybookRef(name="storefront", revision="0123456789ab")
INCIDENT = "k3vq7d2m5xab"
OTHER = "zzzz7d2m5xab"
FINGERPRINT = "0123456789abcdef"


class NoPlaybooks:
    """A recorder that has not heard of any playbook."""

    def get(self, ref: PlaybookRef) -> Any:
        raise UnknownPlaybookError(ref.name)


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


def deadline(kind: DeadlineKind, due: float, level: int | None = None, page: str | None = None) -> said.DeadlineSet:
    name = derive_id("d", kind.value, page or "")
    return said.DeadlineSet(deadline=name, kind=kind, due_at=after(due), level=level, page=page)


def paged(
    page: str = "page-1", person: str = "ada", level: int = 0, reason: str = "opened", **more: object
) -> said.ResponderPaged:
    return said.ResponderPaged(
        page=page,
        target=f"person:{person}",
        level=level,
        severity="P1",
        reason=reason,  # type: ignore[arg-type]  # one of the literals
        summary="Checkout is failing",
        **more,  # type: ignore[arg-type]  # fields by name
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
        said.RequestRefused(command="ApproveAction", reason="there is no action a9", by=ADA),
        said.NotificationFailed(
            notification="n", page="page-1", channel="email", recipient="person:ada", reason="550", exhausted=True
        ),
        said.ReviewDrafted(due_at=after(172800), sections=("summary",)),
        deadline(DeadlineKind.CONTACT, 60, page="page-1"),
        paged("page-2", "bob", each=True, way=1, repeats="page-1"),
        said.SeverityReleased(by=ADA),
        said.ImpactStated(impact=Impact(users_affected=0.31, data_at_risk=False, workaround=True), by=ADA),
        said.OriginSuspected(service="payments", because="checkout and search both need it"),
        said.TargetNeared(deadline="d", target="acknowledge", due_at=after(900)),
        said.ResponderAnswered(person="ada", waiting_for=("bob",), by=ADA),
        said.ResponderDeclined(person="ada", because="on a train", by=ADA),
        said.ResponderAdded(target="team:payments", people=("bob", "eve"), by=ADA),
        said.WarRoomRequested(channel="slack", name="#incident-20260301-1200", invite=("person:ada", "team:shop")),
        said.StatusUpdated(text="We switch to the second provider.\nIt takes a while.", status="mitigating", by=ADA),
        said.AlertMoved(fingerprint=FINGERPRINT, episode="e1", rule="CheckoutErrors", to=OTHER),
        said.IncidentLinked(other=OTHER, relation="related", because="the same provider", by=ADA),
        said.IncidentMuted(why="merge", name="Payments are down", explained_by=OTHER),
        said.IncidentResolved(by=ADA, false_alarm=True),
    ]
    return told


def every_variation() -> Iterator[Event]:
    """Each event with each of the words, kinds and flags that its fields may have, one at a time."""
    for event in every_event():
        yield event
        for name, field in type(event).model_fields.items():
            for value in _choices(field.annotation):
                yield event.model_copy(update={name: value})


def _choices(annotation: Any) -> tuple[Any, ...]:  # Any: annotations and values are anything
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return tuple(choice for each in get_args(annotation) for choice in _choices(each))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(annotation)
    return {bool: (True, False), type(None): (None,)}.get(annotation, ())
