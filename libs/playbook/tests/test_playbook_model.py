# ruff: noqa: E501 - tables of cases, one a line
"""The questions services ask of a playbook."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin_playbook import model as m
from tocsin_playbook.model import Playbook, parse_matcher, parse_target

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def playbook(**sections: Any) -> Playbook:
    head = {"apiVersion": "tocsin/v1", "kind": "Playbook", "metadata": {"name": "x"}}
    ladder = {"severities": [{"name": name} for name in ("P0", "P1", "P2", "P3")]}
    return Playbook.model_validate({**head, **ladder, **sections})


def refused(model: type[m.Section], **values: Any) -> str:
    with pytest.raises(ValidationError) as error:
        model.model_validate(values)
    return str(error.value.errors()[0]["msg"])


# Severities.


def test_the_first_severity_is_the_most_severe() -> None:
    book = playbook()
    assert [book.rank(name) for name in ("P0", "P3")] == [0, 3]
    assert book.highest("P2", "P1", "P3") == "P1"
    assert book.lowest("P2", "P1") == "P2"
    assert book.is_more_severe("P0", "P1")
    assert not book.is_more_severe("P1", "P1")
    with pytest.raises(m.UnknownNameError, match="no severity 'P9'"):
        book.severity("P9")


def test_a_classification_raises_and_a_cap_lowers() -> None:
    book = playbook()

    def rule(severity: str, applies: str) -> m.Classification:
        return m.Classification.model_validate(
            {"when": "true", "severity": severity, "applies": applies, "because": "x"}
        )

    assert book.classified("P2", []) == "P2"
    assert book.classified("P2", [rule("P1", "at_least"), rule("P3", "at_least")]) == "P1"
    assert book.classified("P0", [rule("P2", "at_most")]) == "P2"
    assert book.classified("P3", [rule("P2", "at_most")]) == "P3", "a cap never raises"


def test_times_that_belong_to_a_severity_fall_back_to_the_playbooks_own() -> None:
    book = playbook(
        severities=[{"name": "P0", "watch_for": "30m", "update_every": "15m"}, {"name": "P1", "update_every": "1h"}],
        group={"watch_for": "5m"},
        communicate={"cadence": [{"severities": ["P1"], "every": "30m"}]},
        review={"due_within": "1w", "deadlines": [{"severities": ["P0"], "due_within": "24h"}]},
    )
    assert [book.watch_for(name) for name in ("P0", "P1")] == [30 * MINUTE, 5 * MINUTE]
    assert [book.update_every(name) for name in ("P0", "P1")] == [15 * MINUTE, 30 * MINUTE]
    assert [book.review_due_within(name) for name in ("P0", "P1")] == [timedelta(days=1), timedelta(weeks=1)]
    assert book.due(timedelta(hours=1), NOON) == NOON + timedelta(hours=1)


def test_a_severity_without_updates_or_review_has_none() -> None:
    book = playbook(review={"severities": ["P0"]})
    assert book.update_every("P0") is None
    assert book.review_due_within("P1") is None


def test_announcements_are_found_by_severity_and_occasion() -> None:
    book = playbook(
        communicate={
            "announce": [
                {"severities": ["P0"], "to": ["slack:#a"], "on": ["opened"]},
                {"to": ["slack:#b"], "on": ["opened", "resolved"]},
            ]
        }
    )
    assert [str(each.to[0]) for each in book.announcements("P0", "opened")] == ["channel:slack:#a", "channel:slack:#b"]
    assert [str(each.to[0]) for each in book.announcements("P1", "opened")] == ["channel:slack:#b"]
    assert book.announcements("P0", "closed") == ()


def test_two_cadences_for_one_severity_are_refused() -> None:
    cadence = {"severities": ["P0"], "every": "1h"}
    assert refused(m.Communicate, cadence=[cadence, cadence]) == "two cadences for P0"


def test_things_are_found_by_their_names() -> None:
    book = playbook(
        sources=[{"name": "s", "push": {}}],
        detect={"rules": [{"name": "r", "expr": "up", "ladder": [{"severity": "P0", "above": 1}]}]},
        oncall={"people": [{"name": "ada"}], "teams": [{"name": "t", "members": []}], "roles": [{"name": "ic"}]},
        communicate={"channels": [{"name": "c", "console": {}}]},
        remediate={"runbooks": [{"name": "b", "steps": [{"name": "a", "wait": "1s"}]}]},
        escalate=[{"severities": ["P0"], "levels": [{"after": "0s", "notify": ["person:ada"]}]}],
    )
    assert book.source("s").push is not None
    assert book.signal("r").name == "r"
    assert book.person("ada").contacts == ()
    assert book.team("t").members == ()
    assert book.role("ic").held_by is None
    assert book.channel("c").kind == "console"
    assert book.runbook("b").steps[0].wait == timedelta(seconds=1)
    policy = book.policy_for("P0")
    assert policy is not None
    assert policy.title == "P0"
    assert book.policy_for("P1") is None


# References and matchers.


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("person:ada", "person:ada"), ("team:shop", "team:shop"), ("schedule:primary", "schedule:primary"),
        ("channel:slack:#incidents", "channel:slack:#incidents"), ("slack:#incidents", "channel:slack:#incidents"),
        ("channel:pager", "channel:pager"), ("email:a:b@c", "channel:email:a:b@c"),
    ],
)  # fmt: skip
def test_a_reference_is_read_and_written(text: str, written: str) -> None:
    assert str(parse_target(text)) == written
    assert parse_target(written) == parse_target(text)


@pytest.mark.parametrize(
    "value",
    ["", "ada", "person:", "person:a*b", "team:>", "slack:", "slack: #x", "slack:a\nb", ":x", 5, None, "x" * 500],
)
def test_anything_else_is_no_reference(value: object) -> None:
    with pytest.raises(Exception, match=r"refer|address"):
        parse_target(value)


@pytest.mark.parametrize("name", ["person", "team", "schedule", "channel"])
def test_a_channel_cannot_have_the_name_of_a_kind_of_reference(name: str) -> None:
    assert refused(m.Channel, name=name, console={}) == f"no channel can be called {name!r}"


@pytest.mark.parametrize(
    ("matcher", "labels", "matches"),
    [
        ('a="b"', {"a": "b"}, True), ('a="b"', {}, False), ('a=""', {}, True), ('a!="b"', {}, True),
        ('a!="b"', {"a": "b"}, False), ('a=~"b|c"', {"a": "c"}, True), ('a=~"b|c"', {"a": "bc"}, False),
        ('a=~"eu-.*"', {"a": "eu-west"}, True), ('a=~"eu-.+"', {"a": "eu-"}, False), ('a=~".*-west"', {"a": "eu-west"}, True),
        ('a=~"a.*b.*c"', {"a": "axxbxxc"}, True), ('a=~"a.*b.*c"', {"a": "axxcxxb"}, False), ('a=~"a.*a"', {"a": "a"}, False),
        ('a!~"b.*"', {"a": "bx"}, False), ('a!~"b.*"', {"a": "x"}, True), (r'a=~"v1\.2"', {"a": "v1.2"}, True),
        (r'a=~"v1\.2"', {"a": "v1x2"}, False), (r'a="say \"hi\""', {"a": 'say "hi"'}, True), ('a=~".*x.*"', {"a": "no"}, False),
        ('a=~".+.+"', {"a": "x"}, False), ('a=~".+.+"', {"a": "xy"}, True),
    ],
)  # fmt: skip
def test_a_matcher_matches_whole_values(matcher: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_matcher(matcher).matches(labels) is matches
    assert parse_matcher(str(parse_matcher(matcher))) == parse_matcher(matcher)


@pytest.mark.parametrize(
    "value", ["a", "a=b", 'a="b', '1a="b"', 'a=~"(x+)+"', 'a=~"["', 'a=~"a.b"', 5, None, 'a="\u202e"']
)
def test_anything_else_is_no_matcher(value: object) -> None:
    with pytest.raises(Exception, match=r"matcher|pattern|invisible"):
        parse_matcher(value)


WORDS = st.lists(st.sampled_from(["a", "b", r"\.", ".*", ".+"]), max_size=6).map("".join)


@given(WORDS, st.text(alphabet="ab.", max_size=8))
def test_a_pattern_means_what_it_means_as_a_regular_expression(pattern: str, value: str) -> None:
    import re

    matcher = parse_matcher(f'x=~"{pattern}"')
    assert matcher.matches({"x": value}) is (re.fullmatch(pattern, value) is not None)


def test_a_hostile_label_is_matched_in_no_time() -> None:
    assert not parse_matcher('a=~"' + ".*a" * 100 + '"').matches({"a": "a" * 99 + "b" * 1000})


def test_a_source_is_muted_by_what_explains_it() -> None:
    rule = m.Inhibition.model_validate({"while": ['alertname="Down"'], "mute": ['alertname="Slow"'], "same": ["zone"]})
    assert rule.mutes({"alertname": "Slow", "zone": "a"}, {"alertname": "Down", "zone": "a"})
    assert not rule.mutes({"alertname": "Slow", "zone": "a"}, {"alertname": "Down", "zone": "b"})
    assert not rule.mutes({"alertname": "Other", "zone": "a"}, {"alertname": "Down", "zone": "a"})
    both = m.Inhibition.model_validate({"while": ['zone="a"'], "mute": ['zone="a"']})
    assert not both.mutes({"zone": "a"}, {"zone": "a"}), "an alert never mutes itself"


def test_a_silence_holds_while_it_lasts() -> None:
    silence = m.Silence.model_validate(
        {
            "name": "s",
            "match": ['team="shop"'],
            "because": "x",
            "from": "2026-03-02T10:00:00Z",
            "until": "2026-03-02T12:00:00Z",
        }
    )
    shop = {"team": "shop"}
    assert not silence.silences(shop, NOON - timedelta(hours=3))
    assert silence.silences(shop, NOON - MINUTE)
    assert not silence.silences({"team": "ops"}, NOON - MINUTE)
    assert not silence.silences(shop, NOON)


def test_maintenance_comes_back_every_week_by_the_local_clock() -> None:
    every = {"days": ["sunday"], "from": "23:00", "to": "02:00", "time_zone": "Europe/Zurich"}
    silence = m.Silence.model_validate({"name": "s", "match": ['a="b"'], "because": "x", "every": every})
    assert silence.is_active(datetime(2026, 3, 1, 22, 0, tzinfo=UTC)), "Sunday 23:00 in winter"
    assert silence.is_active(datetime(2026, 3, 2, 0, 59, tzinfo=UTC))
    assert not silence.is_active(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    assert silence.is_active(datetime(2026, 7, 5, 21, 0, tzinfo=UTC)), "Sunday 23:00 in summer"


def test_a_silence_ends() -> None:
    base = {"name": "s", "match": ['a="b"'], "because": "x"}
    assert refused(m.Silence, **base) == "none of until, every is given"
    backwards = {"from": "2026-03-02T12:00:00Z", "until": "2026-03-02T10:00:00Z"}
    assert refused(m.Silence, **base, **backwards) == "the silence ends before it begins"


def test_alerts_with_the_same_values_are_one_incident() -> None:
    group = m.Group(by=("service", "zone"))
    assert group.key({"service": "a", "other": "x"}) == (("service", "a"), ("zone", ""))


# Detection.


def test_a_rung_holds_beyond_its_threshold() -> None:
    above = m.Rung.model_validate({"severity": "P0", "above": "25%", "clear": "20%"})
    assert [above.holds(value) for value in (0.25, 0.26, float("nan"))] == [False, True, False]
    assert above.holds(0.21, firing=True)
    assert not above.holds(0.2, firing=True)
    below = m.Rung.model_validate({"severity": "P0", "below": 0.95})
    assert below.holds(0.9)
    assert not below.holds(0.95)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "none of above, below is given"),
        ({"above": 1, "below": 2}, "above and below exclude each other"),
        ({"above": 1, "clear": 2}, "clear lies above the threshold it should clear"),
        ({"below": 2, "clear": 1}, "clear lies below the threshold it should clear"),
    ],
)
def test_a_rung_has_one_side(values: dict[str, Any], message: str) -> None:
    assert refused(m.Rung, severity="P0", **values) == message


def a_burn_rate(**more: Any) -> dict[str, Any]:
    window = {"severity": "P0", "long": "1h", "short": "5m", "factor": 14.4}
    base = {"name": "b", "objective": "99.9%", "bad": "sum(rate(e[$window]))", "total": "sum(rate(t[$window]))"}
    return {**base, "ladder": [window], **more}


def test_a_burn_rate_of_one_uses_up_the_budget() -> None:
    burn = m.BurnRate.model_validate(a_burn_rate())
    assert burn.budget == pytest.approx(0.001)
    assert burn.expression(timedelta(hours=1)) == "((sum(rate(e[1h]))) / (sum(rate(t[1h])))) / 0.001"


def test_a_burn_rate_has_its_window_in_both_expressions_and_the_short_one_shorter() -> None:
    assert refused(m.BurnRate, **a_burn_rate(bad="x")) == "`bad` has no $window"
    window = {"severity": "P0", "long": "5m", "short": "5m", "factor": 1}
    assert "not shorter" in refused(m.BurnRate, **a_burn_rate(ladder=[window]))


def test_a_season_has_a_length() -> None:
    assert refused(m.Band, method="season") == "`season` and its length belong together"
    assert m.Band.model_validate({"method": "season", "season": "1w"}).season == timedelta(weeks=1)


def test_a_probe_looks_in_one_way() -> None:
    assert "http and tcp exclude each other" in refused(
        m.Probe, name="p", http={"url": "http://x"}, tcp={"host": "x", "port": 1}, ladder=[{"severity": "P0"}]
    )


def test_a_prometheus_source_scrapes_or_asks() -> None:
    assert refused(m.PrometheusSource) == "none of scrape, server is given"


# Escalation.


def policy(*after: str, **more: Any) -> m.EscalationPolicy:
    levels = [{"after": each, "notify": ["person:a"]} for each in after]
    return m.EscalationPolicy.model_validate({"severities": ["P0"], "levels": levels, **more})


def test_a_policy_without_repetition_is_its_levels() -> None:
    plan = policy("0s", "15m", "30m").plan()
    assert [(step.after // MINUTE, step.round, step.index) for step in plan] == [(0, 0, 0), (15, 0, 1), (30, 0, 2)]


def test_rounds_follow_each_other_at_the_last_pause() -> None:
    assert [step.after // MINUTE for step in policy("0s", "15m", "25m", repeat=1).plan()] == [0, 15, 25, 35, 50, 60]
    assert [step.after // MINUTE for step in policy("0s", repeat=2).plan()] == [0, 5, 10]
    assert [step.after // MINUTE for step in policy("1m", "2m", repeat=1, repeat_after="1h").plan()] == [1, 2, 62, 63]


# Remediation.


def a_runbook(*steps: dict[str, Any]) -> m.Runbook:
    return m.Runbook.model_validate({"name": "r", "steps": steps})


def test_a_decision_tree_is_followed() -> None:
    book = a_runbook(
        {"name": "rollback", "when": "true", "kubernetes": {"action": "rollout_undo", "namespace": "n", "deployment": "d"}},
        {"name": "scale", "kubernetes": {"action": "scale", "namespace": "n", "deployment": "d", "by": 2}, "on_failure": "restart"},
        {"name": "restart", "kubernetes": {"action": "rollout_restart", "namespace": "n", "deployment": "d"}, "on_success": "next", "on_failure": "next"},
    )  # fmt: skip
    first, second, last = book.steps
    assert book.following(first, "on_skip") is second
    assert book.following(first, "on_success") == "stop"
    assert book.following(first, "on_failure") == "escalate"
    assert book.following(second, "on_failure") is last
    assert book.following(last, "on_success") == "stop", "there is nothing after it"
    assert book.following(last, "on_failure") == "escalate"
    assert first.ways_on == {"on_success": "stop", "on_failure": "escalate", "on_skip": "next"}
    assert "on_skip" not in second.ways_on


def test_a_way_to_a_step_that_does_not_exist_escalates() -> None:
    book = a_runbook({"name": "a", "wait": "1s", "on_failure": "gone"})
    assert book.following(book.steps[0], "on_failure") == "escalate"


@pytest.mark.parametrize("name", ["next", "stop", "escalate"])
def test_no_step_is_called_like_a_way_on(name: str) -> None:
    assert refused(m.Step, name=name, wait="1s") == f"no step can be called {name!r}"


def test_a_step_does_one_thing() -> None:
    assert refused(m.Step, name="a") == "none of http, kubernetes, wait, manual is given"
    assert refused(m.Undo) == "none of http, kubernetes is given"


def test_pauses_grow_up_to_a_limit() -> None:
    retry = m.Retry.model_validate({"attempts": 5, "wait": "1s", "factor": 3, "at_most": "5s"})
    assert [retry.pause_before(attempt).total_seconds() for attempt in range(1, 5)] == [0, 1, 3, 5]
    assert retry.pause_before(10_000) == timedelta(seconds=5)


def test_an_approval_can_be_one_word() -> None:
    step = m.Step.model_validate({"name": "a", "wait": "1s", "approval": "always"})
    assert step.approval.needed == "always"
    assert step.approval.count == 1


def test_a_verification_cannot_last_longer_than_its_time() -> None:
    assert refused(m.Verify, expr="up", within="1s", **{"for": "2s"}) == "it must hold for longer than there is time"


@pytest.mark.parametrize(("by", "current", "target"), [(2, 3, 5), (50, 3, 20), (-5, 3, 2), (-1, 5, 4)])
def test_scaling_stays_within_its_limits(by: int, current: int, target: int) -> None:
    scale = m.Scale(action="scale", namespace="n", deployment="d", by=by, at_least=2, at_most=20)
    assert scale.target(current) == target
    assert m.Scale(action="scale", namespace="n", deployment="d", replicas=7).target(current) == 7


def test_a_deployment_scales_in_one_way() -> None:
    both = {"action": "scale", "namespace": "n", "deployment": "d", "by": 1, "replicas": 2}
    assert refused(m.Scale, **both) == "replicas and by exclude each other"


def test_a_probe_asks_for_one_execution() -> None:
    probe = m.OutcomeProbe(url="http://x/executions/{execution_id}")
    assert probe.url_of("abc-1") == "http://x/executions/abc-1"
    with pytest.raises(ValueError, match="letters, digits"):
        probe.url_of("../x")
    assert refused(m.OutcomeProbe, url="http://x/") == "the probe does not ask for one execution"


def test_an_action_has_one_body() -> None:
    assert refused(m.HttpAction, url="http://x", body="a", json={}) == "body and json exclude each other"


@pytest.mark.parametrize("status", [[], 99, 600, "200", True, [200] * 51])
def test_statuses_are_those_of_http(status: object) -> None:
    refused(m.Expect, status=status)
    assert m.Expect.model_validate({"status": 200}).status == (200,)


@pytest.mark.parametrize(
    "headers",
    [
        {"a b": "x"},
        {"": "x"},
        {"a": "x\r\nBcc: y"},
        {"a": "é"},
        {"a": " x"},
        {"Cookie": "x"},
        {str(n): "x" for n in range(51)},
    ],
)
def test_headers_cannot_smuggle(headers: dict[str, str]) -> None:
    refused(m.HttpCheck, url="http://x", headers=headers)


# Words.


def test_a_war_room_is_named_after_its_incident() -> None:
    opened = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    assert m.WarRoom(channel="slack").name_for(opened) == "#incident-20260302-0905"
    numbered = m.WarRoom.model_validate({"channel": "slack", "name": "#incident-YYYYMMDD-NNN"})
    assert numbered.name_for(opened, 7) == "#incident-20260302-007"


@pytest.mark.parametrize("name", ["#incident", "#Incident-HHMM", "#é-HHMM", "#a b-HHMM", "x" * 70 + "HHMM"])
def test_a_war_room_has_a_name_of_its_own(name: str) -> None:
    refused(m.WarRoom, channel="slack", name=name)


# What the five playbooks that people really wrote must be able to say.


def test_the_escalation_matrix_of_qawave_can_be_said() -> None:
    who = {"15m": "schedule:on-call", "30m": "person:lead", "1h": "person:manager", "2h": "person:cto"}
    matrix = {"SEV1": 4, "SEV2": 3, "SEV3": 2, "SEV4": 1}
    policies = [
        {"severities": [name], "levels": [{"after": after, "notify": [who[after]]} for after in list(who)[:levels]]}
        for name, levels in matrix.items()
    ]
    book = playbook(severities=[{"name": name} for name in matrix], escalate=policies)
    first, last = book.policy_for("SEV1"), book.policy_for("SEV4")
    assert first is not None
    assert last is not None
    assert [step.after // MINUTE for step in first.plan()] == [15, 30, 60, 120]
    assert len(last.plan()) == 1


def test_the_targets_of_phase26_and_the_raises_of_quantumrerank_can_be_said() -> None:
    book = playbook(
        severities=[
            {"name": "Critical", "acknowledge_within": "15m", "resolve_within": "4h"},
            {"name": "High", "acknowledge_within": "1h"},
            {"name": "Low", "acknowledge_within": "next business day", "resolve_within": "1w"},
        ],
        escalate=[
            {
                "severities": ["High"],
                "levels": [{"after": "0s", "notify": ["schedule:primary"], "until": "resolved"}],
                "raise_severity": {"after": "4h", "to": "Critical"},
            }
        ],
    )
    assert book.severity("Low").acknowledge_within == m.BusinessDays(count=1)
    policy = book.policy_for("High")
    assert policy is not None
    assert policy.raise_severity is not None
    assert policy.raise_severity.to == "Critical"


@pytest.mark.parametrize("address", [" a", "a\nBcc: b", "a\tb"])
def test_an_address_is_one_line_without_spaces_around_it(address: str) -> None:
    assert "spaces around it or more than one line" in refused(m.Contact, channel="mail", address=address)


def test_a_password_is_only_sent_over_a_protected_connection() -> None:
    mail = {"host": "h", "from": "a@b.example", "username": "u", "password": {"env": "P"}}
    assert refused(m.SmtpChannel, **mail) == "the password would be sent in the clear"
    assert m.SmtpChannel.model_validate({**mail, "tls": "starttls"}).port == 587
