"""Roles, rooms, updates and targets: what an incident asks of people by the playbook's rules."""

from escalator_world import World, fired, minutes, rulebook

from tocsin_escalator.core.incident import Phase, empty
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired
from tocsin_schemas import DeadlineKind, Role
from tocsin_schemas.commands import Acknowledge, AssignRole, Decline, Reopen, Resolve, SetSeverity, Update
from tocsin_schemas.events import DeadlineSet, IncidentOpened, WarRoomRequested

TEXT = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities:
  - {name: P0, acknowledge_within: 10m, resolve_within: 1h, warn_before: 3m, update_every: 15m}
  - {name: P1, resolve_within: 4h, update_every: 30m}
  - {name: P2}
group: {by: [service], reopen_within: 30m, watch_for: 15m}
oncall:
  people: [{name: ada}, {name: bob}, {name: eve}]
  teams: [{name: leads, members: [bob, eve]}]
  roles:
    - {name: Incident Commander, held_by: "team:leads", severities: [P0]}
    - {name: communications-lead, held_by: "person:eve"}
    - {name: scribe, held_by: "person:ada"}
communicate:
  channels: [{name: slack, console: {}}]
  war_room: {severities: [P0], channel: slack, name: "#incident-YYYYMMDD-%s", invite: ["team:leads", "person:ada"]}
escalate:
  - severities: [P0, P1, P2]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 1h, notify: ["person:bob"]}
      - {after: 2h, notify: ["person:eve"]}
"""
BOOK = rulebook(TEXT % "HHMM")


def opened(severity: str = "P0") -> World:
    world = World(BOOK)
    world.fire(fired(severity=severity))
    return world


# --- roles and rooms --------------------------------------------------------------------------------------------------


def test_roles_are_given_by_rule_and_only_those_of_the_severity() -> None:
    assert opened("P0").state.roles == {Role.COMMANDER: "bob", Role.COMMUNICATIONS_LEAD: "eve"}
    assert opened("P1").state.roles == {Role.COMMUNICATIONS_LEAD: "eve"}


def test_a_role_that_a_person_has_is_not_taken_from_them() -> None:
    world = opened("P1")
    world.do(AssignRole, role=Role.COMMANDER, person="ada")
    world.do(SetSeverity, severity="P0")
    assert world.state.roles[Role.COMMANDER] == "ada"
    world.do(AssignRole, role=Role.COMMANDER, person="eve")
    assert world.timeline()[-1] == "0s role incident_commander eve"


def test_who_cannot_take_it_is_given_no_role() -> None:
    world = opened("P1")
    world.do(Decline, by="bob")
    world.do(SetSeverity, severity="P0")
    assert world.state.roles[Role.COMMANDER] == "eve"


def test_a_room_is_asked_for_once_where_the_severity_wants_one() -> None:
    world = opened("P1")
    assert world.events(WarRoomRequested) == []
    world.do(SetSeverity, severity="P0")
    world.do(SetSeverity, severity="P1")
    world.do(SetSeverity, severity="P0")
    assert [line for line in world.timeline() if " room " in line] == [
        "0s room #incident-20260302-1200 for person:bob, person:eve, person:ada"
    ]


def test_a_room_is_named_by_the_days_number_where_the_playbook_wants_that() -> None:
    book = rulebook(TEXT % "NNN")
    world = World(book)
    alert = fired(severity="P0")
    slot = world.slot(alert)
    numbered = Slot(slot.group, slot.number, slot.incident, day_number=7)
    opening, *rest = decide_alert_fired(empty(slot.incident), alert, numbered, book, world.now)
    assert isinstance(opening, IncidentOpened)
    assert opening.day_number == 7
    assert [event.name for event in rest if isinstance(event, WarRoomRequested)] == ["#incident-20260302-007"]


# --- updates ----------------------------------------------------------------------------------------------------------


def test_a_missed_update_reminds_and_the_second_in_a_row_is_told_to_the_next_level_once() -> None:
    world = opened("P1")
    world.do(Acknowledge)
    world.advance(minutes(31))
    assert world.timeline()[-1] == "30m missed update"
    world.advance(minutes(30))
    assert world.timeline()[-3:] == [
        "1h missed update",
        "1h escalated level 1.0 (no_update)",
        "1h page person:bob level 1.0 P1 (escalated)",
    ]
    world.advance(minutes(110))
    assert [line for line in world.timeline() if "no_update" in line] == ["1h escalated level 1.0 (no_update)"]


def test_an_update_sets_the_next_and_forgives_the_last() -> None:
    world = opened("P1")
    world.do(Acknowledge)
    world.advance(minutes(31))
    world.do(Update, text="we know more")
    world.advance(minutes(29))
    assert world.timeline()[-1] == "31m update -: we know more"
    world.advance(minutes(2))
    assert world.timeline()[-1] == "1h1m missed update"
    world.advance(minutes(28))
    assert not [line for line in world.timeline() if "no_update" in line]


def test_where_nobody_is_on_it_the_plan_goes_on_and_updates_escalate_nothing() -> None:
    world = opened("P1")
    world.advance(minutes(125))
    assert not [line for line in world.timeline() if "no_update" in line]


def test_while_it_is_watched_updates_are_asked_for_and_escalate_nothing() -> None:
    world = World(rulebook(TEXT.replace("watch_for: 15m", "watch_for: 2h") % "HHMM"))
    world.fire(fired(severity="P0"))
    world.do(Acknowledge)
    world.end(fired(severity="P0"))
    world.advance(minutes(50))
    assert [line for line in world.timeline() if "missed update" in line]
    assert not [line for line in world.timeline() if "no_update" in line]


# --- targets ----------------------------------------------------------------------------------------------------------


def test_those_who_respond_are_warned_before_a_target_is_missed() -> None:
    world = opened("P0")
    world.advance(minutes(11))
    assert [line for line in world.timeline() if "near" in line or "missed acknowledge" in line] == [
        "7m near acknowledge at 10m",
        "10m missed acknowledge",
    ]
    world.advance(minutes(50))
    assert [line for line in world.timeline() if line.endswith(("resolve at 1h", "missed resolve"))] == [
        "57m near resolve at 1h",
        "1h missed resolve",
    ]


def test_nobody_is_warned_of_what_has_happened() -> None:
    world = opened("P0")
    world.do(Acknowledge)
    world.advance(minutes(20))
    assert not [line for line in world.timeline() if "near" in line]
    world.do(Resolve)
    world.advance(minutes(60))
    assert not [line for line in world.timeline() if "near" in line]


def test_after_an_outage_it_is_too_late_to_warn() -> None:
    world = opened("P0")
    world.sleep(minutes(30))
    world.advance(minutes(1))
    assert "30m near acknowledge at 10m" not in world.timeline()
    assert "30m missed acknowledge_soon" in world.timeline()


def test_a_warning_that_would_be_in_the_past_is_not_set() -> None:
    world = World(rulebook(TEXT.replace("warn_before: 3m", "warn_before: 15m") % "HHMM"))
    world.fire(fired(severity="P0"))
    set_ = {event.kind for event in world.events(DeadlineSet) if isinstance(event, DeadlineSet)}
    assert DeadlineKind.ACKNOWLEDGE_SOON not in set_
    assert DeadlineKind.RESOLVE_SOON in set_


# --- over, and not over -----------------------------------------------------------------------------------------------


def test_a_false_alarm_is_over_and_a_re_fire_reopens_it() -> None:
    world = opened("P2")
    world.do(Resolve, false_alarm=True, notes="a test")
    assert world.state.phase is Phase.FALSE_ALARM
    assert world.timeline()[-1] == "0s resolved by ada, a false alarm"
    world.do(Resolve)
    assert world.timeline()[-1] == "0s rejected Resolve: the incident is over already: it was a false alarm"
    world.advance(minutes(1))
    world.fire(fired(severity="P2", episode="e2"))
    assert world.state.phase is Phase.REOPENED
    assert world.pages()[-1] == "1m page person:ada level 0.0 P2 (reopened)"


def test_a_person_reopens_what_is_over_and_nothing_else() -> None:
    world = opened("P2")
    world.do(Reopen)
    assert world.timeline()[-1] == "0s rejected Reopen: the incident is not over"
    world.do(Resolve)
    world.do(Reopen, because="customers still see it")
    assert world.state.phase is Phase.REOPENED
    assert world.pages()[-1] == "0s page person:ada level 0.0 P2 (reopened)"
    world.do(Resolve)
    world.advance(minutes(31))
    assert world.state.phase is Phase.CLOSED
    world.do(Reopen)
    assert world.timeline()[-1] == "31m rejected Reopen: the incident is closed"


def test_who_may_not_is_told_so() -> None:
    world = World(
        rulebook((TEXT % "HHMM").replace("{name: ada}, {name: bob}", "{name: ada, access: viewer}, {name: bob}"))
    )
    world.fire(fired(severity="P2"))
    world.do(Acknowledge)
    assert world.timeline()[-1] == "0s rejected Acknowledge: ada is a viewer; Acknowledge asks for a responder"
    assert world.state.phase is Phase.TRIGGERED
