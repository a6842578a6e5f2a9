"""Every fact that a service may state. Names are past tense; the docstring says what it means that it is in the log.

Grouped by the service that owns them. The catalogue in `docs/events.md` is generated from here.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tocsin_schemas.labels import Labels
from tocsin_schemas.moments import Moment
from tocsin_schemas.parts import (
    Actor,
    DeadlineKind,
    Fingerprint,
    GroupedAlert,
    Impact,
    IncidentRef,
    PlaybookRef,
    Role,
    RunbookOutcome,
)
from tocsin_schemas.payload import Event, by_type
from tocsin_schemas.text import Id, Line, Name, Text

Count = Annotated[int, Field(ge=0, le=1_000_000)]
EndReason = Literal["recovered", "expired", "withdrawn", "replaced"]


# --- detector: alerts ------------------------------------------------------------------------------------------------


class _AlertEvent(Event):
    OWNER: ClassVar[str] = "detector"

    fingerprint: Fingerprint
    episode: Id = Field(description="This firing of this alert; a later firing is another episode")
    rule: Name = Field(description="The alert's name (label alertname)")
    labels: Labels
    source: Name = Field(description="Where it was seen: a source of the playbook, or the foreign system")
    playbook: PlaybookRef | None = Field(
        default=None, description="The playbook whose rule it is, where it is one of ours"
    )


class AlertFired(_AlertEvent):
    """An alert is firing. Sent again with a later `expires_at` as long as its source keeps it up."""

    SLUG: ClassVar[str] = "alert_fired"

    severity: Name | None = Field(default=None, description="As its source says, in the source's words")
    annotations: dict[Name, Text] = Field(default_factory=dict, max_length=64)
    summary: Line = ""
    value: float | None = Field(default=None, description="The value that crossed the threshold; none if not finite")
    threshold: float | None = None
    starts_at: Moment = Field(description="When the condition first held")
    latest_start: Moment | None = Field(
        default=None, description="The latest start that its senders gave for this firing: what ended before is another"
    )
    expires_at: Moment | None = Field(default=None, description="A lease: without renewal the alert ends here")
    generator_url: Line | None = None


class AlertResolved(_AlertEvent):
    """The alert's condition no longer holds, nobody renewed it, or the same alert is told of as another firing."""

    SLUG: ClassVar[str] = "alert_resolved"

    ends_at: Moment
    reason: EndReason = "recovered"


# --- escalator: the incident's life ----------------------------------------------------------------------------------


class _IncidentEvent(Event):
    OWNER: ClassVar[str] = "escalator"


class IncidentOpened(_IncidentEvent):
    """A group of alerts became an incident. The first event of every incident's log."""

    SLUG: ClassVar[str] = "opened"

    group_key: Id
    episode: Count = Field(description="How many incidents this group had before")
    title: Line
    summary: Line = ""
    severity: Name
    labels: Labels = Field(description="The labels that the group shares")
    playbook: PlaybookRef
    started_at: Moment = Field(description="When the first alert's condition first held")
    previous: IncidentRef | None = Field(default=None, description="The incident this group had before")
    day_number: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Which of the day's incidents it is, from 1; counted where its room is named by it"
    )


class AlertGrouped(_IncidentEvent):
    """An alert belongs to this incident."""

    SLUG: ClassVar[str] = "alert_grouped"

    alert: GroupedAlert


class AlertCleared(_IncidentEvent):
    """One of the incident's alerts ended."""

    SLUG: ClassVar[str] = "alert_cleared"

    fingerprint: Fingerprint
    episode: Id
    rule: Name
    ends_at: Moment
    reason: EndReason = "recovered"


class IncidentMuted(_IncidentEvent):
    """Nobody is told of the incident for now.

    Every alert that fires in it is silenced or explained by another, or alerts are still collected (`group.wait`). It
    is watched, recorded and resolved as any other. Stated again when something else mutes it, or for longer.
    """

    SLUG: ClassVar[str] = "muted"

    why: Literal["silence", "inhibition", "wait", "merge", "correlation"]
    name: Line = Field(
        description="What the playbook, or whoever asked for it, calls it; of a merge, the other's title"
    )
    because: Line = Field(default="", description="The reason that was given")
    explained_by: IncidentRef | None = Field(
        default=None, description="The incident of which this one is a consequence, or a part"
    )
    until: Moment | None = Field(default=None, description="When it is looked at again; none: when the other ends")


class IncidentUnmuted(_IncidentEvent):
    """People are told of the incident from now on, as if it had just been opened."""

    SLUG: ClassVar[str] = "unmuted"

    because: Line


class SeverityChanged(_IncidentEvent):
    """The incident's severity is another."""

    SLUG: ClassVar[str] = "severity_changed"

    before: Name
    after: Name
    why: Literal["alert", "classification", "person", "time", "merge", "released"]
    because: Line = ""
    by: Actor


class SeverityReleased(_IncidentEvent):
    """The severity that a person has set is no longer held: alerts, conditions and time may change it again."""

    SLUG: ClassVar[str] = "severity_released"

    by: Actor


class ImpactStated(_IncidentEvent):
    """What the incident does to people, as far as it is known: the playbook's conditions are asked again."""

    SLUG: ClassVar[str] = "impact_stated"

    impact: Impact = Field(description="Everything that is known now, not only what is new")
    by: Actor


class OriginSuspected(_IncidentEvent):
    """By the playbook's graph of services, this is where it comes from."""

    SLUG: ClassVar[str] = "origin_suspected"

    service: Name
    because: Line


class DeadlineSet(_IncidentEvent):
    """Something is due at a moment. The log is the truth about deadlines; a timer is only the alarm clock."""

    SLUG: ClassVar[str] = "deadline_set"

    deadline: Id
    kind: DeadlineKind
    due_at: Moment
    level: Count | None = Field(default=None, description="The escalation level that is told, from 0")
    round: Count = 0
    page: Id | None = Field(default=None, description="The page that is due to be repeated in the next way")


class TargetNeared(_IncidentEvent):
    """A response or resolution target comes near, and what it is for has not happened."""

    SLUG: ClassVar[str] = "target_neared"

    deadline: Id
    target: Literal["acknowledge", "resolve"]
    due_at: Moment = Field(description="When the target itself is due")


class DeadlineMissed(_IncidentEvent):
    """A deadline passed before what it was for had happened."""

    SLUG: ClassVar[str] = "deadline_missed"

    deadline: Id
    kind: DeadlineKind
    due_at: Moment


class ResponderPaged(_IncidentEvent):
    """It is decided that this person (or this channel) must be told now; the notifier carries it out."""

    SLUG: ClassVar[str] = "responder_paged"

    page: Id
    target: Line = Field(description="person:NAME or channel:CHANNEL:ADDRESS")
    level: Count
    round: Count = 0
    severity: Name
    reason: Literal[
        "opened",
        "escalated",
        "reopened",
        "severity_raised",
        "automation_needs_you",
        "page_failed",
        "command",
        "unanswered",
        "added",
        "declined",
    ]
    summary: Line = ""
    way: Count | None = Field(
        default=None, description="Which step of the person's own rules it uses, from 0; none: the first"
    )
    repeats: Id | None = Field(default=None, description="The page that was not answered, of which it is the next way")
    each: bool | None = Field(default=None, description="Whether every person who is told so must answer")


class ResponderAnswered(_IncidentEvent):
    """One of several people who must each answer has; the incident is acknowledged when the last one has."""

    SLUG: ClassVar[str] = "responder_answered"

    person: Name
    waiting_for: tuple[Name, ...] = Field(max_length=512)
    by: Actor


class ResponderDeclined(_IncidentEvent):
    """Somebody who was told cannot take it: the next level is told at once, and they are not paged again."""

    SLUG: ClassVar[str] = "responder_declined"

    person: Name
    because: Line = ""
    by: Actor


class ResponderAdded(_IncidentEvent):
    """Somebody asked for more people."""

    SLUG: ClassVar[str] = "responder_added"

    target: Line = Field(description="person:NAME, team:NAME or schedule:NAME, as it was asked for")
    people: tuple[Name, ...] = Field(max_length=512)
    because: Line = ""
    by: Actor


class IncidentEscalated(_IncidentEvent):
    """A further level is told."""

    SLUG: ClassVar[str] = "escalated"

    level: Count
    round: Count = 0
    reason: Literal[
        "unacknowledged",
        "unresolved",
        "page_failed",
        "automation_failed",
        "outcome_unknown",
        "command",
        "declined",
        "no_update",
        "at_once",
    ]
    targets: tuple[Line, ...] = Field(default=(), max_length=256)
    by: Actor


class IncidentAcknowledged(_IncidentEvent):
    """Somebody is on it: paging stops."""

    SLUG: ClassVar[str] = "acknowledged"

    by: Actor
    until: Moment | None = Field(default=None, description="Paging resumes then, if nothing has happened")


class RoleAssigned(_IncidentEvent):
    """A person has a role in the incident."""

    SLUG: ClassVar[str] = "role_assigned"

    role: Role
    person: Name
    by: Actor


class WarRoomRequested(_IncidentEvent):
    """The incident shall have a place of its own; the notifier makes it."""

    SLUG: ClassVar[str] = "war_room_requested"

    channel: Name
    name: Line = Field(description="As the playbook names rooms, such as #incident-20240129-001")
    invite: tuple[Line, ...] = Field(default=(), max_length=256)


class StatusUpdated(_IncidentEvent):
    """Somebody said how it stands: the next update is due one cadence later."""

    SLUG: ClassVar[str] = "status_updated"

    text: Text
    status: Literal["investigating", "identified", "mitigating"] | None = Field(
        default=None, description="How far the work is, where that was said"
    )
    by: Actor


class NoteAdded(_IncidentEvent):
    """Somebody wrote on the timeline."""

    SLUG: ClassVar[str] = "note_added"

    text: Text
    by: Actor


class IncidentMonitoring(_IncidentEvent):
    """All alerts have cleared; the incident is watched until `watch_until` before it counts as resolved."""

    SLUG: ClassVar[str] = "monitoring"

    watch_until: Moment


class IncidentResumed(_IncidentEvent):
    """An alert fired again while the incident was watched."""

    SLUG: ClassVar[str] = "resumed"

    rule: Name


class IncidentResolved(_IncidentEvent):
    """It is over. No page is decided after this event."""

    SLUG: ClassVar[str] = "resolved"

    by: Actor
    notes: Text = ""
    false_alarm: bool | None = Field(default=None, description="True: there was nothing")


class IncidentReopened(_IncidentEvent):
    """An alert of the group fired again soon after the incident was resolved, or a person says that it is not over."""

    SLUG: ClassVar[str] = "reopened"

    by: Actor
    because: Line = ""


class IncidentClosed(_IncidentEvent):
    """The time in which a re-fire reopens it is over. The last event of the incident's life."""

    SLUG: ClassVar[str] = "closed"


class AlertMoved(_IncidentEvent):
    """One of the incident's alerts is part of another incident from now on; what is said of it later goes there."""

    SLUG: ClassVar[str] = "alert_moved"

    fingerprint: Fingerprint
    episode: Id
    rule: Name
    to: IncidentRef


class IncidentLinked(_IncidentEvent):
    """The incident has to do with another."""

    SLUG: ClassVar[str] = "linked"

    other: IncidentRef
    relation: Literal["absorbed", "absorbed_by", "split_from", "split_into", "related"]
    because: Line = ""
    by: Actor


class CommandRejected(_IncidentEvent):
    """Somebody asked for something that cannot be; the reason says why."""

    SLUG: ClassVar[str] = "command_rejected"

    command: Name
    reason: Line
    by: Actor


# --- escalator: standing orders, which belong to no incident ----------------------------------------------------------


class _OrderEvent(Event):
    OWNER: ClassVar[str] = "escalator"


class SilenceSet(_OrderEvent):
    """Alerts that match page nobody for a while. They are still recorded, and the system's own are never muted."""

    SLUG: ClassVar[str] = "silence_set"

    silence: Id
    match: tuple[Line, ...] = Field(
        min_length=1, max_length=20, description='Matchers such as service="shop" or pod=~"web-.*"; all must hold'
    )
    begins_at: Moment
    ends_at: Moment
    because: Line
    by: Actor


class SilenceLifted(_OrderEvent):
    """A silence is over before its time."""

    SLUG: ClassVar[str] = "silence_lifted"

    silence: Id
    because: Line = ""
    by: Actor


class OverrideSet(_OrderEvent):
    """Somebody else is on call for a while; wins over the playbook's layers and overrides, and over earlier ones."""

    SLUG: ClassVar[str] = "override_set"

    override: Id
    schedule: Name
    person: Name
    begins_at: Moment
    ends_at: Moment
    because: Line = ""
    by: Actor


class OverrideLifted(_OrderEvent):
    """An override is over before its time."""

    SLUG: ClassVar[str] = "override_lifted"

    override: Id
    because: Line = ""
    by: Actor


class OrderRejected(_OrderEvent):
    """Somebody asked for a silence or an override that cannot be; the reason says why."""

    SLUG: ClassVar[str] = "order_rejected"

    command: Name
    reason: Line
    by: Actor


# --- remediator: actions ---------------------------------------------------------------------------------------------


class _ActionEvent(Event):
    OWNER: ClassVar[str] = "remediator"

    action: Id = Field(description="This step of this runbook in this incident")
    runbook: Name
    step: Name


class _AttemptEvent(_ActionEvent):
    attempt: Annotated[int, Field(ge=1, le=1000)]
    execution: Id = Field(description="The Idempotency-Key that the target sees; the same for one attempt for ever")


class RunbookStarted(Event):
    """A runbook applies to the incident and begins."""

    OWNER: ClassVar[str] = "remediator"
    SLUG: ClassVar[str] = "runbook_started"

    runbook: Name
    severity: Name
    episode: Count = Field(default=0, description="How often the incident had been reopened")


class ActionProposed(_ActionEvent):
    """The runbook wants this action next."""

    SLUG: ClassVar[str] = "action_proposed"

    description: Line
    target: Line = Field(description="What is acted upon, for people; no secrets")
    needs_approval: bool = False
    because: Line = Field(default="", description="Why a person must approve it")


class ActionApproved(_ActionEvent):
    """A person allows this action."""

    SLUG: ClassVar[str] = "action_approved"

    by: Actor


class ActionClaimed(_AttemptEvent):
    """The one permission to execute this attempt. In the log before the effect; never taken over."""

    SLUG: ClassVar[str] = "action_claimed"

    claimed_by: Name = Field(description="The replica that may execute it")
    abandon_at: Moment = Field(description="After this moment the claimant must not start the effect any more")


class ActionSucceeded(_AttemptEvent):
    """The target says that it was carried out. Whether it helped is for the verification to say."""

    SLUG: ClassVar[str] = "action_succeeded"

    detail: Line = ""
    found_by_probe: bool = Field(default=False, description="Learnt by asking the target after a crash")


class ActionFailed(_AttemptEvent):
    """It was certainly not carried out."""

    SLUG: ClassVar[str] = "action_failed"

    reason: Line


class ActionOutcomeUnknown(_AttemptEvent):
    """Nobody can say whether it was carried out. It is never run again; a person is told."""

    SLUG: ClassVar[str] = "action_outcome_unknown"

    reason: Line


class ActionRefused(_ActionEvent):
    """The action is not run: no longer wanted, over budget, vetoed."""

    SLUG: ClassVar[str] = "action_refused"

    reason: Line


class VerificationPassed(_ActionEvent):
    """After the action, the health that the runbook asks for was seen."""

    SLUG: ClassVar[str] = "verification_passed"

    detail: Line = ""


class VerificationFailed(_ActionEvent):
    """After the action, the health that the runbook asks for was not seen in time."""

    SLUG: ClassVar[str] = "verification_failed"

    detail: Line = ""


class RunbookFinished(Event):
    """Nothing more will be done by this runbook in this episode."""

    OWNER: ClassVar[str] = "remediator"
    SLUG: ClassVar[str] = "runbook_finished"

    runbook: Name
    outcome: RunbookOutcome
    reason: Line = ""
    episode: Count = 0


class AutomationStopped(Event):
    """A person forbids any further action in this incident."""

    OWNER: ClassVar[str] = "remediator"
    SLUG: ClassVar[str] = "automation_stopped"

    by: Actor
    because: Line = ""


class RequestRefused(Event):
    """Somebody asked the remediator for something that cannot be; the reason says why."""

    OWNER: ClassVar[str] = "remediator"
    SLUG: ClassVar[str] = "request_refused"

    command: Name
    reason: Line
    by: Actor


# --- notifier: messages ----------------------------------------------------------------------------------------------


class _NotificationEvent(Event):
    OWNER: ClassVar[str] = "notifier"

    notification: Id = Field(description="The same for every attempt: receivers recognise a duplicate by it")
    page: Id | None = Field(default=None, description="The page it carries out; none for an announcement")
    channel: Name
    recipient: Line = Field(description="person:NAME or an address of the channel")


class NotificationDelivered(_NotificationEvent):
    """The channel has taken the message."""

    SLUG: ClassVar[str] = "notification_delivered"

    reference: Line = Field(default="", description="The channel's own name for the message, such as Slack's ts")
    attempts: Annotated[int, Field(ge=1)] = 1


class NotificationFailed(_NotificationEvent):
    """The channel did not take the message and will not be tried again for it."""

    SLUG: ClassVar[str] = "notification_failed"

    reason: Line
    attempts: Annotated[int, Field(ge=1)] = 1
    exhausted: bool = Field(
        description="True if no further channel is left for this recipient: somebody else must be told"
    )


class StatusPagePublished(Event):
    """The public status page says this."""

    OWNER: ClassVar[str] = "notifier"
    SLUG: ClassVar[str] = "status_page_published"

    page: Name
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    message: Text
    components: tuple[Name, ...] = Field(default=(), max_length=64)


# --- recorder --------------------------------------------------------------------------------------------------------


class ReviewDrafted(Event):
    """A post-incident review was drafted from the timeline."""

    OWNER: ClassVar[str] = "recorder"
    SLUG: ClassVar[str] = "review_drafted"

    due_at: Moment
    sections: tuple[Line, ...] = Field(default=(), max_length=64)


ALERT_EVENTS: tuple[type[_AlertEvent], ...] = (AlertFired, AlertResolved)

INCIDENT_EVENTS: tuple[type[Event], ...] = (
    IncidentOpened, AlertGrouped, AlertCleared, SeverityChanged, DeadlineSet, DeadlineMissed, ResponderPaged,
    IncidentEscalated, IncidentAcknowledged, RoleAssigned, NoteAdded, IncidentMonitoring, IncidentResumed,
    IncidentResolved, IncidentReopened, IncidentClosed, IncidentMuted, IncidentUnmuted, CommandRejected,
    SeverityReleased, ImpactStated, OriginSuspected, TargetNeared, ResponderAnswered, ResponderDeclined, ResponderAdded,
    WarRoomRequested, StatusUpdated, AlertMoved, IncidentLinked,
    RunbookStarted, ActionProposed, ActionApproved, ActionClaimed, ActionSucceeded, ActionFailed,
    ActionOutcomeUnknown, ActionRefused, VerificationPassed, VerificationFailed, RunbookFinished, AutomationStopped,
    RequestRefused,
    NotificationDelivered, NotificationFailed, StatusPagePublished, ReviewDrafted,
)  # fmt: skip

ORDER_EVENTS: tuple[type[Event], ...] = (SilenceSet, SilenceLifted, OverrideSet, OverrideLifted, OrderRejected)

EVENTS: dict[str, type[Event]] = by_type((*ALERT_EVENTS, *INCIDENT_EVENTS, *ORDER_EVENTS))
"""Every event by its CloudEvents type."""
