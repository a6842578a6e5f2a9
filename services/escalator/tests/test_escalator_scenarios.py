"""Whole incidents, from the first alert to the end: everything that is decided, and nothing else."""

from datetime import timedelta
from pathlib import Path

import pytest
from escalator_playbooks import MATRIX, STOREFRONT
from escalator_world import World, fired, minutes, rulebook, seconds

from tocsin_schemas import RunbookOutcome
from tocsin_schemas.commands import Acknowledge, Resolve
from tocsin_schemas.events import DeadlineMissed, ResponderPaged, RunbookFinished


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
def test_the_examples_playbook_pages_somebody_at_once_at_every_severity(severity: str) -> None:
    text = (Path(__file__).parents[3] / "examples/storefront/playbook.yaml").read_text()
    world = World(rulebook(text))
    world.fire(fired(severity=severity))
    assert world.pages() != []
    world.advance(minutes(10))
    assert world.book.problems == ()


def test_an_outage_that_nobody_answers_goes_through_the_whole_matrix_on_the_minute() -> None:
    world = World(MATRIX)
    world.fire(fired("SiteDown", "SEV1"))
    world.advance(timedelta(hours=3))
    assert [line for line in world.timeline() if "missed update" not in line] == [
        "0s opened SEV1 SiteDown (checkout)",
        "0s grouped SiteDown SEV1",
        "5m missed acknowledge",
        "15m escalated level 0.0 (unacknowledged)",
        "15m page person:olga level 0.0 SEV1 (escalated)",
        "30m escalated level 1.0 (unacknowledged)",
        "30m page person:lena level 1.0 SEV1 (escalated)",
        "1h escalated level 2.0 (unacknowledged)",
        "1h page person:emil level 2.0 SEV1 (escalated)",
        "2h escalated level 3.0 (unacknowledged)",
        "2h page person:cleo level 3.0 SEV1 (escalated)",
    ]
    assert len(world.events(DeadlineMissed)) == 1 + 6  # the acknowledgement, and an update every half hour


def test_a_minor_issue_reaches_only_who_is_on_call() -> None:
    world = World(MATRIX)
    world.fire(fired("UiGlitch", "SEV4"))
    world.advance(timedelta(days=2))
    assert world.pages() == ["15m page person:olga level 0.0 SEV4 (escalated)"]


def test_the_demos_shop_pages_at_once_and_every_fifteen_seconds_for_two_rounds() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P0"))
    world.advance(minutes(4))
    assert world.pages() == [
        "0s page person:ada level 0.0 P0 (opened)",
        "15s page person:grace level 1.0 P0 (escalated)",
        "30s page person:ada level 2.0 P0 (escalated)",
        "30s page person:grace level 2.0 P0 (escalated)",
        "45s page person:ada level 0.1 P0 (escalated)",
        "1m page person:grace level 1.1 P0 (escalated)",
        "1m15s page person:ada level 2.1 P0 (escalated)",
        "1m15s page person:grace level 2.1 P0 (escalated)",
    ]


def test_an_acknowledgement_stops_paging_and_quiet_alerts_end_the_incident() -> None:
    world = World(STOREFRONT)
    alert = fired(severity="P1")
    world.fire(alert)
    world.advance(seconds(7))
    world.do(Acknowledge)
    world.advance(seconds(43))
    world.end(alert)
    world.advance(minutes(5))
    assert world.timeline() == [
        "0s opened P1 CheckoutErrors (checkout)",
        "0s grouped CheckoutErrors P1",
        "0s page person:ada level 0.0 P1 (opened)",
        "7s acknowledged by ada",
        "50s cleared CheckoutErrors",
        "50s monitoring",
        "54s resolved by escalator",
        "1m54s closed",
    ]


def test_a_fire_soon_after_the_resolution_reopens_the_incident_and_pages_again() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P1"))
    world.do(Resolve, notes="false alarm")
    world.advance(seconds(59))
    world.fire(fired(severity="P1", episode="e2"))
    world.advance(seconds(10))
    assert world.timeline() == [
        "0s opened P1 CheckoutErrors (checkout)",
        "0s grouped CheckoutErrors P1",
        "0s page person:ada level 0.0 P1 (opened)",
        "0s resolved by ada",
        "59s reopened",
        "59s grouped CheckoutErrors P1",
        "59s page person:ada level 0.0 P1 (reopened)",
    ]
    assert world.state.reopened == 1


def test_a_fire_after_the_window_opens_another_incident_that_names_the_one_before() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P1"))
    first = world.incident
    world.do(Resolve)
    world.advance(seconds(61))
    (opened, *_) = world.fire(fired(severity="P1", episode="e2"))
    assert world.timeline()[-4:] == [
        "1m closed",
        "1m1s opened P1 CheckoutErrors (checkout)",
        "1m1s grouped CheckoutErrors P1",
        "1m1s page person:ada level 0.0 P1 (opened)",
    ]
    assert (opened.previous, opened.episode) == (first, 1)


def test_automation_that_is_exhausted_escalates_at_once_and_once() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P0"))
    world.advance(seconds(5))
    finished = RunbookFinished(runbook="checkout-failing", outcome=RunbookOutcome.EXHAUSTED)
    world.report(finished, message="finished")
    world.report(finished, message="finished")
    world.advance(seconds(11))
    world.do(Acknowledge)
    world.advance(seconds(30))
    assert world.timeline() == [
        "0s opened P0 CheckoutErrors (checkout)",
        "0s grouped CheckoutErrors P0",
        "0s page person:ada level 0.0 P0 (opened)",
        "5s escalated level 1.0 (automation_failed)",
        "5s page person:grace level 1.0 P0 (escalated)",
        "15s missed acknowledge",
        "16s acknowledged by ada",
        "30s missed update",
    ]


def test_a_flapping_alert_is_one_incident_whose_escalation_is_not_put_off() -> None:
    world = World(STOREFRONT)
    for number in range(5):
        alert = fired(severity="P1", episode=f"e{number}")
        world.fire(alert)
        world.advance(seconds(2))
        world.end(alert)
        world.advance(seconds(2))
    world.fire(fired(severity="P1", episode="last"))
    world.advance(seconds(1))
    assert len(world.log) == 1
    assert world.pages() == [
        "0s page person:ada level 0.0 P1 (opened)",
        "16s page person:grace level 1.0 P1 (escalated)",  # due at 15 s, when it was quiet for a moment
    ]


def test_after_an_outage_one_page_a_person_with_the_current_level() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P0"))
    world.sleep(timedelta(seconds=62))
    while (due := world.next_due()) is not None and due[1].due_at <= world.now:
        world.ring(*due)
    assert world.pages() == [
        "0s page person:ada level 0.0 P0 (opened)",
        "1m2s page person:grace level 1.1 P0 (escalated)",
    ]
    world.advance(seconds(13))
    assert world.pages()[2:] == [
        "1m15s page person:ada level 2.1 P0 (escalated)",
        "1m15s page person:grace level 2.1 P0 (escalated)",
    ]
    assert len(world.events(ResponderPaged)) == 4
