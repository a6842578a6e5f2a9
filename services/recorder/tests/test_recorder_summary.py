"""What an incident adds up to: the whole story, the stages, and what holds for any order of any events."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_builders import (
    ADA,
    INCIDENT,
    STEP,
    SYSTEM,
    a_whole_incident,
    after,
    as_log,
    cleared,
    deadline,
    delivered,
    every_event,
    grouped,
    opened,
    paged,
)

from tocsin_recorder.adapters.looks import segments
from tocsin_recorder.adapters.summaries import dump_summary, load_summary
from tocsin_recorder.core.fold import evolve, fold
from tocsin_recorder.core.summary import KEPT, ActionState, Phase, Stage, Stages, Summary, empty, stages_at
from tocsin_schemas import DeadlineKind, Event
from tocsin_schemas import events as said

K = DeadlineKind


def summary_of(*story: tuple[float, Event]) -> Summary:
    return fold(INCIDENT, as_log(story))


WHOLE = summary_of(*a_whole_incident())


def test_a_whole_incident_adds_up() -> None:
    assert (WHOLE.phase, WHOLE.active, WHOLE.severity, WHOLE.title) == (
        Phase.RESOLVED, False, "P1", "Checkout is failing",
    )  # fmt: skip
    assert WHOLE.time_to_acknowledge == timedelta(seconds=12.3)
    assert WHOLE.time_to_mitigate == timedelta(seconds=19.8)
    assert WHOLE.time_to_resolve == timedelta(seconds=23.9)
    assert (WHOLE.pages_sent, WHOLE.paged, WHOLE.delivered, WHOLE.notes) == (1, ("person:ada",), 1, 1)
    assert (WHOLE.alerts_seen, WHOLE.alerts_firing, WHOLE.entries) == (1, 0, 26)
    assert WHOLE.roles == (("incident_commander", "ada"),)
    assert [due.kind for due in WHOLE.deadlines] == [K.CLOSE]


def test_the_stages_are_from_one_moment_to_the_next() -> None:
    assert WHOLE.stages == Stages(
        detect=timedelta(seconds=2.4),
        respond=timedelta(seconds=0.3),  # the automation began
        mitigate=timedelta(seconds=19.5),
        monitor=timedelta(seconds=4.1),
    )


def test_the_running_stage_grows_and_the_others_do_not() -> None:
    running = summary_of((0, opened()))
    assert running.stage is Stage.RESPOND
    assert stages_at(running, after(10)).respond == timedelta(seconds=10)
    assert stages_at(running, after(-10)).respond == timedelta()
    assert stages_at(WHOLE, after(999)) == WHOLE.stages


def test_an_action_is_known_by_how_it_went() -> None:
    went = {action.step: (action.state, action.detail, action.attempts) for action in WHOLE.actions}
    assert went == {
        "clear-cache": (ActionState.DID_NOT_HELP, "/health still answers 503 after 3 s", 1),
        "disable-payment-provider": (ActionState.HELPED, "/health answers 200", 1),
    }


def test_a_page_knows_when_and_how_it_arrived() -> None:
    (page,) = WHOLE.pages
    assert (page.target, page.delivered_at, page.delivered_by, page.failed_by) == (
        "person:ada", after(0.4), ("slack",), (),
    )  # fmt: skip


def test_a_page_that_a_channel_did_not_take_says_so_until_another_one_does() -> None:
    failed = said.NotificationFailed(
        notification="n", page="page-1", channel="slack", recipient="person:ada", reason="404", exhausted=False
    )
    (page,) = summary_of((0, opened()), (0, paged()), (1, failed)).pages
    assert (page.failed_by, page.delivered_at) == (("slack",), None)
    (page,) = summary_of((0, opened()), (0, paged()), (1, failed), (2, delivered(channel="email"))).pages
    assert (page.failed_by, page.delivered_by, page.delivered_at) == (("slack",), ("email",), after(2))


def test_acknowledging_voids_what_was_due_for_it() -> None:
    story = [
        (0.0, opened()),
        (0.0, deadline(K.ACKNOWLEDGE, 20)),
        (0.0, deadline(K.ESCALATE, 15, 1)),
        (0.0, deadline(K.RESOLVE, 900)),
    ]
    assert {due.kind for due in summary_of(*story).deadlines} == {K.ACKNOWLEDGE, K.ESCALATE, K.RESOLVE}
    answered = summary_of(*story, (5, said.IncidentAcknowledged(by=ADA)))
    assert [due.kind for due in answered.deadlines] == [K.RESOLVE]
    assert (answered.phase, answered.acknowledged_by) == (Phase.ACKNOWLEDGED, "ada")


def test_a_severity_that_rises_if_it_lasts_is_due_beside_the_next_level_and_outlives_an_answer() -> None:
    story = [
        (0.0, opened()),
        (0.0, deadline(K.ESCALATE, 15, 1)),
        (0.0, deadline(K.ESCALATE, 900)),
        (0.0, deadline(K.ESCALATE, 30, 2)),
    ]
    assert [due.due_at for due in summary_of(*story).deadlines] == [after(900), after(30)]
    answered = summary_of(*story, (5, said.IncidentAcknowledged(by=ADA)))
    assert [due.due_at for due in answered.deadlines] == [after(900)]
    escalated = summary_of(*story, (30, said.IncidentEscalated(level=2, reason="unresolved", by=SYSTEM)))
    assert [due.due_at for due in escalated.deadlines] == [after(900)]


def test_an_action_begins_the_mitigation_only_where_nobody_has_yet() -> None:
    claimed = said.ActionClaimed(**STEP, attempt=1, execution="e", claimed_by="r", abandon_at=after(99))
    watched = [(0.0, opened()), (5.0, said.IncidentMonitoring(watch_until=after(20))), (6.0, claimed)]
    assert summary_of(*watched).stage is Stage.MONITOR
    assert summary_of(*watched, (9, said.IncidentResolved(by=SYSTEM)), (10, claimed)).stage is None


def test_a_deadline_that_is_set_again_is_moved() -> None:
    moved = summary_of((0, opened()), (0, deadline(K.UPDATE, 60)), (60, deadline(K.UPDATE, 120)))
    assert [due.due_at for due in moved.deadlines] == [after(120)]


def test_missing_a_promise_is_counted_and_an_alarm_clock_is_not() -> None:
    missed = summary_of(
        (0, opened()),
        (0, deadline(K.ACKNOWLEDGE, 20)),
        (20, said.DeadlineMissed(deadline=deadline(K.ACKNOWLEDGE, 20).deadline, kind=K.ACKNOWLEDGE, due_at=after(20))),
        (30, said.DeadlineMissed(deadline="x", kind=K.UPDATE, due_at=after(30))),
    )
    assert (missed.missed, missed.deadlines) == (1, ())


def test_an_alert_that_fires_again_takes_the_time_up_where_it_was() -> None:
    story = [
        (0.0, opened()),
        (5.0, said.IncidentAcknowledged(by=ADA)),
        (10.0, said.IncidentMonitoring(watch_until=after(20))),
        (13.0, said.IncidentResumed(rule="CheckoutErrors")),
        (30.0, said.IncidentMonitoring(watch_until=after(40))),
        (40.0, said.IncidentResolved(by=SYSTEM)),
    ]
    summary = summary_of(*story)
    assert summary.stages == Stages(
        detect=timedelta(seconds=2.4),
        respond=timedelta(seconds=5),
        mitigate=timedelta(seconds=22),
        monitor=timedelta(seconds=13),
    )
    assert summary.mitigated_at == after(30)


def test_a_reopened_incident_runs_again_and_keeps_its_first_answer() -> None:
    summary = summary_of(*a_whole_incident(), (40, said.IncidentReopened(by=SYSTEM)))
    assert (summary.phase, summary.active, summary.reopened) == (Phase.TRIGGERED, True, 1)
    assert (summary.resolved_at, summary.acknowledged_by, summary.deadlines) == (None, None, ())
    assert summary.acknowledged_at == after(12.3)
    assert stages_at(summary, after(50)).respond == timedelta(seconds=10.3)


def test_an_acknowledgement_that_lapsed_leaves_the_incident_unanswered() -> None:
    lapsed = summary_of(
        (0, opened()),
        (5, said.IncidentAcknowledged(by=ADA, until=after(60))),
        (61, said.IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM)),
    )
    assert (lapsed.phase, lapsed.acknowledged_by, lapsed.level) == (Phase.TRIGGERED, None, 1)


def test_an_alert_that_ends_twice_ends_once() -> None:
    summary = summary_of((0, opened()), (0, grouped()), (0, grouped(episode="e2")), (9, cleared()), (9, cleared()))
    assert (summary.alerts_seen, summary.alerts_firing) == (2, 1)


def test_an_incident_of_very_many_events_has_a_small_summary() -> None:
    summary = summary_of((0, opened()))
    for number in range(1_000):
        for event in (grouped(rule=f"r{number}", episode=f"e{number}"), paged(f"p{number}", f"person-{number}")):
            summary = evolve(summary, as_log([(1, event)])[0])
    assert (len(summary.alerts), len(summary.pages), len(summary.paged)) == (KEPT, KEPT, KEPT)
    assert (summary.alerts_seen, summary.alerts_firing, summary.pages_sent) == (1_000, 1_000, 1_000)
    for number in range(1_000):
        summary = evolve(summary, as_log([(2, cleared(episode=f"e{number}"))])[0])
    assert summary.alerts_firing == 0
    assert len(dump_summary(summary)) < 64_000


# --- for any events in any order -------------------------------------------------------------------------------------

stories = st.lists(st.tuples(st.floats(-100, 10_000), st.sampled_from(every_event())), max_size=60)


@given(stories)
@settings(max_examples=200, deadline=None)
def test_any_events_in_any_order_fold(story: list[tuple[float, Event]]) -> None:
    summary = summary_of(*story)
    assert summary.entries == len(story)
    assert summary.alerts_firing >= 0
    assert all(getattr(summary.stages, name) >= timedelta() for name in Stages.__slots__)
    assert all(took is None or took >= timedelta() for took in (summary.time_to_acknowledge, summary.time_to_resolve))
    assert len({(due.kind, due.level is None) for due in summary.deadlines}) == len(summary.deadlines)


@given(stories)
@settings(max_examples=100, deadline=None)
def test_a_summary_is_stored_and_read_back_as_it_is(story: list[tuple[float, Event]]) -> None:
    summary = summary_of(*story)
    assert load_summary(dump_summary(summary)) == summary


@given(stories, st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_rebuilt_is_as_live_wherever_it_was_stored_in_between(story: list[tuple[float, Event]], cut: int) -> None:
    log = as_log(story)
    stored = load_summary(dump_summary(fold(INCIDENT, log[:cut])))
    assert stored is not None
    for event in log[cut:]:
        stored = evolve(stored, event)
    assert stored == fold(INCIDENT, log)


@given(st.lists(st.tuples(st.floats(0, 10_000), st.sampled_from(every_event())), max_size=60))
@settings(max_examples=100, deadline=None)
def test_the_stages_of_an_open_incident_are_all_of_its_time(story: list[tuple[float, Event]]) -> None:
    """Where no clock steps back and it is never over, no second is missing and none counts twice."""
    over = (said.IncidentResolved, said.IncidentClosed, said.IncidentOpened)
    told = sorted((moment for moment in story if not isinstance(moment[1], over)), key=lambda moment: moment[0])
    summary = summary_of((0.0, opened()), *told)
    stages = stages_at(summary, after(20_000))
    assert stages.detect + stages.respond + stages.mitigate + stages.monitor == after(20_000) - after(-2.4)


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=4), st.sampled_from([None, *Stage]))
def test_the_bar_is_never_wider_than_it_is_and_never_hides_a_stage(took: list[float], running: Stage | None) -> None:
    stages = Stages(*(timedelta(seconds=seconds) for seconds in took))
    parts = segments(stages, running)
    assert sum(part.width for part in parts) <= 1000.5
    for part, seconds in zip(parts, took, strict=True):
        assert part.width >= 14 or (timedelta(seconds=seconds) == timedelta() and not part.running)
    assert all(b.x >= a.x + a.width for a, b in pairwise(parts) if a.width and b.width)


def test_text_that_is_no_summary_is_none() -> None:
    assert load_summary("{") is None
    assert load_summary('{"incident": 1}') is None


def test_an_empty_incident_is_said_without_an_error() -> None:
    assert empty("x").time_to_resolve is None
    assert replace(empty("x"), phase=Phase.CLOSED).active is False
