"""How mitigations and notifications went, and who is told of it."""

import pytest
from escalator_playbooks import STOREFRONT
from escalator_world import World, fired, seconds

from tocsin_escalator.core.on_outcome import concerns
from tocsin_schemas import Event, RunbookOutcome
from tocsin_schemas.commands import Acknowledge, AddResponder, Resolve
from tocsin_schemas.events import (
    ActionOutcomeUnknown,
    ActionProposed,
    NotificationDelivered,
    NotificationFailed,
    ResponderPaged,
    RunbookFinished,
    VerificationPassed,
)


def opened(severity: str = "P1") -> World:
    world = World(STOREFRONT)
    world.fire(fired(severity=severity))
    return world


def unknown(action: str = "a1") -> ActionOutcomeUnknown:
    return ActionOutcomeUnknown(
        action=action, runbook="r", step="s", attempt=1, execution=f"{action}-1", reason="no answer"
    )


def finished(outcome: RunbookOutcome) -> RunbookFinished:
    return RunbookFinished(runbook="r", outcome=outcome)


def proposed(*, needs_approval: bool = True) -> ActionProposed:
    return ActionProposed(
        action="a1", runbook="r", step="restart", description="Restart it", target="cart", needs_approval=needs_approval
    )


def failed(world: World, number: int = 0, *, exhausted: bool = True) -> NotificationFailed:
    pages = [event for event in world.events(ResponderPaged) if isinstance(event, ResponderPaged)]
    return NotificationFailed(
        notification="n",
        page=pages[number].page,
        channel="slack",
        recipient=pages[number].target,
        reason="channel_not_found",
        exhausted=exhausted,
    )


@pytest.mark.parametrize("outcome", [RunbookOutcome.EXHAUSTED, RunbookOutcome.ESCALATED])
def test_a_runbook_that_gives_up_tells_the_next_level_at_once(outcome: RunbookOutcome) -> None:
    world = opened()
    world.advance(seconds(3))
    world.report(finished(outcome))
    assert world.timeline()[3:] == [
        "3s escalated level 1.0 (automation_failed)",
        "3s page person:grace level 1.0 P1 (escalated)",
    ]


@pytest.mark.parametrize("outcome", [RunbookOutcome.MITIGATED, RunbookOutcome.STOPPED])
def test_a_runbook_that_ends_well_or_is_stopped_tells_nobody(outcome: RunbookOutcome) -> None:
    world = opened()
    assert world.report(finished(outcome)) == ()


def test_an_unknown_outcome_tells_the_next_level_and_the_runbooks_end_after_it_does_not_tell_another() -> None:
    world = opened()
    world.report(unknown())
    world.report(finished(RunbookOutcome.ESCALATED))
    assert world.timeline()[3:] == [
        "0s escalated level 1.0 (outcome_unknown)",
        "0s page person:grace level 1.0 P1 (escalated)",
    ]


def test_an_unknown_outcome_is_told_also_while_it_is_quiet() -> None:
    world = opened()
    world.end(fired(severity="P1"))
    world.report(finished(RunbookOutcome.EXHAUSTED))  # the alerts are gone: that automation failed does not matter
    world.report(unknown())
    assert world.pages()[1:] == ["0s page person:grace level 1.0 P1 (escalated)"]


def test_when_the_plan_is_used_up_automation_still_reaches_somebody() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P2"))
    world.report(unknown("a1"))
    world.report(unknown("a2"))
    assert world.pages() == [
        "0s page channel:slack:#incidents level 0.0 P2 (opened)",
        "0s page channel:slack:#incidents level 0.1 P2 (escalated)",
        "0s page channel:slack:#incidents level 0.2 P2 (escalated)",
    ]


def test_an_approval_is_asked_of_the_level_that_was_told_and_the_escalation_goes_on() -> None:
    world = opened()
    world.advance(seconds(16))
    world.report(proposed())
    world.advance(seconds(14))
    assert world.pages() == [
        "0s page person:ada level 0.0 P1 (opened)",
        "15s page person:grace level 1.0 P1 (escalated)",
        "16s page person:grace level 1.0 P1 (automation_needs_you)",
        "30s page person:ada level 2.0 P1 (escalated)",
        "30s page person:grace level 2.0 P1 (escalated)",
    ]


def test_an_approval_is_asked_of_whoever_has_acknowledged() -> None:
    world = opened()
    world.do(Acknowledge, by="grace")
    world.report(proposed())
    assert world.pages()[1:] == ["0s page person:grace level 0.0 P1 (automation_needs_you)"]


def test_an_approval_is_asked_of_the_level_where_a_stranger_has_acknowledged() -> None:
    world = opened()
    world.do(Acknowledge, by="somebody from the outside")
    world.report(proposed())
    assert world.pages()[1:] == ["0s page person:ada level 0.0 P1 (automation_needs_you)"]


def test_a_page_that_reaches_nobody_leads_to_the_next_level_at_once() -> None:
    world = opened()
    world.report(failed(world))
    world.advance(seconds(16))
    assert world.timeline()[3:] == [
        "0s escalated level 1.0 (page_failed)",
        "0s page person:grace level 1.0 P1 (page_failed)",
    ]


def test_two_failed_pages_of_one_level_lead_on_once() -> None:
    world = opened()
    world.advance(seconds(30))  # level 2 pages ada and grace
    world.report(failed(world, 2))
    world.report(failed(world, 3))
    assert world.timeline()[-2:] == [
        "30s escalated level 0.1 (page_failed)",
        "30s page person:ada level 0.1 P1 (page_failed)",
    ]


def test_a_failed_page_of_the_last_level_is_written_down() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P2"))
    world.report(failed(world))
    assert world.timeline()[-1] == (
        "0s note The page to channel:slack:#incidents failed, and no level is left to tell: channel_not_found"
    )


def test_a_failed_page_does_not_matter_when_somebody_is_on_it_or_another_channel_is_left() -> None:
    world = opened()
    assert world.report(failed(world, exhausted=False)) == ()
    world.do(Acknowledge)
    assert world.report(failed(world)) == ()


def test_a_failed_page_from_before_a_reopening_does_not_matter() -> None:
    world = opened()
    old = failed(world)
    world.do(Resolve)
    world.fire(fired(severity="P1", episode="e2"))
    assert world.report(old) == ()


def test_after_the_end_nothing_that_is_reported_pages_anybody() -> None:
    world = opened()
    world.do(Resolve)
    for outcome in (unknown(), finished(RunbookOutcome.EXHAUSTED), proposed(), failed(world)):
        assert world.report(outcome) == ()


def test_only_what_may_need_a_decision_is_decided_on() -> None:
    delivered = NotificationDelivered(notification="n", page="p", channel="slack", recipient="person:ada")
    passed = VerificationPassed(action="a", runbook="r", step="s")
    announcement = NotificationFailed(
        notification="n", page=None, channel="slack", recipient="#x", reason="gone", exhausted=True
    )
    unconcerned: list[Event] = [delivered, passed, announcement, proposed(needs_approval=False)]
    assert not any(map(concerns, unconcerned))
    world = opened()
    assert all(world.report(event) == () for event in unconcerned)
    assert all(map(concerns, [unknown(), finished(RunbookOutcome.EXHAUSTED), proposed()]))


def test_a_page_to_somebody_who_was_added_goes_to_the_next_level_if_it_fails_though_somebody_is_on_it() -> None:
    world = opened()
    world.advance(seconds(1))
    world.do(Acknowledge)
    world.advance(seconds(1))
    world.do(AddResponder, by="ada", target="person:ada")
    world.report(failed(world, -1))
    assert world.timeline()[-1] == "2s page person:grace level 1.0 P1 (page_failed)"
