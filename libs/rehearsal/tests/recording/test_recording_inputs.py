"""What of a recording came from outside, and the commands that are built again from their answers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from recording_builders import (
    ADA,
    NOW,
    SECOND,
    Message,
    asked,
    fired,
    grouped,
    note,
    opened,
    published,
    recorded,
    stated,
)

from tocsin_rehearsal.recording import Input, inputs_of
from tocsin_schemas import Actor, Command, Event, Role
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    ApproveAction,
    AssignRole,
    Escalate,
    Resolve,
    RunAction,
    SetSeverity,
    StopAutomation,
)
from tocsin_schemas.events import (
    ActionApproved,
    ActionProposed,
    AutomationStopped,
    CommandRejected,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentResolved,
    NoteAdded,
    RoleAssigned,
    SeverityChanged,
)

SYSTEM = Actor.system("escalator")
APPROVED = ActionApproved(action="a1", runbook="mend", step="first", by=ADA)
PROPOSED = ActionProposed(action="a1", runbook="mend", step="first", description="d", target="t")


def the_inputs(*messages: Message) -> tuple[Input, ...]:
    return inputs_of(recorded(*messages)).messages


def test_alerts_commands_and_playbooks_are_inputs_and_what_was_decided_is_not() -> None:
    given = the_inputs(fired(), opened(), published(), asked(AddNote(incident="inc1", by=ADA, text="x")))
    assert [each.stream for each in given] == ["ALERTS", "PLAYBOOKS", "COMMANDS"]


def test_playbooks_before_the_first_alert_are_kept_apart() -> None:
    found = inputs_of(recorded(published(), published(name="b"), fired(), published(name="c")))
    assert [len(found.playbooks), len(found.messages), found.alerts, found.commands] == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("event", "command"),
    [
        (IncidentAcknowledged(by=ADA), Acknowledge(incident="inc1", by=ADA)),
        (
            IncidentAcknowledged(by=ADA, until=NOW + 90 * SECOND),
            Acknowledge(incident="inc1", by=ADA, lasting=timedelta(seconds=90)),
        ),
        (IncidentResolved(by=ADA, notes="n"), Resolve(incident="inc1", by=ADA, notes="n")),
        (IncidentEscalated(level=1, reason="command", by=ADA), Escalate(incident="inc1", by=ADA)),
        (
            SeverityChanged(before="P1", after="P0", why="person", because="b", by=ADA),
            SetSeverity(incident="inc1", by=ADA, severity="P0", because="b"),
        ),
        (
            RoleAssigned(role=Role.COMMANDER, person="grace", by=ADA),
            AssignRole(incident="inc1", by=ADA, role=Role.COMMANDER, person="grace"),
        ),
        (NoteAdded(text="t", by=ADA), AddNote(incident="inc1", by=ADA, text="t")),
        (AutomationStopped(by=ADA, because="b"), StopAutomation(incident="inc1", by=ADA, because="b")),
        (APPROVED, ApproveAction(incident="inc1", by=ADA, action="a1")),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_command_is_built_again_from_its_answer(event: Event, command: Command) -> None:
    (given,) = the_inputs(stated(event, cause="the command"))
    assert given.rebuilt
    assert given.envelope.data == command
    assert (given.envelope.id, given.at) == ("the command", NOW)


@pytest.mark.parametrize(
    "event",
    [
        IncidentAcknowledged(by=SYSTEM),
        IncidentResolved(by=SYSTEM),
        IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM),
        SeverityChanged(before="P1", after="P0", why="alert", by=SYSTEM),
        PROPOSED,
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_the_system_did_by_itself_was_no_command(event: Event) -> None:
    assert the_inputs(stated(event)) == ()


def test_an_action_by_hand_is_the_command_to_run_it() -> None:
    (given,) = the_inputs(stated(PROPOSED, cause="hand"), stated(APPROVED, cause="hand"))
    assert given.envelope.data == RunAction(incident="inc1", by=ADA, runbook="mend", step="first")


def test_a_command_that_was_recorded_is_not_built_again() -> None:
    command = asked(AddNote(incident="inc1", by=ADA, text="t"))
    (given,) = the_inputs(command, note("t", cause=command[1].id), note("t", cause=command[1].id))
    assert not given.rebuilt


def test_several_answers_are_one_command() -> None:
    first = stated(SeverityChanged(before="P1", after="P0", why="person", by=ADA), cause="one")
    second = stated(IncidentEscalated(level=1, reason="command", by=ADA), cause="one", position=1)
    assert [type(given.envelope.data) for given in the_inputs(first, second)] == [SetSeverity]


def test_a_rejected_command_and_what_cannot_be_read_are_named() -> None:
    foreign = replace(recorded(fired())[0], data=b"nonsense")
    misplaced = replace(recorded(note("x"))[0], stream="ALERTS", sequence=2)
    rejected = recorded(stated(CommandRejected(command="Resolve", reason="r", by=ADA)), first=3)[0]
    found = inputs_of([foreign, misplaced, rejected])
    assert found.messages == ()
    assert [reason.split(":")[0] for reason in found.left_out] == ["ALERTS 1", "ALERTS 2", "INCIDENTS 3"]
    assert "Resolve was rejected" in found.left_out[2]


def test_it_is_known_which_alerts_an_incident_is_made_of_and_which_step_an_action_is() -> None:
    alert = fired()
    found = inputs_of(recorded(alert, grouped(alert, "inc1"), stated(PROPOSED)))
    assert len(found.alerts_of["inc1"]) == 1
    assert found.steps == {"a1": ("mend", "first")}
    assert len(found.events) == 2


def test_without_actions_there_are_no_commands_to_the_remediator() -> None:
    stop = asked(StopAutomation(incident="inc1", by=ADA), cause="1")
    found = inputs_of(recorded(fired(), stop, asked(AddNote(incident="inc1", by=ADA, text="t"), cause="2")))
    assert [given.stream for given in found.without_actions().messages] == ["ALERTS", "COMMANDS"]
    assert found.without_actions().commands == 1
