"""Sources that do not answer, what a playbook no longer has, and what this version does not watch."""

from datetime import timedelta
from itertools import pairwise

import pytest
from detector_world import SHOP, START, at, fired, story

from tocsin_detector.core.known import EMPTY, AlertEvent, KnownAlerts, Word
from tocsin_detector.core.plan import plan_watch
from tocsin_detector.core.source_down import LEASE, RULE, Failing, decide_source_down
from tocsin_detector.core.withdrawn import decide_withdrawn
from tocsin_playbook import Playbook
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired

FAILING = Failing("answered 500", START)


def decide(
    seconds: float, failing: Failing | None, known: KnownAlerts = EMPTY, *, said_it: bool = False
) -> AlertEvent | None:
    return decide_source_down("app", failing, known, SHOP, at(seconds), patience=timedelta(seconds=30), said_it=said_it)


def after(event: AlertEvent | None, seconds: float, known: KnownAlerts = EMPTY) -> KnownAlerts:
    assert event is not None
    return known.with_words([Word(event, at(seconds))])


def test_a_source_may_be_silent_for_a_while_before_somebody_hears_of_it() -> None:
    assert decide(29.9, FAILING) is None
    event = decide(30, FAILING)
    assert isinstance(event, AlertFired)
    assert event.labels == Labels(alertname=RULE, source="app", playbook="shop")
    assert event.summary == "Source app does not answer, so nothing it shows is watched: answered 500"
    assert event.starts_at == START


def test_it_is_renewed_in_time_and_not_more_often() -> None:
    known = after(decide(30, FAILING), 30)
    told = []
    for second in range(31, 631):
        event = decide(second, FAILING, known, said_it=True)
        if event is not None:
            assert known.firing()
            told.append(second)
            known = after(event, second, known)
    assert len(told) <= 600 / (LEASE.total_seconds() / 2)
    assert all(later - earlier < LEASE.total_seconds() for earlier, later in pairwise(told))


def test_who_said_so_says_when_it_answers_again() -> None:
    known = after(decide(30, FAILING), 30)
    event = decide(40, None, known, said_it=True)
    assert event is not None
    assert story([event]) == ["resolved"]
    assert decide(41, None, after(event, 40, known), said_it=False) is None


def test_who_sees_the_source_does_not_contradict_who_does_not() -> None:
    known = after(decide(30, FAILING), 30)
    assert decide(31, None, known, said_it=False) is None


def test_what_was_told_of_a_source_that_no_longer_exists_is_withdrawn() -> None:
    known = after(decide(30, FAILING), 30)
    assert decide_withdrawn(playbook("app"), SHOP, known, at(31)) == ()
    assert story(decide_withdrawn(playbook("other"), SHOP, known, at(31))) == ["withdrawn"]


def test_the_alerts_of_a_rule_that_no_longer_exists_are_withdrawn_and_no_others() -> None:
    events = [
        fired(Labels(alertname="Gone", s="1"), playbook=PlaybookRef(name="shop", revision="ba9876543210")),
        fired(Labels(alertname="Slow"), playbook=SHOP),
        fired(Labels(alertname="Gone", s="2"), playbook=PlaybookRef(name="other", revision="ba9876543210")),
        fired(Labels(alertname="Gone", s="3")),
    ]
    known = EMPTY.with_words(Word(event, START) for event in events)
    [event] = decide_withdrawn(playbook("app"), SHOP, known, at(1))
    assert event.labels == Labels(alertname="Gone", s="1")
    assert (event.reason, event.playbook, event.episode) == ("withdrawn", SHOP, "e1")


# --- the plan ---------------------------------------------------------------------------------------------------------


def playbook(*scraped: str, rules: tuple[dict[str, object], ...] = (), **detect: object) -> Playbook:
    slow = {"name": "Slow", "expr": "x", "ladder": [{"severity": "P1", "above": 1}]}
    return Playbook.model_validate(
        {
            "apiVersion": "tocsin/v1",
            "kind": "Playbook",
            "metadata": {"name": "shop"},
            "severities": [{"name": "P1"}],
            "sources": [{"name": n, "prometheus": {"scrape": "http://127.0.0.1:1/metrics"}} for n in scraped]
            + [{"name": "asked", "prometheus": {"server": "http://127.0.0.1:1"}}, {"name": "pushed", "push": {}}],
            "detect": {"rules": [slow, *rules], **detect},
        }
    )


def other(name: str, expr: str, **given: object) -> dict[str, object]:
    return {"name": name, "expr": expr, "ladder": [{"severity": "P1", "above": 1}], **given}


def test_a_rule_looks_at_its_source_or_at_all() -> None:
    plan = plan_watch(playbook("a", "b", rules=(other("OnlyB", "x", source="b"),)))
    assert {planned.rule.name: planned.sources for planned in plan.rules} == {"Slow": ("a", "b"), "OnlyB": ("b",)}


def test_a_rule_whose_source_is_not_scraped_is_left_out_so_that_absence_is_no_alarm() -> None:
    plan = plan_watch(playbook("a", rules=(other("Lost", "absent(x)", source="pushed"),)))
    assert [planned.rule.name for planned in plan.rules] == ["Slow"]
    assert plan.left_out == {"rules": ["Lost"], "sources": ["asked", "pushed"]}


def test_what_this_version_does_not_watch_is_named() -> None:
    ladder = [{"severity": "P1"}]
    plan = plan_watch(
        playbook(
            "a",
            probes=[{"name": "P", "tcp": {"host": "h", "port": 1}, "ladder": ladder}],
            absent=[{"name": "A", "expr": "x", "severity": "P1"}],
            anomalies=[{"name": "N", "expr": "x", "ladder": [{"severity": "P1", "deviations": 4}]}],
            burn_rates=[
                {
                    "name": "B",
                    "objective": "99.9%",
                    "bad": "x[$window]",
                    "total": "x[$window]",
                    "ladder": [{"severity": "P1", "long": "1h", "short": "5m", "factor": 14.4}],
                }
            ],
        )
    )
    assert {kind: plan.left_out[kind] for kind in ("probes", "absences", "anomalies", "burn rates")} == {
        "probes": ["P"],
        "absences": ["A"],
        "anomalies": ["N"],
        "burn rates": ["B"],
    }


@pytest.mark.parametrize("expr", ["x atan2 x", "sum(", "x @ 0", "+".join(["a"] * 1500)])
def test_a_rule_that_is_not_understood_does_not_keep_others_from_being_watched(expr: str) -> None:
    plan = plan_watch(playbook("a", rules=(other("Odd", expr),)))
    assert list(plan.not_understood) == ["Odd"]
    assert plan.not_understood["Odd"]
    assert [planned.rule.name for planned in plan.rules] == ["Slow"]


def test_samples_are_kept_for_as_long_as_the_longest_look_back() -> None:
    plan = plan_watch(playbook("a", rules=(other("Long", "rate(x[1h] offset 1h)"),)))
    assert plan.lookback == timedelta(hours=2, minutes=5)
    assert [planned.reach for planned in plan.rules] == [timedelta(0), timedelta(hours=2)]
