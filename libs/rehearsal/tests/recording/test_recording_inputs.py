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
    ordered,
    published,
    recorded,
    stated,
)

from tocsin_escalator.core.standing import order_id
from tocsin_rehearsal.recording import Input, inputs_of
from tocsin_schemas import Actor, Command, Event, Role
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    ApproveAction,
    AssignRole,
    Escalate,
    LiftOverride,
    LiftSilence,
    OverrideOnCall,
    Resolve,
    RunAction,
    SetSeverity,
    Silence,
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
    OrderRejected,
    OverrideLifted,
    OverrideSet,
    RequestRefused,
    RoleAssigned,
    SeverityChanged,
    SilenceLifted,
    SilenceSet,
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
    rejected = recorded(
        stated(CommandRejected(command="Resolve", reason="r", by=ADA), cause="1"),
        stated(RequestRefused(command="RunAction", reason="r", by=ADA), cause="2"),
        first=3,
    )
    found = inputs_of([foreign, misplaced, *rejected])
    assert found.messages == ()
    places = ["ALERTS 1", "ALERTS 2", "INCIDENTS 3", "INCIDENTS 4"]
    assert [reason.split(":")[0] for reason in found.left_out] == places
    assert "Resolve was rejected" in found.left_out[2]
    assert "RunAction was rejected" in found.left_out[3]


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


# --- standing orders -------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)
MATCH = ('service="shop"',)
SET = SilenceSet(silence="s1", match=MATCH, begins_at=NOW, ends_at=NOW + HOUR, because="b", by=ADA)
OVERRIDE = OverrideSet(
    override="o1", schedule="primary", person="bob", begins_at=NOW + SECOND, ends_at=NOW + HOUR, because="b", by=ADA
)


@pytest.mark.parametrize(
    ("event", "command"),
    [
        (SET, Silence(match=MATCH, until=NOW + HOUR, because="b", by=ADA)),
        (
            OVERRIDE,
            OverrideOnCall(
                schedule="primary", person="bob", begins_at=NOW + SECOND, until=NOW + HOUR, because="b", by=ADA
            ),
        ),
        (SilenceLifted(silence="s1", because="b", by=ADA), LiftSilence(silence="s1", because="b", by=ADA)),
        (OverrideLifted(override="o1", by=ADA), LiftOverride(override="o1", by=ADA)),
    ],
)
def test_an_order_is_built_from_its_answer_with_the_commands_own_id(event: Event, command: Command) -> None:
    (_, given) = the_inputs(fired(at=NOW - SECOND), ordered(event))
    assert (given.stream, given.rebuilt, given.envelope.data) == ("COMMANDS", True, command)
    assert given.envelope.id == ordered(event)[1].cause


def test_an_order_that_is_recorded_itself_is_not_built_again() -> None:
    command = asked(Silence(match=MATCH, until=NOW + HOUR, because="b", by=ADA), "")
    given = the_inputs(fired(), command, ordered(SET, cause=command[1].id))
    assert [each.rebuilt for each in given] == [False, False]


def test_an_order_that_was_rejected_is_named_as_lost_and_all_answers_are_kept() -> None:
    rejected = OrderRejected(command="Silence", reason="no", by=ADA)
    found = inputs_of(recorded(fired(), ordered(rejected, cause="no"), ordered(SET)))
    assert found.left_out == ("ORDERS 2: Silence was rejected, and is lost",)
    assert [each.data for each in found.orders] == [rejected, SET]


def test_orders_long_before_the_first_alert_are_given_just_before_it_as_far_as_they_stand() -> None:
    begins = NOW + 30 * 24 * HOUR
    standing = SET.model_copy(update={"silence": "s3", "ends_at": begins + HOUR})
    lifted = SET.model_copy(update={"silence": order_id("two"), "ends_at": begins + HOUR})
    found = inputs_of(
        recorded(
            ordered(SET, cause="one"),
            ordered(lifted, cause="two"),
            published(),
            ordered(standing, cause="three"),
            ordered(SilenceLifted(silence=order_id("two"), by=ADA), cause="four"),
            fired(at=begins),
            ordered(SilenceLifted(silence=order_id("three"), by=ADA), cause="five", at=begins + SECOND),
        )
    )
    assert [each.envelope.data for each in found.playbooks] == [published()[1].data]
    assert [each.envelope.id for each in found.messages] == ["three", fired(at=begins)[1].id, "five"]
    assert found.messages[0].at == found.messages[1].at - SECOND


def test_orders_alone_are_inputs_too() -> None:
    found = inputs_of(recorded(published(), ordered(SET), published(name="b")))
    assert [each.stream for each in found.playbooks] == ["PLAYBOOKS"]
    assert [each.stream for each in found.messages] == ["COMMANDS", "PLAYBOOKS"]
