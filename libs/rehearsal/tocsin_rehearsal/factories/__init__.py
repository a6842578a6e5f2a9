"""A factory for every event, command and signal, with valid values that are always the same; say what shall differ.

    factories.alert_fired(severity="P0")
    factories.envelope(factories.incident_opened(title="Checkout fails"))

What is left out fits together: the alert of `alert_fired()` is that of `alert_resolved()`, `alert_grouped()` and
`alert_cleared()`; give these the same `labels` and it is another one. All of it is about the incident `INCIDENT` under
the playbook `shop`, on a Monday morning (`NOW`). There is no randomness, no clock and no counter in it.
"""

from tocsin_rehearsal.factories.envelopes import envelope, subject_of
from tocsin_rehearsal.factories.making import ADA, INCIDENT, LABELS, NOW, PLAYBOOK, PLAYBOOK_TEXT, SYSTEM, Factory
from tocsin_schemas import GroupedAlert, Labels, commands, events, signals

__all__ = [
    "ADA",
    "INCIDENT",
    "LABELS",
    "NOW",
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

# --- notifier and recorder --------------------------------------------------------------------------------------------

notification_delivered = Factory(events.NotificationDelivered)
notification_failed = Factory(events.NotificationFailed, reason="the channel says 404", exhausted=True)
status_page_published = Factory(events.StatusPagePublished, page="shop", message="We are looking into it.")
review_drafted = Factory(events.ReviewDrafted)

# --- commands ---------------------------------------------------------------------------------------------------------

acknowledge = Factory(commands.Acknowledge)
resolve = Factory(commands.Resolve)
escalate = Factory(commands.Escalate)
set_severity = Factory(commands.SetSeverity)
assign_role = Factory(commands.AssignRole)
add_note = Factory(commands.AddNote, text="The payment provider is down.")
silence = Factory(commands.Silence, because="maintenance")
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
