"""A factory for every event, command and signal, with valid values that are always the same; say what shall differ.

    factories.alert_fired(severity="P0")
    factories.envelope(factories.incident_opened(title="Checkout fails"))

What is left out fits together: the alert of `alert_fired()` is that of `alert_resolved()`, `alert_grouped()` and
`alert_cleared()`; give these the same `labels` and it is another one. All of it is about the incident `INCIDENT` under
the playbook `shop`, on a Monday morning (`NOW`). There is no randomness, no clock and no counter in it.
"""

from tocsin_rehearsal.factories.envelopes import envelope, subject_of
from tocsin_rehearsal.factories.making import (
    ADA,
    INCIDENT,
    LABELS,
    NOW,
    OTHER_INCIDENT,
    PLAYBOOK,
    PLAYBOOK_TEXT,
    SYSTEM,
    Factory,
)
from tocsin_schemas import GroupedAlert, Impact, Labels, commands, events, signals

__all__ = [
    "ADA",
    "INCIDENT",
    "LABELS",
    "NOW",
    "OTHER_INCIDENT",
    "PLAYBOOK",
    "PLAYBOOK_TEXT",
    "SYSTEM",
    "Factory",
    "envelope",
    "subject_of",
]

# --- detector ---------------------------------------------------------------------------------------------------------

alert_fired = Factory(events.AlertFired, severity="P1", summary="12% of checkouts fail")
alert_resolved = Factory(events.AlertResolved)

# --- escalator --------------------------------------------------------------------------------------------------------

grouped_alert = Factory(GroupedAlert, severity="P1", summary="12% of checkouts fail")
"""A part of `alert_grouped`."""
impact = Factory(Impact, users_affected=0.12)
"""A part of `impact_stated` and `state_impact`."""

incident_opened = Factory(events.IncidentOpened, title="CheckoutErrors (checkout)", episode=0)
alert_grouped = Factory(events.AlertGrouped, alert=grouped_alert())
alert_cleared = Factory(events.AlertCleared)
severity_changed = Factory(events.SeverityChanged, by=SYSTEM)
deadline_set = Factory(events.DeadlineSet)
deadline_missed = Factory(events.DeadlineMissed)
responder_paged = Factory(events.ResponderPaged)
incident_escalated = Factory(events.IncidentEscalated, by=SYSTEM, level=1, targets=("person:grace",))
incident_acknowledged = Factory(events.IncidentAcknowledged)
role_assigned = Factory(events.RoleAssigned)
note_added = Factory(events.NoteAdded, text="The payment provider is down.")
incident_monitoring = Factory(events.IncidentMonitoring)
incident_resumed = Factory(events.IncidentResumed, rule="CheckoutErrors")
incident_resolved = Factory(events.IncidentResolved)
incident_reopened = Factory(events.IncidentReopened, by=SYSTEM)
incident_closed = Factory(events.IncidentClosed)
incident_muted = Factory(events.IncidentMuted, why="silence", name="upgrade")
incident_unmuted = Factory(events.IncidentUnmuted, because="the silence upgrade is over")
command_rejected = Factory(events.CommandRejected, command="Resolve", reason="the incident is resolved already")
severity_released = Factory(events.SeverityReleased)
impact_stated = Factory(events.ImpactStated, impact=impact())
origin_suspected = Factory(events.OriginSuspected, service="payments", because="checkout and search both need payments")
target_neared = Factory(events.TargetNeared)
responder_answered = Factory(events.ResponderAnswered, waiting_for=("bob",))
responder_declined = Factory(events.ResponderDeclined, because="on a train")
responder_added = Factory(events.ResponderAdded, target="team:payments", people=("bob", "eve"))
war_room_requested = Factory(events.WarRoomRequested, name="#incident-20260105-0900", invite=("person:ada",))
status_updated = Factory(events.StatusUpdated, text="We switch to the second payment provider.", status="mitigating")
alert_moved = Factory(events.AlertMoved, to=OTHER_INCIDENT)
incident_linked = Factory(events.IncidentLinked, other=OTHER_INCIDENT, relation="related")

# --- escalator: standing orders ---------------------------------------------------------------------------------------

silence_set = Factory(events.SilenceSet, match=('service="checkout"',), because="maintenance")
silence_lifted = Factory(events.SilenceLifted)
override_set = Factory(events.OverrideSet, schedule="primary")
override_lifted = Factory(events.OverrideLifted)
order_rejected = Factory(events.OrderRejected, command="Silence", reason="it would match every alert")

# --- remediator -------------------------------------------------------------------------------------------------------

runbook_started = Factory(events.RunbookStarted)
action_proposed = Factory(
    events.ActionProposed, description="Empty the cache", target="POST https://shop.example/cache/clear"
)
action_approved = Factory(events.ActionApproved)
action_claimed = Factory(events.ActionClaimed)
action_succeeded = Factory(events.ActionSucceeded, detail="status 200")
action_failed = Factory(events.ActionFailed)
action_outcome_unknown = Factory(events.ActionOutcomeUnknown)
action_refused = Factory(events.ActionRefused, reason="over budget")
verification_passed = Factory(events.VerificationPassed)
verification_failed = Factory(events.VerificationFailed)
runbook_finished = Factory(events.RunbookFinished)
automation_stopped = Factory(events.AutomationStopped)
request_refused = Factory(events.RequestRefused, command="ApproveAction", reason="the action mend was refused")

# --- notifier and recorder --------------------------------------------------------------------------------------------

notification_delivered = Factory(events.NotificationDelivered)
notification_failed = Factory(events.NotificationFailed, reason="the channel says 404", exhausted=True)
status_page_published = Factory(events.StatusPagePublished, page="shop", message="We are looking into it.")
review_drafted = Factory(events.ReviewDrafted)

# --- commands ---------------------------------------------------------------------------------------------------------

acknowledge = Factory(commands.Acknowledge)
acknowledge_alert = Factory(commands.AcknowledgeAlert)
resolve = Factory(commands.Resolve)
reopen = Factory(commands.Reopen)
take_over = Factory(commands.TakeOver)
decline = Factory(commands.Decline, because="on a train")
add_responder = Factory(commands.AddResponder, target="team:payments")
update = Factory(commands.Update, text="We switch to the second payment provider.")
state_impact = Factory(commands.StateImpact, impact=impact())
escalate = Factory(commands.Escalate)
set_severity = Factory(commands.SetSeverity)
release_severity = Factory(commands.ReleaseSeverity)
merge = Factory(commands.Merge, into=OTHER_INCIDENT)
split = Factory(commands.Split)
link = Factory(commands.Link, other=OTHER_INCIDENT)
assign_role = Factory(commands.AssignRole)
add_note = Factory(commands.AddNote, text="The payment provider is down.")
silence = Factory(commands.Silence, match=('service="checkout"',), because="maintenance")
lift_silence = Factory(commands.LiftSilence)
override_on_call = Factory(commands.OverrideOnCall, schedule="primary")
lift_override = Factory(commands.LiftOverride)
approve_action = Factory(commands.ApproveAction)
run_action = Factory(commands.RunAction)
stop_automation = Factory(commands.StopAutomation)

# --- signals ----------------------------------------------------------------------------------------------------------

sample = Factory(signals.Sample, name="checkout_errors_total", labels=Labels(code="500"))
"""A part of `samples_pushed`."""

timer_due = Factory(signals.TimerDue)
dead_lettered = Factory(
    signals.DeadLettered, service="escalator", stream="ALERTS", original_subject="tocsin.alerts.0", reason="not JSON"
)
samples_pushed = Factory(signals.SamplesPushed, samples=(sample(),))
playbook_published = Factory(signals.PlaybookPublished, text=PLAYBOOK_TEXT)
