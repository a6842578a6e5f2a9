"""What people ask for, and what they are told."""

import pytest
from escalator_playbooks import MATRIX, STOREFRONT
from escalator_world import World, fired, minutes, seconds

from tocsin_escalator.core.incident import Phase
from tocsin_schemas import Role
from tocsin_schemas.commands import Acknowledge, AddNote, AssignRole, Escalate, Resolve, SetSeverity
from tocsin_schemas.events import CommandRejected, ResponderPaged


def opened(severity: str = "P1") -> World:
    world = World(STOREFRONT)
    world.fire(fired(severity=severity))
    return world


def test_two_people_may_acknowledge_and_both_are_recorded() -> None:
    world = opened()
    world.do(Acknowledge, by="ada")
    world.do(Acknowledge, by="grace")
    assert world.timeline()[-2:] == ["0s acknowledged by ada", "0s acknowledged by grace"]
    assert world.state.acknowledged is not None
    assert world.state.acknowledged.by == "grace"


def test_an_acknowledgement_for_a_while_resumes_paging_when_it_is_over() -> None:
    world = opened()
    world.advance(seconds(2))
    world.do(Acknowledge, lasting=minutes(1))
    world.advance(seconds(90))
    assert world.timeline()[3:] == [
        "2s acknowledged by ada",
        "1m missed update",
        "1m2s escalated level 1.0 (unacknowledged)",
        "1m2s page person:grace level 1.0 P1 (escalated)",
        "1m17s escalated level 2.0 (unacknowledged)",  # the pauses between the levels are those of the plan
        "1m17s page person:ada level 2.0 P1 (escalated)",
        "1m17s page person:grace level 2.0 P1 (escalated)",
        "1m32s escalated level 0.1 (unacknowledged)",
        "1m32s page person:ada level 0.1 P1 (escalated)",
    ]
    assert world.state.phase is Phase.TRIGGERED


def test_a_lapsed_acknowledgement_pages_somebody_even_if_everybody_has_been_told() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P2"))  # its policy has one level and no repetition
    world.do(Acknowledge, lasting=minutes(1))
    world.advance(minutes(3))
    assert world.pages() == [
        "0s page channel:slack:#incidents level 0.0 P2 (opened)",
        "1m page channel:slack:#incidents level 0.1 P2 (escalated)",
    ]


def test_a_second_acknowledgement_without_an_end_outlives_the_first() -> None:
    world = opened()
    world.do(Acknowledge, lasting=seconds(10))
    world.do(Acknowledge)
    world.advance(minutes(1.9))
    assert len(world.events(ResponderPaged)) == 1


def test_an_acknowledgement_while_it_is_quiet_counts_when_an_alert_fires_again() -> None:
    world = opened()
    world.end(fired(severity="P1"))
    world.do(Acknowledge)
    world.advance(seconds(1))
    world.fire(fired(severity="P1", episode="e2"))
    assert world.state.phase is Phase.ACKNOWLEDGED
    world.advance(seconds(50))
    assert len(world.events(ResponderPaged)) == 1


def test_an_acknowledgement_that_lapsed_while_it_was_quiet_does_not_count() -> None:
    world = World(MATRIX)
    world.fire(fired(severity="SEV1"))
    world.do(Acknowledge, lasting=minutes(5))
    world.end(fired(severity="SEV1"))
    world.advance(minutes(10))
    world.fire(fired(severity="SEV1", episode="e2"))
    assert world.state.phase is Phase.TRIGGERED
    world.advance(minutes(5))
    assert world.pages() == ["15m page person:olga level 0.0 SEV1 (escalated)"]


def test_a_person_resolves_and_renewals_of_the_alert_open_nothing() -> None:
    world = opened()
    world.do(Resolve, notes="restarted it")
    for _ in range(3):
        world.advance(minutes(2))
        assert world.fire(fired(severity="P1")) == ()
    assert world.timeline()[3:] == ["0s resolved by ada", "1m closed"]
    assert len(world.log) == 1


def test_escalating_tells_the_next_level_and_leaves_the_acknowledgement_alone() -> None:
    world = opened()
    world.do(Acknowledge)
    world.do(Escalate, by="grace")
    world.advance(minutes(1))
    assert world.timeline()[3:] == [
        "0s acknowledged by ada",
        "0s escalated level 1.0 (command)",
        "0s page person:grace level 1.0 P1 (command)",
        "1m missed update",
    ]


def test_escalating_behind_the_last_level_is_rejected() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P2"))
    world.do(Escalate)
    assert world.timeline()[-1] == (
        "0s rejected Escalate: no further level is left: everybody the playbook names has been told"
    )


def test_a_severity_that_is_not_on_the_ladder_is_rejected_with_those_that_are() -> None:
    world = opened()
    world.do(SetSeverity, severity="SEV9")
    world.do(SetSeverity, severity="P1")
    assert world.timeline()[-2:] == [
        "0s rejected SetSeverity: the playbook has no severity 'SEV9'; it has P0, P1, P2, P3",
        "0s rejected SetSeverity: the severity is P1 already",
    ]


def test_roles_and_notes_stand_on_the_timeline() -> None:
    world = opened()
    world.do(AssignRole, role=Role.COMMANDER, person="grace")
    world.do(AddNote, text="looking at the payment provider")
    assert world.timeline()[-2:] == [
        "0s role incident_commander grace",
        "0s note looking at the payment provider",
    ]
    assert world.state.roles == {Role.COMMANDER: "grace"}


def test_after_the_resolution_notes_roles_and_the_right_severity_can_still_be_written_down() -> None:
    world = opened()
    world.do(Resolve)
    world.do(AddNote, text="it was the cache")
    world.do(AssignRole, role=Role.TECHNICAL_LEAD, person="ada")
    world.do(SetSeverity, severity="P0", because="it was worse than it looked")
    assert world.timeline()[-3:] == [
        "0s note it was the cache",
        "0s role technical_lead ada",
        "0s severity P1 -> P0 (person)",
    ]
    assert world.pages() == ["0s page person:ada level 0.0 P1 (opened)"]


@pytest.mark.parametrize(
    ("command", "fields"),
    [(Acknowledge, {}), (Resolve, {}), (Escalate, {})],
    ids=["acknowledge", "resolve", "escalate"],
)
def test_what_cannot_be_done_to_a_resolved_incident_is_rejected(command: type, fields: dict[str, object]) -> None:
    world = opened()
    world.do(Resolve)
    world.do(command, by="grace", **fields)
    (rejected,) = world.events(CommandRejected)
    assert isinstance(rejected, CommandRejected)
    assert (rejected.command, rejected.reason, rejected.by.name) == (
        command.__name__,
        "the incident is resolved already",
        "grace",
    )


def test_a_closed_incident_takes_nothing_any_more() -> None:
    world = opened()
    world.do(Resolve)
    world.advance(minutes(2))
    world.do(AddNote, text="late")
    world.do(SetSeverity, severity="P0")
    assert world.timeline()[-2:] == [
        "2m rejected AddNote: the incident is closed",
        "2m rejected SetSeverity: the incident is closed",
    ]


def test_a_severity_that_a_person_changes_while_it_is_quiet_pages_nobody_until_an_alert_fires_again() -> None:
    world = opened("P2")
    world.end(fired(severity="P2"))
    world.do(SetSeverity, severity="P0")
    assert len(world.events(ResponderPaged)) == 1
    world.advance(seconds(1))
    world.fire(fired(severity="P2", episode="e2"))
    world.advance(seconds(0))
    assert world.pages()[1:] == ["1s page person:ada level 0.0 P0 (escalated)"]
