"""What an incident adds up to: the whole story, the stages, and what holds for any order of any events."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_builders import (
    ADA,
    FINGERPRINT,
    INCIDENT,
    OTHER,
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

from tocsin_recorder.adapters.looks import headline, segments
from tocsin_recorder.adapters.summaries import dump_summary, load_summary
from tocsin_recorder.core.fold import evolve, fold
from tocsin_recorder.core.summary import (
    KEPT,
    ActionState,
    Linked,
    Origin,
    Phase,
    Stage,
    Stages,
    Summary,
    WarRoom,
    empty,
    stages_at,
)
from tocsin_schemas import Actor, DeadlineKind, Event, Impact
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
    assert (summary.phase, summary.active, summary.reopened) == (Phase.REOPENED, True, 1)
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


# --- how far the work is, and who has it ------------------------------------------------------------------------------

GRACE = Actor.person("grace", "cli")


def updated(status: str | None = None, text: str = "We look.") -> said.StatusUpdated:
    return said.StatusUpdated(text=text, status=status, by=ADA)  # type: ignore[arg-type]  # one of the literals


def phases(*story: Event) -> list[str]:
    """The phase after each event."""
    return [summary_of((0, opened()), *enumerate(story[: n + 1], start=1)).phase.value for n in range(len(story))]


def test_an_update_moves_an_incident_that_somebody_is_on_and_no_other() -> None:
    assert phases(updated("mitigating")) == ["triggered"]
    held = (said.IncidentAcknowledged(by=ADA), updated("investigating"), updated("identified"), updated("mitigating"))
    assert phases(*held) == ["acknowledged", "investigating", "identified", "mitigating"]
    assert phases(*held, updated(), said.IncidentAcknowledged(by=GRACE))[-2:] == ["mitigating", "mitigating"]
    watched = said.IncidentMonitoring(watch_until=after(60))
    assert phases(*held, watched, updated("investigating"))[-2:] == ["monitoring", "monitoring"]


def test_an_update_is_due_no_more_once_there_is_one() -> None:
    due = [(0.0, deadline(K.UPDATE, 60)), (0.0, deadline(K.RESOLVE, 900))]
    assert [each.kind for each in summary_of((0, opened()), *due, (5, updated())).deadlines] == [K.RESOLVE]


def test_an_alert_that_fires_again_goes_back_to_how_far_the_work_was() -> None:
    watched, again = said.IncidentMonitoring(watch_until=after(60)), said.IncidentResumed(rule="R")
    held = (said.IncidentAcknowledged(by=ADA), updated("identified"))
    assert phases(*held, watched, again)[-1] == "identified"
    assert phases(watched, again)[-1] == "triggered"
    over = (said.IncidentResolved(by=ADA), said.IncidentReopened(by=SYSTEM))
    assert phases(*held, *over, watched, again)[-1] == "reopened"
    assert phases(*held, *over, said.IncidentAcknowledged(by=ADA))[-1] == "acknowledged"


def test_a_false_alarm_is_over_and_still_known_as_one_when_it_is_closed() -> None:
    false_alarm = said.IncidentResolved(by=ADA, false_alarm=True)
    assert phases(false_alarm, said.IncidentClosed()) == ["false_alarm", "closed"]
    closed = summary_of((0, opened()), (1, false_alarm), (2, said.IncidentClosed()))
    assert (closed.active, closed.false_alarm, headline(closed)) == (False, True, ("Closed, false alarm", "done"))
    assert summary_of((0, opened()), (1, false_alarm), (2, said.IncidentReopened(by=ADA))).false_alarm is False


def test_whoever_has_it_and_then_cannot_leaves_it_unanswered() -> None:
    declined = said.ResponderDeclined(person="ada", by=ADA)
    held = (said.IncidentAcknowledged(by=ADA, until=after(60)), updated("identified"))
    assert phases(*held, declined)[-1] == "triggered"
    left = summary_of((0, opened()), *enumerate((*held, declined), start=1))
    assert (left.acknowledged_by, left.acknowledged_until, left.declined) == (None, None, ("ada",))
    assert phases(said.IncidentAcknowledged(by=GRACE), declined)[-1] == "acknowledged"
    assert summary_of((0, opened()), (1, declined), (2, held[0])).declined == ()
    over = ((2, said.IncidentResolved(by=ADA)), (3, said.IncidentReopened(by=ADA)))
    assert summary_of((0, opened()), (1, declined), *over).declined == ()


def test_an_acknowledgement_that_lapses_does_so_however_far_the_work_was() -> None:
    held = (said.IncidentAcknowledged(by=ADA, until=after(2)), updated("identified"))
    lapsed = said.IncidentEscalated(level=1, reason="unacknowledged", by=SYSTEM)
    assert phases(*held, lapsed)[-1] == "triggered"


def test_who_must_still_answer_is_known_until_somebody_is_on_it() -> None:
    both = [(1.0, paged("p1", "ada", each=True)), (1.0, paged("p2", "bob", each=True)), (1.0, paged("p3", "eve"))]
    waiting = summary_of((0, opened()), *both)
    assert (waiting.waiting_for, headline(waiting)) == (("ada", "bob"), ("Waiting for ada, bob", "bad"))
    one = summary_of((0, opened()), *both, (2, said.ResponderAnswered(person="ada", waiting_for=("bob",), by=ADA)))
    assert one.waiting_for == ("bob",)
    cannot = summary_of((0, opened()), *both, (2, said.ResponderDeclined(person="ada", by=ADA)))
    assert cannot.waiting_for == ("bob",)
    ends = (said.IncidentAcknowledged(by=ADA), said.IncidentMonitoring(watch_until=after(9)))
    for end in (*ends, said.IncidentResolved(by=ADA), said.IncidentMuted(why="silence", name="x")):
        assert summary_of((0, opened()), *both, (2, end)).waiting_for == ()
    held = summary_of((0, opened()), (1, said.IncidentAcknowledged(by=GRACE)), (2, paged(each=True)))
    assert held.waiting_for == ()
    place = paged(each=True).model_copy(update={"target": "channel:slack:#incidents"})
    assert summary_of((0, opened()), (1, place)).waiting_for == ()


def test_each_page_that_nobody_has_answered_is_due_to_be_repeated_by_itself() -> None:
    pages = [(1.0, paged("p1", "ada")), (1.0, paged("p2", "bob"))]
    due = [(1.0, deadline(K.CONTACT, 60, page="p1")), (1.0, deadline(K.CONTACT, 60, page="p2"))]
    assert [each.page for each in summary_of((0, opened()), *pages, *due).deadlines] == ["p1", "p2"]

    def left(event: Event) -> list[str | None]:
        return [each.page for each in summary_of((0, opened()), *pages, *due, (60, event)).deadlines]

    assert left(paged("p3", "ada", reason="unanswered", way=1, repeats="p1")) == ["p2"]
    assert left(said.ResponderAnswered(person="bob", waiting_for=("ada",), by=ADA)) == ["p1"]
    assert left(said.ResponderDeclined(person="ada", by=ADA)) == ["p2"]
    for end in (said.IncidentAcknowledged(by=ADA), said.IncidentMuted(why="silence", name="x")):
        assert left(end) == []
    assert left(said.IncidentMonitoring(watch_until=after(90))) == []


def test_very_many_pages_to_repeat_leave_room_for_what_else_is_due() -> None:
    pages = [(1.0, deadline(K.CONTACT, 60, page=f"p{n}")) for n in range(2 * KEPT)]
    due = summary_of((0, opened()), *pages, (2, deadline(K.RESOLVE, 900))).deadlines
    assert (len(due), due[-1].kind) == (KEPT + 1, K.RESOLVE)


def test_a_warning_is_due_until_it_is_given_or_needless() -> None:
    soon = [(0.0, deadline(K.ACKNOWLEDGE_SOON, 10)), (0.0, deadline(K.RESOLVE_SOON, 800))]
    name = soon[1][1].deadline
    given = summary_of(
        (0, opened()), *soon, (800, said.TargetNeared(deadline=name, target="resolve", due_at=after(900)))
    )
    assert [due.kind for due in given.deadlines] == [K.ACKNOWLEDGE_SOON]
    answered = summary_of((0, opened()), *soon, (5, said.IncidentAcknowledged(by=ADA)))
    assert [due.kind for due in answered.deadlines] == [K.RESOLVE_SOON]
    worse = said.SeverityChanged(before="P1", after="P0", why="alert", by=SYSTEM)
    assert summary_of((0, opened()), *soon, (5, worse)).deadlines == ()


# --- what it does to people, where it comes from, what it has to do with others ---------------------------------------


def test_what_is_known_of_the_impact_is_what_was_said_last() -> None:
    some, more = Impact(users_affected=0.3), Impact(users_affected=0.3, data_loss=False)
    known = summary_of((0, opened()), (1, said.ImpactStated(impact=some, by=ADA)))
    assert known.impact == some
    assert load_summary(dump_summary(known)) == known
    assert summary_of((0, opened()), *((n, said.ImpactStated(impact=i, by=ADA)) for n, i in enumerate((some, more)))
                      ).impact == more  # fmt: skip


def test_a_severity_that_a_person_has_set_is_theirs_until_they_release_it() -> None:
    by_hand = said.SeverityChanged(before="P1", after="P0", why="person", by=ADA)
    assert summary_of((0, opened()), (1, by_hand)).severity_held_by == "ada"
    assert summary_of((0, opened()), (1, by_hand), (2, said.SeverityReleased(by=ADA))).severity_held_by is None
    by_time = said.SeverityChanged(before="P1", after="P0", why="time", by=SYSTEM)
    assert summary_of((0, opened()), (1, by_time)).severity_held_by is None


def test_origin_war_room_and_the_last_update_are_kept() -> None:
    summary = summary_of(
        (0, opened()),
        (1, said.OriginSuspected(service="payments", because="both need it")),
        (2, said.WarRoomRequested(channel="slack", name="#incident-1")),
        (3, updated(text="first")),
        (4, updated(text="x" * 4_096)),
    )
    assert (summary.origin, summary.war_room) == (Origin("payments", "both need it"), WarRoom("slack", "#incident-1"))
    assert summary.last_update is not None
    assert (summary.updates, summary.last_update.by, summary.last_update.at) == (2, "ada", after(4))
    assert len(summary.last_update.text) == 2_000


def test_an_incident_that_was_merged_is_a_part_of_the_other_until_it_is_split_off() -> None:
    merged = said.IncidentMuted(why="merge", name="Payments are down", explained_by=OTHER)
    part = summary_of((0, opened()), (1, merged))
    assert (part.part_of, headline(part)) == (OTHER, ("Part of Payments are down", "done"))
    assert summary_of((0, opened()), (1, merged), (2, said.IncidentUnmuted(because="split"))).part_of is None
    assert summary_of((0, opened()), (1, merged), (2, said.IncidentReopened(by=ADA))).mute is None
    silenced = said.IncidentMuted(why="silence", name="upgrade", explained_by=OTHER)
    assert summary_of((0, opened()), (1, merged), (2, silenced)).part_of is None


def test_of_each_other_incident_the_last_that_was_said_counts() -> None:
    def linked(relation: str, other: str = OTHER) -> said.IncidentLinked:
        return said.IncidentLinked(other=other, relation=relation, by=ADA)  # type: ignore[arg-type]  # a literal

    summary = summary_of(
        (0, opened()), (1, linked("absorbed")), (2, linked("related", "abc")), (3, linked("split_into"))
    )
    assert summary.links == (Linked(OTHER, "split_into"), Linked("abc", "related"))
    many = summary_of((0, opened()), *((n, linked("related", f"i{n}")) for n in range(150)))
    assert (len(many.links), many.links_seen) == (KEPT, 150)


def test_an_alert_that_moved_to_another_incident_is_not_this_ones_any_more() -> None:
    def moved(episode: str) -> said.AlertMoved:
        return said.AlertMoved(fingerprint=FINGERPRINT, episode=episode, rule="CheckoutErrors", to=OTHER)

    two = [(0.0, opened()), (0.0, grouped()), (0.0, grouped(episode="e2"))]
    left = summary_of(*two, (1, moved("e1")))
    assert ([a.episode for a in left.alerts], left.alerts_seen, left.alerts_firing) == (["e2"], 1, 1)
    ended = summary_of(*two, (1, cleared("e2")), (2, moved("e2")))
    assert ([a.episode for a in ended.alerts], ended.alerts_seen, ended.alerts_firing) == (["e1"], 1, 1)
    assert summary_of(*two, (1, moved("e9"))).alerts_seen == 2
    many = summary_of((0, opened()), *((0, grouped(episode=f"e{n}")) for n in range(KEPT + 5)))
    unlisted = evolve(many, as_log([(1, moved(f"e{KEPT + 1}"))])[0])
    assert (len(unlisted.alerts), unlisted.alerts_seen, unlisted.alerts_firing) == (KEPT, KEPT + 4, KEPT + 4)


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
    assert len({(due.kind, due.level is None, due.page) for due in summary.deadlines}) == len(summary.deadlines)


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
