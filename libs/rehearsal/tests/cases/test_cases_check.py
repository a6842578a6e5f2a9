"""What was expected against what was seen: what passes, what differs, and what is said about it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tocsin_playbook.model.detect import Rule
from tocsin_rehearsal.cases import Expectation, Moment, Seen, check, judge, seen_of
from tocsin_rehearsal.cases.checks.not_yet import STATUS_PAGE
from tocsin_rehearsal.cases.peaks import Peak

S, M = timedelta(seconds=1), timedelta(minutes=1)
SHOP, CART = "incident-1", "incident-2"


def expect(**said: Any) -> list[Expectation]:
    return [Expectation.model_validate({name.rstrip("_"): value for name, value in said.items()})]


def seen(*moments: Moment, until: timedelta = 10 * M) -> Seen:
    return seen_of(moments, until)


def differences(expectations: list[Expectation], *moments: Moment) -> list[str]:
    return [f"{each.expected} | {each.seen}" for each in check(expectations, seen(*moments))]


def incident(
    at: timedelta, phase: str, severity: str = "P0", name: str = SHOP, service: str = "shop", **more: Any
) -> Moment:
    fields = {
        "incident": name, "phase": phase, "severity": severity, "title": "t", "labels": {"service": service},
        "roles": {}, "impact": {}, "part_of": None, "origin": None, "war_room": None, **more,
    }  # fmt: skip
    return Moment(at, "incident", f"incident {phase}, {severity}", fields)


def page(at: timedelta, target: str = "person:ada", outcome: str = "delivered", **more: Any) -> Moment:
    fields = {
        "outcome": outcome, "target": target, "channel": "slack", "level": 1, "way": 1, "severity": "P0",
        "incident": SHOP,
        **more,
    }  # fmt: skip
    return Moment(at, "page", f"{target} is paged", fields)


def action(at: timedelta, step: str, outcome: str = "started", runbook: str = "mend") -> Moment:
    fields = {"outcome": outcome, "runbook": runbook, "step": step, "incident": SHOP}
    return Moment(at, "action", f"{step} {outcome}", fields)


def request(at: timedelta, step: str = "restart", outcome: str = "delivered") -> Moment:
    fields = {
        "outcome": outcome, "target": "person:ada", "channel": "slack", "severity": "P0", "incident": SHOP,
        "runbook": "mend", "step": step,
    }  # fmt: skip
    return Moment(at, "approval", f"ada is asked to approve {step}", fields)


def message(at: timedelta, text: str, **more: Any) -> Moment:
    fields = {
        "channel": "slack", "to": "#incidents", "person": None, "about": "opened", "text": text, "incident": SHOP,
        **more,
    }  # fmt: skip
    return Moment(at, "message", f"message: {text}", fields)


def alert(at: timedelta, state: str = "firing", name: str = "Errors", severity: str = "P0") -> Moment:
    fields = {
        "alert": f"{name}-1", "state": state, "name": name, "severity": severity, "source": "shop",
        "labels": {"service": "shop"},
    }  # fmt: skip
    return Moment(at, "alert", f"alert {name} {state}", fields)


def deadline(at: timedelta, kind: str, due: timedelta, state: str = "open", level: int | None = None) -> Moment:
    fields = {
        "deadline": f"{kind}-1", "state": state, "kind": kind, "due": due, "level": level, "incident": SHOP,
    }  # fmt: skip
    return Moment(at, "deadline", f"{kind} {state}", fields)


def event(at: timedelta, type_: str, **said: Any) -> Moment:
    return Moment(at, "event", type_, {**said, "type": type_, "incident": SHOP})


# --- approvals -------------------------------------------------------------------------------------------------------


def test_who_is_asked_to_approve_is_not_paged() -> None:
    asked = request(2 * S)
    assert differences(expect(by="5s", nobody_paged=True), asked) == []
    assert differences(expect(by="5s", pages="ada"), asked) == [
        "by 5s: ada is paged | nobody is paged, since no alert fires"
    ]
    assert differences(expect(by="5s", approvals={"who": "ada", "step": "restart", "channel": "slack"}), asked) == []
    assert differences(expect(by="5s", approvals="none"), asked) == [
        "by 5s: nobody is asked to approve anything | at 2s ada is asked to approve restart"
    ]
    assert differences(expect(by="5s", approvals="ada", only="approvals"), asked, request(S, "drain")) == []


@pytest.mark.parametrize(
    ("item", "words", "instead"),
    [
        ("grace", "grace is asked to approve a step", "at 2s ada is asked to approve restart"),
        ({"step": "drain"}, "somebody is asked to approve drain", "nobody is asked to approve anything"),
        (
            {"outcome": "failed"},
            "somebody could not be asked to approve a step",
            "at 2s ada is asked to approve restart",
        ),
        (
            {"step": "restart", "runbook": "mend", "channel": "email", "times": 1},
            "somebody is asked to approve restart of mend by email, exactly once",
            "at 2s ada is asked to approve restart",
        ),
    ],
)
def test_another_request_than_expected_is_a_difference(item: Any, words: str, instead: str) -> None:
    assert differences(expect(by="5s", approvals=item), request(2 * S)) == [f"by 5s: {words} | {instead}"]


# --- what is nearest -------------------------------------------------------------------------------------------------


def test_of_an_event_the_fields_that_differ_are_named() -> None:
    opened = event(S, "IncidentOpened", severity="P2", labels={"service": "shop"}, by={"name": "ada"})
    wanted = {"type": "IncidentOpened", "with": {"severity": "P1", "by.name": "ada", "because": "x"}}
    assert differences(expect(by="9s", events=wanted), opened) == [
        "by 9s: IncidentOpened with severity=P1, by.name=ada, because=x | "
        "at 1s IncidentOpened: severity is P2, because is not said"
    ]
    assert differences(expect(by="9s", events={"type": "IncidentOpened", "with": {"labels": {}}}), opened) == [
        'by 9s: IncidentOpened with labels={} | at 1s IncidentOpened: labels is {"service": "shop"}'
    ]


def test_of_several_events_the_one_with_the_fewest_differences_is_shown() -> None:
    near, far = event(2 * S, "NoteAdded", text="hm", by="eve"), event(S, "NoteAdded", text="ah", by="eve")
    wanted = {"type": "NoteAdded", "with": {"text": "hm", "by": "ada"}}
    assert differences(expect(by="9s", events=wanted), far, near)[0].endswith("| at 2s NoteAdded: by is eve")


def test_of_a_page_what_its_text_does_not_show_is_named() -> None:
    assert differences(expect(by="9s", pages={"severity": "P1"}), page(S)) == [
        "by 9s: somebody is paged (P1) | at 1s person:ada is paged: severity is P0"
    ]
    other = expect(by="9s", pages={"incident": {"service": "cart"}})
    assert differences(other, incident(S, "triggered"), page(2 * S))[0].endswith(
        '| at 2s person:ada is paged: incident is {"service": "shop"}'
    )


def test_of_an_action_only_the_same_step_is_compared() -> None:
    acted = (action(S, "restart"), action(2 * S, "restart", "did_not_help"), action(3 * S, "drain", "helped"))
    assert differences(expect(by="9s", actions={"step": "restart", "outcome": "helped"}), *acted) == [
        "by 9s: step restart helps | at 2s restart did_not_help"
    ]
    assert differences(expect(by="9s", actions={"step": "scale", "outcome": "helped"}), *acted) == [
        "by 9s: step scale helps | scale does not come up; the last step is drain, at 3s"
    ]
    assert differences(expect(by="9s", actions={"runbook": "other"}), *acted) == [
        "by 9s: a step of other is run | runbook other does not come up; the last step is drain, at 3s"
    ]


# --- why no alert fires ----------------------------------------------------------------------------------------------

RULE = Rule.model_validate(
    {
        "name": "Errors",
        "expr": "up",
        "ladder": [{"severity": "P0", "above": 5, "for": "30s"}, {"severity": "P1", "above": 1}],
    }
)
LOW = Rule.model_validate({"name": "Low", "expr": "up", "ladder": [{"severity": "P0", "below": 0.5}]})
PEAKS = (Peak(RULE, ((S, 0.25), (4 * S, 2 / 3))), Peak(LOW, ((S, 0.75),)))


def why(expectations: list[Expectation], *moments: Moment, peaks: tuple[Peak, ...] = PEAKS) -> list[str]:
    return [each.seen for each in check(expectations, replace(seen(*moments), peaks=peaks))]


def test_where_an_alert_does_not_fire_the_highest_value_is_told_against_the_threshold() -> None:
    assert why(expect(by="9s", alerts="Errors")) == [
        "at 9s no alert fires: Errors was 0.6667 at most (at 4s); P1 needs above 1"
    ]
    assert why(expect(by="3s", alerts={"name": "Errors", "severity": "P0"})) == [
        "at 3s no alert fires: Errors was 0.25 at most (at 1s); P0 needs above 5 for 30s"
    ]
    assert why(expect(by="9s", alerts="Low")) == [
        "at 9s no alert fires: Low was 0.75 at least (at 1s); P0 needs below 0.5"
    ]
    assert why(expect(by="9s", alerts={"name": "Errors", "firing": False}), alert(S))[0] == "at 9s Errors (P0) fires"


def test_a_rule_without_any_value_says_so() -> None:
    silent = (Peak(RULE, ()),)
    assert why(expect(by="9s", alerts="Errors"), peaks=silent) == [
        "at 9s no alert fires: Errors had no value; P1 needs above 1"
    ]


def test_where_nothing_came_because_no_alert_fires_the_values_are_told_once() -> None:
    assert why([*expect(by="9s", pages="ada"), *expect(by="9s", actions="restart")]) == [
        "nobody is paged, since no alert fires: Errors was 0.6667 at most (at 4s); P1 needs above 1. "
        "Low was 0.75 at least (at 1s); P0 needs below 0.5",
        "nothing is run, since no alert fires",
    ]
    assert why(expect(by="9s", pages="ada"), peaks=(PEAKS[0],) * 5)[0].endswith(". 2 more rules")


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [{"at": "5s"}, {"by": "5s"}, {"between": ["4s", "6s"]}, {"throughout": True}])
def test_a_page_in_its_time_is_as_expected(when: Mapping[str, Any]) -> None:
    assert differences(expect(**when, pages={"who": "ada", "channel": "slack", "level": 1}), page(5 * S)) == []


def test_a_page_at_another_time_is_a_difference_that_says_when_it_came() -> None:
    assert differences(expect(at="5s", pages="ada"), page(9 * S)) == [
        "at 5s: ada is paged | at 9s person:ada is paged, which is too late"
    ]
    assert differences(expect(between=["20s", "30s"], pages="ada"), page(9 * S)) == [
        "between 20s and 30s: ada is paged | at 9s person:ada is paged, which is too early"
    ]


def test_a_page_to_somebody_else_is_a_difference_that_names_them() -> None:
    assert differences(expect(by="5s", pages="grace"), page(2 * S)) == [
        "by 5s: grace is paged | at 2s person:ada is paged"
    ]


def test_a_page_that_never_comes_is_a_difference() -> None:
    assert differences(expect(by="5s", pages="ada")) == ["by 5s: ada is paged | nobody is paged, since no alert fires"]


def test_a_page_that_was_only_decided_has_reached_nobody() -> None:
    decided = page(2 * S, outcome="decided", channel=None)
    assert differences(expect(by="5s", pages="ada"), decided) == [
        "by 5s: ada is paged | at 2s person:ada is paged, and nothing arrives"
    ]
    assert differences(expect(by="5s", pages={"who": "ada", "outcome": "decided"}), decided) == []
    assert differences(expect(by="5s", pages={"outcome": "failed"}), page(2 * S, outcome="failed")) == []


@pytest.mark.parametrize(
    "item",
    [
        {"level": 2},
        {"way": 2},
        {"channel": "email"},
        {"severity": "P1"},
        {"who": "slack:#other"},
        {"incident": {"service": "x"}},
    ],
)
def test_every_part_of_a_page_counts(item: Mapping[str, Any]) -> None:
    assert differences(expect(by="5s", pages=item), incident(S, "triggered"), page(2 * S)) != []


def test_a_page_belongs_to_the_incident_with_its_labels() -> None:
    both = (incident(S, "triggered"), incident(S, "triggered", name=CART, service="cart"), page(2 * S, incident=CART))
    assert differences(expect(by="5s", pages={"incident": {"service": "cart"}}), *both) == []
    assert len(differences(expect(by="5s", pages={"incident": {"service": "shop"}}), *both)) == 1


def test_a_place_without_an_address_is_any_place_in_the_channel() -> None:
    paged = page(2 * S, "channel:slack:#incidents")
    assert differences(expect(by="5s", pages="channel:slack"), paged) == []
    assert differences(expect(by="5s", pages="slack:#incidents"), paged) == []
    assert len(differences(expect(by="5s", pages="slack:#inc"), paged)) == 1


def test_two_items_need_two_pages() -> None:
    twice = expect(by="9s", pages=["ada", "ada"])
    assert differences(twice, page(S), page(2 * S)) == []
    assert differences(twice, page(S)) == [
        "by 9s: ada is paged | at 1s person:ada is paged, which already meets another item"
    ]


def test_an_item_that_fits_much_leaves_room_for_one_that_fits_little() -> None:
    both = expect(by="9s", pages=[{"channel": "slack"}, {"who": "ada"}])
    assert differences(both, page(S, "person:ada"), page(2 * S, "person:grace")) == []


def test_times_counts_exactly() -> None:
    once = expect(by="9s", pages={"who": "ada", "times": 1})
    assert differences(once, page(S)) == []
    assert differences(once, page(S), page(2 * S)) == [
        "by 9s: ada is paged, exactly once | 2 times; the one too many at 2s person:ada is paged"
    ]
    assert differences(expect(by="9s", pages={"who": "ada", "times": 3}), page(S), page(2 * S)) == [
        "by 9s: ada is paged, exactly 3 times | 2 times"
    ]
    assert differences(once) == ["by 9s: ada is paged, exactly once | nobody is paged, since no alert fires"]


def test_never_is_zero_times() -> None:
    never = expect(by="9s", pages={"who": "ada", "times": 0})
    assert differences(never, page(S, "person:grace")) == []
    assert differences(never, page(S)) == ["by 9s: ada is paged, never | at 1s person:ada is paged"]


@pytest.mark.parametrize("said", [{"nobody_paged": True}, {"pages": "none"}])
def test_nobody_paged_is_broken_by_a_page_that_is_decided_too(said: Mapping[str, Any]) -> None:
    nobody = expect(between=["5s", "9s"], **said)
    assert differences(nobody, page(4 * S), page(10 * S)) == []
    assert differences(nobody, page(6 * S, outcome="decided")) == [
        "between 5s and 9s: nobody is paged | at 6s person:ada is paged"
    ]


def test_only_refuses_what_is_not_listed_and_tells_each() -> None:
    only = expect(by="9s", pages="ada", only="pages")
    assert differences(only, page(S), page(2 * S, outcome="decided")) == []
    assert differences(only, page(S), page(2 * S, "person:grace"), page(3 * S, "person:eve")) == [
        "by 9s: nobody else is paged | at 2s person:grace is paged",
        "by 9s: nobody else is paged | at 3s person:eve is paged",
    ]


def test_only_is_about_what_it_names() -> None:
    said = expect(by="9s", pages="ada", messages="hello", only="pages")
    assert differences(said, page(S), message(S, "hello"), message(S, "bye")) == []


# --- actions, messages, events ----------------------------------------------------------------------------------------


def test_an_action_is_run_unless_another_outcome_is_asked_for() -> None:
    assert differences(expect(by="9s", actions="restart"), action(S, "restart")) == []
    assert differences(expect(by="9s", actions="restart"), action(S, "restart", "proposed")) == [
        "by 9s: step restart is run | at 1s restart proposed"
    ]
    course = (action(S, "other"), action(2 * S, "restart"), action(3 * S, "restart", "failed"))
    assert differences(expect(by="9s", actions={"step": "restart", "outcome": "helped"}), *course) == [
        "by 9s: step restart helps | at 3s restart failed"
    ]
    helped = {"step": "restart", "runbook": "mend", "outcome": "helped"}
    assert differences(expect(by="9s", actions=helped), action(S, "restart", "helped")) == []


def test_no_actions_means_that_nothing_is_run() -> None:
    assert differences(expect(by="9s", actions="none"), action(S, "restart", "proposed")) == []
    assert differences(expect(by="9s", actions="none"), action(S, "restart")) == [
        "by 9s: nothing is run | at 1s restart started"
    ]


def test_only_for_actions_looks_at_what_is_run() -> None:
    only = expect(by="9s", actions={"step": "a", "outcome": "helped"}, only="actions")
    assert differences(only, action(S, "a"), action(S, "a", "helped"), action(S, "b", "proposed")) == []
    assert differences(only, action(S, "a", "helped"), action(S, "b")) == [
        "by 9s: nothing else is run | at 1s b started"
    ]


def test_a_message_contains_all_that_is_asked_for() -> None:
    said = expect(by="9s", messages={"containing": ["shop", "down"], "to": "#incidents", "about": "opened"})
    assert differences(said, message(S, "the shop is down")) == []
    assert differences(said, message(S, "the shop is up"), message(2 * S, "x")) == [
        "by 9s: message to #incidents (opened) containing 'shop' and 'down' | at 1s 'the shop is up' (and 1 more)"
    ]
    assert differences(said) == [
        "by 9s: message to #incidents (opened) containing 'shop' and 'down' | no message leaves, since no alert fires"
    ]


def test_a_message_may_be_for_a_person() -> None:
    said = expect(by="9s", messages={"person": "ada"})
    assert differences(said, message(S, "hello", person="ada")) == []
    assert len(differences(said, message(S, "hello"))) == 1


def test_any_event_can_be_expected_by_its_fields() -> None:
    noted = event(S, "NoteAdded", text="hm", by={"name": "ada", "kind": "person"})
    assert (
        differences(expect(by="9s", events={"type": "NoteAdded", "with": {"by.name": "ada", "text": "hm"}}), noted)
        == []
    )
    assert differences(expect(by="9s", events={"type": "NoteAdded", "with": {"by.name": "eve"}}), noted) == [
        "by 9s: NoteAdded with by.name=eve | at 1s NoteAdded: by.name is ada"
    ]
    assert len(differences(expect(by="9s", events={"type": "NoteAdded", "with": {"text.more": "x"}}), noted)) == 1
    assert differences(expect(by="9s", events="IncidentClosed"), noted) == ["by 9s: IncidentClosed | no IncidentClosed"]


def test_an_outcome_of_an_event_is_a_field_like_any_other() -> None:
    finished = event(S, "RunbookFinished", outcome="mitigated")
    assert (
        differences(expect(by="9s", events={"type": "RunbookFinished", "with": {"outcome": "mitigated"}}), finished)
        == []
    )


# --- how things stand -------------------------------------------------------------------------------------------------

LIFE = (
    incident(2 * S, "triggered", "P1"), incident(5 * S, "triggered", "P0"), incident(9 * S, "acknowledged"),
    incident(30 * S, "monitoring"), incident(40 * S, "resolved"), incident(100 * S, "closed"),
)  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        {"at": "1s", "incident": "none"},
        {"at": "2s", "incident": {"phase": "triggered", "severity": "P1", "count": 1}},
        {"at": "8s", "incident": "acknowledged"},
        {"by": "9s", "incident": "acknowledged"},
        {"by": "35s", "incident": "open"},
        {"between": ["3s", "10s"], "incident": {"severity": "P0", "labels": {"service": "shop"}}},
        {"between": ["41s", "99s"], "incident": {"phase": "open", "count": 0}},
        {"throughout": ["2s", "39s"], "incident": "open"},
        {"throughout": ["41s", "99s"], "incident": "resolved"},
        {"by": "5m", "incident": {"phase": "closed", "count": 1}},
    ],
)
def test_an_incident_is_as_expected(said: Mapping[str, Any]) -> None:
    assert differences(expect(**said), *LIFE) == []


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        ({"at": "2s", "incident": "acknowledged"}, "at 2s: incident acknowledged | at 2s incident triggered, P1"),
        ({"by": "8s", "incident": "acknowledged"}, "by 8s: incident acknowledged | at 8s incident triggered, P0"),
        ({"by": "60s", "incident": "acknowledged"}, "by 1m: incident acknowledged | at 1m incident resolved, P0"),
        ({"by": "1s", "incident": "triggered"}, "by 1s: incident triggered | at 1s no incident"),
        (
            {"between": ["0s", "10s"], "incident": "none"},
            "between 0s and 10s: no incident | at 2s incident triggered, P1",
        ),
        (
            {"throughout": ["2s", "50s"], "incident": "open"},
            "throughout 2s to 50s: incident open | at 40s incident resolved, P0",
        ),
        ({"throughout": True, "incident": "open"}, "throughout: incident open | at 0s no incident"),
        ({"at": "5s", "incident": {"count": 2}}, "at 5s: 2 incidents | at 5s incident triggered, P0"),
        ({"at": "5s", "incident": {"severity": "P9"}}, "at 5s: incident P9 | at 5s incident triggered, P0"),
        (
            {"at": "5s", "incident": {"labels": {"service": "x"}}},
            "at 5s: incident {service=x} | at 5s incident triggered, P0",
        ),
    ],
)
def test_an_incident_that_stands_otherwise_is_a_difference(said: Mapping[str, Any], difference: str) -> None:
    assert differences(expect(**said), *LIFE) == [difference]


def test_incidents_are_counted() -> None:
    two = (incident(S, "triggered"), incident(2 * S, "triggered", name=CART, service="cart"))
    assert differences(expect(by="5s", incident={"count": 2, "phase": "triggered"}), *two) == []
    assert differences(expect(by="5s", incident={"count": 1}), *two) == [
        "by 5s: 1 incident | at 5s 2 incidents: triggered, P0; triggered, P0"
    ]


def test_an_alert_fires_from_its_beginning_to_its_end() -> None:
    course = (alert(2 * S), alert(30 * S, severity="P2"), alert(40 * S, "ended"))
    assert differences(expect(at="2s", alerts="Errors"), *course) == []
    assert differences(expect(at="31s", alerts={"name": "Errors", "severity": "P2", "source": "shop"}), *course) == []
    assert differences(expect(by="40s", alerts="none"), *course) == []
    assert differences(expect(by="45s", alerts={"name": "Errors", "firing": False}), *course) == []
    assert differences(expect(throughout=["2s", "39s"], alerts={"labels": {"service": "shop"}}), *course) == []
    assert differences(expect(between=["0s", "60s"], alerts={"name": "Errors", "firing": False}), *course) == [
        "between 0s and 1m: alert Errors does not fire | at 2s Errors (P0) fires"
    ]
    assert differences(expect(at="10s", alerts="Latency"), *course) == [
        "at 10s: alert Latency fires | at 10s Errors (P0) fires"
    ]
    assert differences(expect(by="50s", alerts="Errors"), *course) == [
        "by 50s: alert Errors fires | at 50s no alert fires"
    ]
    assert differences(expect(throughout=True, alerts="none"), *course) == [
        "throughout: no alert fires | at 2s Errors (P0) fires"
    ]


def test_of_many_alerts_a_few_are_named() -> None:
    many = [alert(S, name=f"A{number}") for number in range(6)]
    assert differences(expect(at="1s", alerts="B"), *many) == [
        "at 1s: alert B fires | at 1s A0 (P0), A1 (P0), A2 (P0), A3 (P0) and 2 more fire"
    ]


def test_a_deadline_is_open_until_it_is_over() -> None:
    course = (
        incident(S, "triggered"),
        deadline(3 * S, "acknowledge", 18.2 * S),
        deadline(3 * S, "escalate", 18 * S, level=2),
        deadline(10 * S, "acknowledge", 18 * S, "over"),
    )
    assert differences(expect(at="5s", deadlines=[{"kind": "acknowledge", "due": "18s"}]), *course) == []
    assert (
        differences(
            expect(at="5s", deadlines={"kind": "escalate", "level": 2, "incident": {"service": "shop"}}), *course
        )
        == []
    )
    assert differences(expect(by="9s", deadlines={"kind": "acknowledge", "due": "20s"}), *course) == [
        "by 9s: acknowledge is due at 20s | at 9s acknowledge at 18.2s, escalate at 18s are due"
    ]
    assert differences(expect(by="11s", deadlines="acknowledge"), *course) == [
        "by 11s: acknowledge is due | at 11s escalate at 18s is due"
    ]
    assert differences(expect(by="2s", deadlines="none"), *course) == []
    assert differences(expect(by="4s", deadlines="none"), *course) == [
        "by 4s: nothing is due | at 4s acknowledge at 18.2s, escalate at 18s are due"
    ]


def test_things_of_one_moment_are_looked_at_together() -> None:
    passing = (incident(5 * S, "triggered"), incident(5 * S, "resolved"))
    assert differences(expect(throughout=["5s", "9s"], incident="resolved"), *passing) == []


# --- all of it --------------------------------------------------------------------------------------------------------


def test_a_status_page_is_never_as_expected_as_long_as_there_is_none() -> None:
    said = expect(by="5s", status_page={"checkout": "operational"})
    assert differences(said) == [f"by 5s: checkout is operational | {STATUS_PAGE}"]


def test_differences_come_in_the_order_of_time_with_their_places() -> None:
    both = [*expect(by="9m", pages="ada"), *expect(by="5s", incident="triggered", alerts="Errors")]
    found = check(both, seen())
    assert [each.place for each in found] == [
        ("expect", 1, "alerts", 0),
        ("expect", 1, "incident"),
        ("expect", 0, "pages", 0),
    ]
    assert [each.at for each in found] == [5 * S, 5 * S, 9 * M]
    assert str(found[0]) == "expected by 5s: alert Errors fires; seen: at 5s no alert fires"


def test_what_was_as_expected_is_told_with_the_moment_that_met_it() -> None:
    (verdict,) = judge(expect(by="9s", pages="ada"), seen(page(4 * S)))
    assert (verdict.is_met, verdict.at, verdict.moment) == (True, 4 * S, page(4 * S))


def test_the_state_at_a_time_is_derived_from_the_moments() -> None:
    state = seen(*LIFE, alert(2 * S), deadline(2 * S, "resolve", 5 * M)).at(9 * S)
    assert [fields["phase"] for fields in state.incidents.values()] == ["acknowledged"]
    assert [fields["name"] for fields in state.alerts.values()] == ["Errors"]
    assert [fields["kind"] for fields in state.deadlines.values()] == ["resolve"]


def test_nothing_known_has_no_labels() -> None:
    assert seen(page(S)).labels_of("nowhere") == {}


# --- what is known of an incident -------------------------------------------------------------------------------------


OF_AN_INCIDENT = {
    "roles": {"incident_commander": "ada"}, "impact": {"users_affected": 0.5, "data_loss": False}, "part_of": "i-login",
    "origin": "login", "war_room": "#incident-20260105-001",
}  # fmt: skip


def known_incidents() -> list[Moment]:
    return [
        incident(1 * S, "triggered", name="i-login", service="login"),
        incident(1 * S, "triggered", **OF_AN_INCIDENT),
    ]


@pytest.mark.parametrize(
    ("asked", "seen_instead"),
    [
        ({"roles": {"incident_commander": "ada"}}, None),
        ({"roles": {"incident_commander": "bob"}}, "roles: incident_commander ada"),
        ({"impact": {"users_affected": 0.5}}, None),
        ({"impact": {"data_loss": True}}, "impact: users_affected 0.5, data_loss False"),
        ({"part_of": {"service": "login"}}, None),
        ({"part_of": {"service": "mail"}}, "part of {'service': 'login'}"),
        ({"origin": "login"}, None),
        ({"origin": "mail"}, "origin: login"),
        ({"war_room": "#incident-20260105-001"}, None),
        ({"war_room": "#incident-20260105-002"}, "war room: #incident-20260105-001"),
    ],
)
def test_what_is_known_of_an_incident_is_compared_and_shown(asked: dict[str, Any], seen_instead: str | None) -> None:
    found = differences(expect(by="5s", incident={"labels": {"service": "shop"}, **asked}), *known_incidents())
    if seen_instead is None:
        assert found == []
    else:
        assert seen_instead in found[0]


def test_that_something_is_no_part_of_another_can_be_expected_too() -> None:
    assert differences(expect(by="5s", incident={"part_of": {"service": "mail"}, "count": 0}), *known_incidents()) == []
    assert differences(expect(by="5s", incident={"part_of": {"service": "login"}, "count": 0}), *known_incidents())
