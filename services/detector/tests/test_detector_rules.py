"""A rule over time: what it tells, what it leaves out, what it does when it cannot see."""

import math

import pytest
from detector_world import REMEMBER, SHOP, START, Told, at, fired, resolved, rung, story

from tocsin_detector.core.known import KnownAlerts, Word
from tocsin_detector.core.rules import Seen, evaluate_rule
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired
from tocsin_schemas.ids import fingerprint

SLOW = Labels(alertname="Slow")
TWO = (rung("P1", above=20), rung("P2", above=10))


def test_an_alert_fires_once_and_resolves_once() -> None:
    told = Told()
    for second, value in enumerate([5, 11, 12, 13, 5, 5]):
        told.see(second, value)
    assert story(told.events) == ["fired P1", "resolved"]
    one, other = told.events
    assert one.episode == other.episode


def test_what_is_told_says_what_was_seen() -> None:
    told = Told(
        rung("P1", above="25%"),
        labels={"service": "checkout"},
        annotations={"runbook": "look"},
        summary="{{ value | percent }} on {{ labels.s }}",
    )
    [event] = told.see(0, {"a": 0.5})
    assert isinstance(event, AlertFired)
    assert event.labels == Labels(alertname="Slow", service="checkout", s="a")
    assert event.fingerprint == fingerprint(event.labels)
    assert (event.rule, event.source, event.playbook, event.severity) == ("Slow", "app", SHOP, "P1")
    assert (event.value, event.threshold, event.starts_at) == (0.5, 0.25, START)
    assert event.summary == "50% on a"
    assert event.annotations == {"runbook": "look"}


def test_each_series_is_an_alert_of_its_own() -> None:
    told = Told()
    told.see(0, {"a": 11, "b": 11, "c": 1})
    told.see(1, {"a": 11, "b": 1, "c": 1})
    assert [(line, event.labels["s"]) for line, event in zip(story(told.events), told.events, strict=True)] == [
        ("fired P1", "a"),
        ("fired P1", "b"),
        ("resolved", "b"),
    ]


def test_a_series_that_vanishes_has_recovered() -> None:
    told = Told()
    told.see(0, 11)
    assert story(told.see(1, None)) == ["resolved"]


def test_severity_goes_up_and_down_within_one_episode() -> None:
    told = Told(*TWO)
    for second, value in enumerate([15, 25, 15, 25, 1]):
        told.see(second, value)
    assert story(told.events) == ["fired P2", "fired P1", "fired P2", "fired P1", "resolved"]
    assert len({event.episode for event in told.events}) == 1
    assert {event.starts_at for event in told.events if isinstance(event, AlertFired)} == {START}


def test_a_later_firing_is_another_episode() -> None:
    told = Told()
    for second, value in enumerate([11, 1, 11, 1, 11]):
        told.see(second, value)
    episodes = [event.episode for event in told.events if isinstance(event, AlertFired)]
    assert len(set(episodes)) == 3


def test_replicas_that_never_talked_give_a_firing_the_same_name() -> None:
    one, other = Told(), Told()
    one.see(0, 11)
    other.see(7, 99)
    assert one.events[0].episode == other.events[0].episode


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_finite_number_is_not_put_into_the_event(value: float) -> None:
    told = Told(rung("P1", above=10), rung("P1", below=-10))
    events = told.see(0, value)
    assert story(events) == ([] if math.isnan(value) else ["fired P1"])
    assert all(isinstance(event, AlertFired) and event.value is None for event in events)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_the_rules_own_labels_win_over_those_of_the_series() -> None:
    told = Told(labels={"s": "ours"})
    told.see(0, {"theirs": 11})
    assert told.events[0].labels == Labels(alertname="Slow", s="ours")


def test_the_metrics_name_is_not_a_label_of_the_alert() -> None:
    told = Told()
    told.see_series(0, [({"__name__": "x", "alertname": "forged"}, 11)])
    assert told.events[0].labels == SLOW


@pytest.mark.parametrize("order", [(25, 15, 5), (5, 15, 25), (15, 25, 5)])
def test_of_several_series_that_become_one_alert_the_worst_counts_in_any_order(order: tuple[float, ...]) -> None:
    told = Told(*TWO, labels={"s": "all"})
    told.see_series(0, [({"s": str(index)}, value) for index, value in enumerate(order)])
    assert story(told.events) == ["fired P1"]
    assert told.events[0].labels == Labels(alertname="Slow", s="all")


def test_not_a_number_is_better_than_any_crossing_where_series_become_one_alert() -> None:
    told = Told(rung("P1", below=10), labels={"s": "all"})
    told.see_series(0, [({"s": "1"}, math.nan), ({"s": "2"}, 3.0), ({"s": "3"}, math.nan)])
    assert [event.value for event in told.events if isinstance(event, AlertFired)] == [3.0]


def test_a_series_whose_labels_cannot_be_an_alerts_costs_itself_only() -> None:
    told = Told()
    hostile = [
        ({f"l{number}": "x" for number in range(64)}, 11.0),
        ({"long": "x" * 1025}, 11.0),
        ({"bad-name": "x"}, 11.0),
        ({"turned": "a\u202eb"}, 11.0),
    ]
    told.see_series(0, [*hostile, ({"s": "fine"}, 11.0)])
    assert [event.labels["s"] for event in told.events] == ["fine"]
    assert len(told.last.refused) == 4
    assert "65 labels" in told.last.refused[0]


# --- what cannot be seen ----------------------------------------------------------------------------------------------


def test_while_its_source_does_not_answer_nothing_begins_and_nothing_ends() -> None:
    told = Told(rung("P1", above=10, **{"for": "5s"}))
    told.see(0, {"a": 11})
    told.see(5, {"a": 11, "b": 11})
    for second in range(6, 60):
        assert told.see(second, None, blind=True) == []
    assert story(told.events) == ["fired P1"]
    assert story(told.see(60, {"a": 1, "b": 11})) == ["resolved", "fired P1"]


def test_while_one_of_several_sources_does_not_answer_alerts_begin_but_do_not_end() -> None:
    told = Told(*TWO)
    told.see(0, {"a": 25, "b": 15})
    told.see(1, {"a": 15, "c": 25}, may_end=False)
    assert story(told.events) == ["fired P1", "fired P2", "fired P1"]
    assert story(told.see(2, {"a": 15, "c": 25})) == ["fired P2", "resolved"]


def test_severity_rises_while_one_of_several_sources_does_not_answer() -> None:
    told = Told(*TWO)
    told.see(0, 15)
    assert story(told.see(1, 25, may_end=False)) == ["fired P1"]


def test_what_is_missing_or_lower_while_not_all_is_seen_has_not_recovered() -> None:
    told = Told(keep_firing_for="2s")
    told.see(0, 11)
    again = told.restarted()
    assert [again.see(second, value, may_end=False) for second, value in ((1, None), (5, 3), (9, None))] == [[], [], []]
    assert again.see(10, None) == []
    assert story(again.see(12, None)) == ["resolved"]


# --- after a restart --------------------------------------------------------------------------------------------------


def test_after_a_restart_it_goes_on_firing_and_resolves_later() -> None:
    told = Told(rung("P1", above=20, **{"for": "5m"}), rung("P2", above=10))
    told.see(0, 25)
    told.see(300, 25)
    assert story(told.events) == ["fired P2", "fired P1"]
    again = told.restarted()
    assert [again.see(second, 25) for second in (301, 302, 700)] == [[], [], []]
    [event] = again.see(701, 1)
    assert story([event]) == ["resolved"]
    assert event.episode == told.events[0].episode


def test_keep_firing_for_holds_after_a_restart() -> None:
    told = Told(keep_firing_for="10s")
    told.see(0, 11)
    again = told.restarted()
    assert again.see(5, 1) == []
    assert story(again.see(15, 1)) == ["resolved"]


def test_what_was_pending_begins_again_after_a_restart() -> None:
    told = Told(rung("P1", above=10, **{"for": "10s"}))
    told.see(0, 11)
    again = told.restarted()
    assert again.see(10, 11) == []
    assert story(again.see(20, 11)) == ["fired P1"]


def test_a_severity_that_the_ladder_no_longer_has_still_resolves() -> None:
    told = Told(rung("Critical", above=10))
    told.see(0, 11)
    again = Told(rung("P1", above=50), known=told.known)
    assert story(again.see(1, 11)) == ["resolved"]
    changed = Told(rung("P1", above=5), known=told.known)
    assert story(changed.see(1, 11)) == ["fired P1"]
    assert changed.events[0].episode == told.events[0].episode


def test_an_alert_of_another_playbook_or_of_another_system_is_left_alone() -> None:
    other = fired(
        Labels(alertname="Slow", s="b"), severity="P1", playbook=PlaybookRef(name="other", revision="ba9876543210")
    )
    foreign = fired(Labels(alertname="Slow", s="c"), severity="P1", expires_at=at(300))
    told = Told(known=KnownAlerts().with_words([Word(other, START), Word(foreign, START)]))
    assert [told.see(second, {"a": 1}) for second in (0, 1, 2)] == [[], [], []]


def test_two_playbooks_that_see_the_same_do_not_quarrel() -> None:
    other = fired(SLOW, severity="P2", playbook=PlaybookRef(name="other", revision="ba9876543210"))
    told = Told(known=KnownAlerts().with_words([Word(other, START)]))
    assert [told.see(second, 11) for second in (0, 1)] == [[], []]
    told.hears(2, resolved(SLOW, playbook=other.playbook))
    assert story(told.see(3, 11)) == ["fired P1"]


def test_a_rule_takes_over_what_a_foreign_system_has_firing_with_the_same_labels() -> None:
    told = Told(known=KnownAlerts().with_words([Word(fired(SLOW, severity="P1", expires_at=at(300)), START)]))
    assert story(told.see(0, 11)) == ["fired P1"]
    taken = told.known.get(fingerprint(SLOW))
    assert taken is not None
    assert (taken.playbook, taken.expires_at, taken.episode) == ("shop", None, "e1")


# --- several replicas -------------------------------------------------------------------------------------------------


def test_older_samples_do_not_contradict_what_another_replica_has_seen_since() -> None:
    told = Told()
    told.see(0, 11)
    ours = told.events[0]
    told.hears(10, resolved(SLOW, ours.episode, playbook=SHOP))
    assert told.see(11, 11, at=at(9)) == []
    assert told.see(12, 11, at=at(9)) == []
    assert story(told.see(13, 11)) == ["fired P1"]
    assert told.events[-1].episode != ours.episode


def test_after_another_replica_has_ended_it_the_duration_begins_anew() -> None:
    told = Told(rung("P1", above=10, **{"for": "10s"}))
    told.see(0, 11)
    told.see(10, 11)
    told.hears(20, resolved(SLOW, told.events[0].episode, playbook=SHOP))
    assert [told.see(second, 11) for second in (21, 30)] == [[], []]
    assert story(told.see(31, 11)) == ["fired P1"]


def test_a_foreign_alert_with_the_same_labels_does_not_shorten_the_duration() -> None:
    foreign = Word(fired(SLOW, severity="P1", expires_at=at(300)), START)
    told = Told(rung("P1", above=10, **{"for": "10s"}), known=KnownAlerts().with_words([foreign]))
    assert told.see(0, 11) == told.see(9, 11) == []
    assert story(told.see(10, 11)) == ["fired P1"]


def test_a_replica_resolves_what_only_the_other_one_saw_begin() -> None:
    said = Told()
    said.see(0, 11)
    told = Told()
    told.hears(0, *said.events)
    assert told.see(1, None, at=at(-5)) == []
    assert story(told.see(10, None)) == ["resolved"]


def test_a_replica_that_waits_longer_does_not_take_back_the_severity_of_the_other() -> None:
    told = Told(rung("P1", above=20, **{"for": "10s"}), rung("P2", above=10))
    told.see(5, 25)
    ours = told.events[0]
    assert isinstance(ours, AlertFired)
    told.hears(10, ours.model_copy(update={"severity": "P1"}))
    assert [told.see(second, 25) for second in (11, 12, 20)] == [[], [], []]


def test_an_event_follows_from_what_was_seen_and_known_alone() -> None:
    told = Told(*TWO)
    seen = Seen([({"s": "a"}, 25.0)], START)
    one, other = (evaluate_rule(told.watched, told.state, seen, told.known, START) for _ in range(2))
    assert one == other


def test_an_alert_that_ended_long_ago_gets_a_name_that_it_never_had() -> None:
    told = Told()
    day = REMEMBER.total_seconds()
    names = set()
    for begin in (0, 60, 2 * day, 4 * day, 4 * day + 60):
        told.see(begin, 11)
        told.see(begin + 1, 1)
        names.add(told.events[-1].episode)
    assert len(names) == 5
