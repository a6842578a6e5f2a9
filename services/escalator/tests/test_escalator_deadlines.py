"""Deadlines: when they are due, what follows, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest
from escalator_playbooks import MATRIX, STOREFRONT
from escalator_world import START, World, fired, minutes, rulebook, seconds

from tocsin_escalator.core.deadlines import deadline_id, early, ring_cause
from tocsin_escalator.core.incident import Deadline, Phase
from tocsin_escalator.core.on_timer import decide_timer
from tocsin_schemas import DeadlineKind
from tocsin_schemas.commands import Resolve
from tocsin_schemas.events import DeadlineMissed, IncidentOpened
from tocsin_schemas.signals import TimerDue

K = DeadlineKind


def opened(severity: str = "P0") -> World:
    world = World(STOREFRONT)
    world.fire(fired(severity=severity))
    return world


def of_kind(world: World, kind: DeadlineKind) -> Deadline:
    return next(each for each in world.state.deadlines.values() if each.kind is kind)


def test_a_deadline_that_is_not_due_yet_has_no_consequence() -> None:
    world = opened()
    deadline = of_kind(world, K.ESCALATE)
    world.sleep(seconds(14.999999))
    assert world.ring(world.incident, deadline) == ()
    world.sleep(timedelta(microseconds=1))
    assert world.ring(world.incident, deadline) != ()


def test_an_alarm_clock_that_rings_early_is_told_how_early() -> None:
    world = opened()
    deadline = of_kind(world, K.ESCALATE)
    timer = TimerDue(incident=world.incident, deadline=deadline.id, due_at=deadline.due_at)
    assert early(world.state, timer, deadline.due_at - seconds(2)) == seconds(2)
    assert early(world.state, timer, deadline.due_at) is None


def test_an_alarm_clock_that_was_moved_or_is_not_wanted_any_more_is_not_early() -> None:
    world = opened()
    deadline = of_kind(world, K.ESCALATE)
    moved = TimerDue(incident=world.incident, deadline=deadline.id, due_at=deadline.due_at - seconds(5))
    other = TimerDue(incident=world.incident, deadline="x", due_at=deadline.due_at)
    assert early(world.state, moved, START) is None
    assert early(world.state, other, START) is None


def test_the_same_deadline_has_the_same_id_and_every_other_another() -> None:
    ids = {
        deadline_id(incident, kind, level, round_, reopened)
        for incident in ("a", "b")
        for kind in (K.ESCALATE, K.UPDATE)
        for level in (None, 0, 1)
        for round_ in (0, 1)
        for reopened in (0, 1)
    }
    assert len(ids) == 2 * 2 * 3 * 2 * 2
    assert deadline_id("a", K.UPDATE, None, 0, 0) in ids


def test_a_deadline_that_was_moved_is_another_cause() -> None:
    one = Deadline("d", K.WATCH, START)
    assert ring_cause("a", one) == ring_cause("a", Deadline("d", K.WATCH, START + seconds(1)))
    assert ring_cause("a", one) != ring_cause("a", Deadline("d", K.WATCH, START, number=1))  # it was moved
    assert ring_cause("a", one) != ring_cause("b", one)


def test_an_incident_that_lasts_longer_than_promised_goes_one_level_up() -> None:
    book = rulebook("""
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0, resolve_within: 10m}]
oncall: {people: [{name: ada}, {name: bob}]}
escalate:
  - {severities: [P0], levels: [{after: 0s, notify: ["person:ada"]}, {after: 1h, notify: ["person:bob"]}]}
""")
    world = World(book)
    world.fire(fired(severity="P0"))
    world.advance(minutes(180))
    assert world.timeline()[2:] == [
        "0s page person:ada level 0.0 P0 (opened)",
        "10m missed resolve",
        "10m escalated level 1.0 (unresolved)",
        "10m page person:bob level 1.0 P0 (escalated)",
    ]


@pytest.mark.parametrize("first", [K.ESCALATE, K.RESOLVE])
def test_after_an_outage_several_overdue_deadlines_together_page_each_person_once(first: DeadlineKind) -> None:
    book = rulebook("""
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0, acknowledge_within: 5m, resolve_within: 20m}]
oncall: {people: [{name: ada}, {name: bob}]}
escalate:
  - severities: [P0]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 10m, notify: ["person:ada", "person:bob"]}]
    repeat: 9
""")
    world = World(book)
    world.fire(fired(severity="P0"))
    world.sleep(minutes(45))
    world.ring(world.incident, of_kind(world, first))
    world.advance(seconds(0))  # and all the others
    paged = [line.split()[2] for line in world.pages() if line.startswith("45m ")]
    assert sorted(paged) == ["person:ada", "person:bob"]


def test_a_resolution_target_missed_while_it_is_quiet_is_recorded_and_pages_nobody() -> None:
    world = World(MATRIX)
    world.fire(fired(severity="SEV1"))
    world.advance(timedelta(hours=3, minutes=55))
    world.end(fired(severity="SEV1"))
    before = len(world.pages())
    world.advance(minutes(10))
    assert "4h missed resolve" in world.timeline()
    assert len(world.pages()) == before


def test_updates_are_due_in_the_cadence_and_those_in_an_outage_are_not_made_up_for() -> None:
    world = opened()
    world.sleep(seconds(95))
    world.ring(world.incident, of_kind(world, K.UPDATE))
    assert of_kind(world, K.UPDATE).due_at == START + seconds(120)


def test_the_watch_ends_in_the_resolution_and_the_reopening_time_in_the_end() -> None:
    world = opened("P1")
    world.end(fired(severity="P1"))
    assert world.state.phase is Phase.MONITORING
    world.advance(seconds(4))
    assert world.state.phase is Phase.RESOLVED
    world.advance(minutes(1))
    assert world.state.phase is Phase.CLOSED
    assert world.state.deadlines == {}


def test_a_watch_that_is_broken_off_starts_anew() -> None:
    world = opened("P1")
    world.end(fired(severity="P1"))
    world.advance(seconds(3))
    world.fire(fired(severity="P1", episode="e2"))
    world.end(fired(severity="P1", episode="e2"))
    world.advance(seconds(3))
    assert world.state.phase is Phase.MONITORING
    world.advance(seconds(1))
    assert world.state.phase is Phase.RESOLVED


def test_the_response_target_stands_after_a_pause_unless_it_was_missed() -> None:
    world = opened("P1")
    world.advance(seconds(5))
    world.end(fired(severity="P1"))
    world.advance(seconds(1))
    world.fire(fired(severity="P1", episode="e2"))
    assert of_kind(world, K.ACKNOWLEDGE).due_at == START + seconds(20)
    world.advance(seconds(20))
    world.end(fired(severity="P1", episode="e2"))
    world.fire(fired(severity="P1", episode="e3"))
    assert len([event for event in world.events(DeadlineMissed) if event.kind is K.ACKNOWLEDGE]) == 1
    assert K.ACKNOWLEDGE not in {each.kind for each in world.state.deadlines.values()}


def test_a_target_in_business_days_is_due_when_the_day_ends() -> None:
    book = rulebook("""
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: low, acknowledge_within: next business day}]
business_hours: {time_zone: Europe/Berlin}
""")
    world = World(book, start=datetime(2026, 3, 6, 15, tzinfo=UTC))  # a Friday
    world.fire(fired(severity="low"))
    assert of_kind(world, K.ACKNOWLEDGE).due_at == datetime(2026, 3, 9, 16, tzinfo=UTC)  # Monday 17:00 in Berlin


def test_an_open_deadline_from_which_nothing_follows_is_closed_rather_than_found_due_for_ever() -> None:
    world = opened("P1")
    odd = Deadline("odd", K.WATCH, START)
    state = world.state._replace(deadlines={**world.state.deadlines, "odd": odd})
    (missed,) = decide_timer(state, "odd", STOREFRONT, START)
    assert isinstance(missed, DeadlineMissed)


@pytest.mark.parametrize("ahead", [timedelta(days=3650), timedelta(hours=3), timedelta(days=-3650)])
def test_a_source_with_a_wrong_clock_does_not_move_the_incident_in_time(ahead: timedelta) -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P1", at=START + ahead))
    (event,) = world.events(IncidentOpened)
    assert isinstance(event, IncidentOpened)
    assert event.started_at == START
    assert of_kind(world, K.ESCALATE).due_at == START + seconds(15)


def test_an_end_that_overtakes_its_beginning_is_remembered() -> None:
    world = opened("P1")
    late = fired("CheckoutLatency", "P2", episode="l1")
    world.end(late)
    assert world.fire(late) == ()
    assert len(world.state.firing) == 1


def test_an_alert_that_ends_after_a_person_resolved_is_recorded_and_nothing_more() -> None:
    world = opened("P1")
    world.do(Resolve)
    world.end(fired(severity="P1"))
    assert world.timeline()[-2:] == ["0s resolved by ada", "0s cleared CheckoutErrors"]
    assert world.state.phase is Phase.RESOLVED
