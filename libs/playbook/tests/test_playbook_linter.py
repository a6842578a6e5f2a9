# ruff: noqa: E501 - tables of cases, one a line
"""Every rule of the linter: what it says, and exactly where. In these texts ‸ marks the place."""

from pathlib import Path

import pytest

from tocsin_playbook import lint

STOREFRONT = Path(__file__).parents[3] / "examples" / "storefront" / "playbook.yaml"
BASE = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}]
sources: [{name: shop, push: {}}, {name: hook, webhook: {}}]
communicate:
  channels: [{name: slack, slack: {token: {env: T}}}, {name: term, console: {}}]
oncall:
  people:
    - {name: ada, contacts: [{channel: slack, address: "#a"}]}
    - {name: grace, contacts: [{channel: slack, address: "#g"}]}
  teams: [{name: ops, members: [ada, grace]}]
escalate:
  - severities: [P0, P1]
    levels: [{after: 0s, notify: ["person:ada"]}]
"""
NAMES = "expected one of ada, grace"
SEVERITIES = "expected one of P0, P1"
CHANNELS = "expected one of slack, term"
NONE = "expected a name that is defined (none is)"
NEVER = (
    "this is never reached: the P0 rung above it holds whenever it does; "
    "expected a ladder that begins with the most severe threshold"
)
PROMQL = "expected PromQL such as rate(errors_total[5m])"
NOT_A_CONDITION = "the condition is not true or false but int; expected a comparison such as a == b"


def check(marked: str, *messages: str) -> None:
    """The linter says exactly this, in this order, where the text is marked."""
    expected = [
        (number, sum(map(len, pieces[: index + 1])) + 1)
        for number, pieces in enumerate((line.split("‸") for line in marked.split("\n")), start=1)
        for index in range(len(pieces) - 1)
    ]
    assert len(expected) == len(messages), "a mark for each message"
    wanted = [f"p.yaml:{line}:{column}: {said}" for (line, column), said in zip(expected, messages, strict=True)]
    assert [str(problem) for problem in lint(marked.replace("‸", ""), "p.yaml")] == wanted


def replaced(old: str, new: str) -> str:
    assert BASE.count(old) == 1
    return BASE.replace(old, new)


def rule(more: str = "", ladder: str = "{severity: P0, above: 1}", expr: str = "up") -> str:
    return f"{BASE}detect:\n  rules:\n    - name: A\n      expr: {expr}\n      ladder: [{ladder}]\n{more}"


def runbook(*steps: str, more: str = "when: 'true'", base: str = BASE) -> str:
    lines = "".join(f"        - {{{step}}}\n" for step in steps)
    return f"{base}remediate:\n  runbooks:\n    - name: r\n      {more}\n      steps:\n{lines}"


def communicate(more: str) -> str:
    return replaced("console: {}}]\n", "console: {}}]\n  " + more + "\n")


def test_the_storefront_is_clean_as_written() -> None:
    assert lint(STOREFRONT.read_text(), "playbook.yaml") == []


def test_the_base_of_these_tests_is_clean() -> None:
    check(BASE)


def test_a_text_that_is_no_playbook_is_a_list_of_problems() -> None:
    check("a: [\n‸", "expected the node content, but found the end of the text; expected YAML")


# Names.


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        (rule(ladder="{severity: ‸P9, above: 1}"), f"there is no severity 'P9'; {SEVERITIES}"),
        (rule("      source: ‸shp\n"), "there is no source 'shp'; expected shop"),
        (rule("      runbook: ‸nothing\n"), f"there is no runbook 'nothing'; {NONE}"),
        (BASE + "detect: {absent: [{name: A, expr: up, severity: ‸P9}]}", f"there is no severity 'P9'; {SEVERITIES}"),
        (BASE + "review: {owner: ‸'person:bob'}", f"there is no person 'bob'; {NAMES}"),
        (BASE + "review: {owner: ‸'team:opps'}", "there is no team 'opps'; expected ops"),
        (BASE + "review: {attendees: [‸'schedule:x']}", f"there is no schedule 'x'; {NONE}"),
        (BASE + "review: {attendees: [‸'sms:1']}", f"there is no channel 'sms'; {CHANNELS}"),
        (BASE + "review: {action_items: {owner: ‸'person:bob'}}", f"there is no person 'bob'; {NAMES}"),
        (BASE + "review: {severities: [P0, ‸P9]}", f"there is no severity 'P9'; {SEVERITIES}"),
        (BASE + "review: {deadlines: [{severities: [‸P9], due_within: 24h}]}", f"there is no severity 'P9'; {SEVERITIES}"),
        (BASE + "classify: [{when: 'true', severity: ‸P9, because: x}]", f"there is no severity 'P9'; {SEVERITIES}"),
        (runbook("name: a, wait: 1s", more="when: 'true'\n      severities: [‸P9]"), f"there is no severity 'P9'; {SEVERITIES}"),
        (runbook("name: a, wait: 1s, approval: {by: [‸'person:bob']}"), f"there is no person 'bob'; {NAMES}"),
        (runbook("name: a, wait: 1s, on_failure: ‸b"), "there is no step 'b'; expected one of a, next, stop, escalate"),
        (replaced("console: {}", "console: {}, fallback: ‸mail"), f"there is no channel 'mail'; {CHANNELS}"),
        (communicate("war_room: {channel: ‸mail}"), f"there is no channel 'mail'; {CHANNELS}"),
        (communicate("war_room: {channel: term, invite: [‸'person:bob']}"), f"there is no person 'bob'; {NAMES}"),
        (communicate("war_room: {channel: term, severities: [‸X]}"), f"there is no severity 'X'; {SEVERITIES}"),
        (communicate("announce: [{to: [‸'mail:x']}]"), f"there is no channel 'mail'; {CHANNELS}"),
        (communicate("announce: [{severities: [‸X], to: ['slack:x']}]"), f"there is no severity 'X'; {SEVERITIES}"),
        (communicate("cadence: [{severities: [P0], every: 1h, remind: [‸'person:bob']}]"), f"there is no person 'bob'; {NAMES}"),
        (communicate("status_page: {severities: [‸X]}"), f"there is no severity 'X'; {SEVERITIES}"),
        (replaced("webhook: {}", "webhook: {severities: {warning: ‸X}}"), f"there is no severity 'X'; {SEVERITIES}"),
        (replaced("webhook: {}", "webhook: {default_severity: ‸X}"), f"there is no severity 'X'; {SEVERITIES}"),
        (replaced('slack, address: "#a"', '‸slick, address: "#a"'), "there is no channel 'slick'; expected slack"),
        (replaced("[ada, grace]", "[ada, ‸grce]"), "there is no person 'grce'; expected grace"),
        (replaced("[ada, grace]", "[ada], lead: ‸bob"), f"there is no person 'bob'; {NAMES}"),
        (replaced("escalate:", "  roles: [{name: commander, held_by: ‸'person:bob'}]\nescalate:"), f"there is no person 'bob'; {NAMES}"),
        (replaced("escalate:", "  schedules: [{name: s, layers: [{people: [‸bob], starts: 2026-01-01}]}]\nescalate:"), f"there is no person 'bob'; {NAMES}"),
        (replaced("escalate:", "  schedules:\n    - name: s\n      layers: [{people: [ada], starts: 2026-01-01}]\n      overrides: [{person: ‸bob, from: 2026-01-01T00:00:00Z, until: 2026-01-02T00:00:00Z}]\nescalate:"), f"there is no person 'bob'; {NAMES}"),
        (replaced("escalate:", "  roles: [{name: commander, severities: [P0, ‸X]}]\nescalate:"), f"there is no severity 'X'; {SEVERITIES}"),
        (BASE + "    last_resort: [‸'person:bob']\n", f"there is no person 'bob'; {NAMES}"),
        (BASE + "services: [{name: web, depends_on: [‸pay]}, {name: mail}]", "there is no service 'pay'; expected one of web, mail"),
        (replaced('"person:ada"', '‸"person:bob"'), f"there is no person 'bob'; {NAMES}"),
        (BASE + "    raise_severity: {after: 1h, to: ‸X}\n", f"there is no severity 'X'; {SEVERITIES}"),
        (replaced("[P0, P1]", "[P0, P1, ‸X]"), f"there is no severity 'X'; {SEVERITIES}"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_exist_is_told_with_those_that_do(marked: str, message: str) -> None:
    check(marked, message)


def test_a_channel_that_is_meant_needs_an_address_unless_its_kind_has_none() -> None:
    check(replaced('"person:ada"', '"channel:term"'))
    check(
        replaced('"person:ada"', '‸"channel:slack"'),
        "channel:slack does not say where in the channel; expected channel:slack:<address>, or an `address`",
    )
    check(replaced('"person:ada"', '"channel:slack"').replace("name: slack,", "name: slack, address: '#x',"))


@pytest.mark.parametrize(
    ("marked", "kind", "name"),
    [
        (replaced("{name: P1}]", "{name: P1}, {name: ‸P0}]"), "severities", "P0"),
        (replaced("{name: hook,", "{name: ‸shop,"), "sources", "shop"),
        (replaced("{name: term,", "{name: ‸slack,"), "channels", "slack"),
        (replaced("{name: ops,", "{name: ops, members: [ada]}, {name: ‸ops,"), "teams", "ops"),
        (rule("  probes: [{name: ‸A, tcp: {host: h, port: 1}, ladder: [{severity: P0}]}]\n"), "alerts", "A"),
        (communicate("status_page: {components: [{name: a}, {name: ‸a}]}"), "components", "a"),
        (BASE + "services: [{name: web}, {name: ‸web}]", "services", "web"),
        (runbook("name: a, wait: 1s, on_success: next", "name: ‸a, wait: 1s"), "steps", "a"),
    ],
)
def test_a_name_that_is_given_twice_is_told_the_second_time(marked: str, kind: str, name: str) -> None:
    check(marked, f"there are two {kind} called {name!r}; expected a name of its own")


# Services.

CIRCLE = "these services depend on each other in a circle"
ORDER = "expected an order in which each needs only those below it"


@pytest.mark.parametrize(
    ("services", "circle"),
    [
        ("{name: a, depends_on: [b]}, {name: b, depends_on: [c]}, {name: c, depends_on: [‸a]}", "a, b, c, a"),
        ("{name: a, depends_on: [b]}, {name: b, depends_on: [c]}, {name: c, depends_on: [‸b]}", "b, c, b"),
        ("{name: a, depends_on: [‸a]}", "a, a"),
        (
            ", ".join(f"{{name: s{n}, depends_on: [s{n + 1}]}}" for n in range(8)) + ", {name: s8, depends_on: [‸s0]}",
            "s0, s1, s2, s3, s4, s5, …, s0",
        ),
    ],
)
def test_services_that_need_each_other_in_a_circle_are_told_where_it_closes(services: str, circle: str) -> None:
    check(f"{BASE}services: [{services}]", f"warning: {CIRCLE}: {circle}; {ORDER}")


def test_services_that_share_what_they_need_are_no_circle() -> None:
    check(BASE + "services: [{name: a, depends_on: [c, b]}, {name: b, depends_on: [c]}, {name: c}]")


def test_a_long_chain_of_services_is_looked_through() -> None:
    chain = ", ".join(f"{{name: s{n}, depends_on: [s{n + 1}]}}" for n in range(999))
    check(f"{BASE}services: [{chain}, {{name: s999}}]")


# Expressions.


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("sum‸(rate(up[5m])", f"the PromQL does not parse: unclosed left parenthesis; {PROMQL}"),
        (
            "‸rate(up)",
            f"the PromQL does not parse: expected type matrix in call to function 'rate', got vector; {PROMQL}",
        ),
        ("‸up up", f"the PromQL does not parse; {PROMQL}"),
        ("‸up[5m]", "the PromQL has no value at a moment; expected a vector or a number"),
        ("'‸\"text\"'", "the PromQL has no value at a moment; expected a vector or a number"),
        (">-\n        sum‸(\n        rate(up[5m])", f"the PromQL does not parse: unclosed left parenthesis; {PROMQL}"),
        ("'sum‸(up{a=\"(\"}'", f"the PromQL does not parse: unclosed left parenthesis; {PROMQL}"),
        ("(" * 60 + "‸(1" + ")" * 61, "more than 60 brackets within each other; expected a simpler expression"),
        ("(up‸]", f"the PromQL does not parse: unexpected right bracket ']'; {PROMQL}"),
    ],
)
def test_promql_that_does_not_parse_is_told_within_its_text(expr: str, message: str) -> None:
    check(rule(expr=expr), message)


def test_promql_is_checked_wherever_it_stands() -> None:
    detect = """\
detect:
  burn_rates:
    - name: B
      objective: 99%
      bad: sum(up[$window]‸]
      total: sum‸(up[$window]
      ladder: [{severity: P0, long: 1h, short: 5m, factor: 14.4}]
  absent: [{name: C, expr: 'a ‸(', severity: P0}]
  anomalies: [{name: D, expr: 'a ‸(', ladder: [{severity: P0, deviations: 4}]}]
"""
    problem = f"the PromQL does not parse: unclosed left parenthesis; {PROMQL}"
    bracket = f"the PromQL does not parse: unexpected right bracket ']'; {PROMQL}"
    step = "name: a, wait: 1s, verify: {expr: 'a ‸('}"
    check(runbook(step, base=BASE + detect), bracket, problem, problem, problem, problem)


MIXED = "a decimal number meets a whole one; expected both decimal, like 1.0, or double(…) around the whole one"
INCIDENT = (
    "expected one of incident.id, incident.title, incident.severity, incident.state, incident.labels, "
    "incident.alerts, incident.age, incident.users_affected, incident.data_loss, incident.data_at_risk, "
    "incident.security, incident.compliance, incident.workaround, incident.recent_deployment"
)
CLASSIFY = f"{INCIDENT}, alert.name, alert.labels, alert.annotations, alert.value, alert.severity"


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        (
            runbook("name: a, wait: 1s", more="when: true && ‸incident.color == 'red'"),
            f"there is no variable 'incident.color'; {INCIDENT}",
        ),
        (
            runbook("name: a, wait: 1s, when: 'incident.severity =‸='"),
            "the condition does not parse; expected CEL such as incident.severity == 'P0'",
        ),
        (BASE + "classify: [{when: alert.value ‸> 1, severity: P0, because: x}]", MIXED),
        (
            BASE
            + "classify:\n  - when: |\n      true &&\n      ‸alert.colour == 'x'\n    severity: P0\n    because: x",
            f"there is no variable 'alert.colour'; {CLASSIFY}",
        ),
        (
            BASE + 'classify: [{when: ‸"true && \\u0061lrt.x", severity: P0, because: x}]',
            f"there is no variable 'alrt.x'; {CLASSIFY}",
        ),
        (
            BASE + "classify: [{when: '''x'' == ‸alrt.x', severity: P0, because: x}]",
            f"there is no variable 'alrt.x'; {CLASSIFY}",
        ),
        (replaced('["person:ada"]', '["person:ada"], when: "‸1"'), NOT_A_CONDITION),
        (communicate("announce: [{to: ['slack:#x'], when: '‸1'}]"), NOT_A_CONDITION),
    ],
)
def test_cel_that_does_not_compile_is_told_within_its_text(marked: str, message: str) -> None:
    check(marked, message)


# Ladders.


@pytest.mark.parametrize(
    "ladder",
    [
        "{severity: P0, above: 1}, {severity: P1, above: ‸2}",
        "{severity: P0, below: 2}, {severity: P1, below: ‸1}",
        "{severity: P0, above: 1, for: 1m}, {severity: P1, above: ‸1, for: 2m}",
    ],
)
def test_a_rung_that_never_decides_is_told(ladder: str) -> None:
    check(rule(ladder=ladder), NEVER)


@pytest.mark.parametrize(
    "ladder",
    [
        "{severity: P0, above: 2}, {severity: P1, above: 1}",
        "{severity: P0, above: 1, for: 10m}, {severity: P1, above: 2, for: 1m}",
        "{severity: P0, above: 9}, {severity: P1, below: 1}",
    ],
)
def test_a_ladder_whose_rungs_all_decide_is_clean(ladder: str) -> None:
    check(rule(ladder=ladder))


def test_a_ladder_begins_with_the_most_severe() -> None:
    check(
        rule(ladder="{severity: P1, above: 2}, {severity: ‸P0, above: 1}"),
        "warning: P0 is more severe than the P1 before it; expected the most severe first",
    )


def test_the_rungs_of_probes_and_anomalies_are_checked_too() -> None:
    detect = """\
detect:
  probes:
    - name: B
      tcp: {host: h, port: 1}
      ladder: [{severity: P0, failures: 2}, {severity: P1, failures: ‸3}]
  anomalies:
    - name: D
      expr: up
      ladder: [{severity: P0, deviations: 4}, {severity: P1, deviations: ‸5}]
"""
    check(BASE + detect, NEVER, NEVER)


def test_a_rule_needs_a_source_of_metrics() -> None:
    check(rule("      source: ‸hook\n"), "hook brings alerts, not metrics; expected a source of metrics")
    text = rule().replace("{name: shop, push: {}}, ", "").replace("name: A", "name: ‸A")
    check(text, "warning: there is no source of metrics for this; expected a source")


def test_times_that_contradict_each_other_are_told() -> None:
    detect = """\
detect:
  burn_rates:
    - name: B
      objective: 99%
      bad: rate(a[$window])
      total: rate(b[$window])
      ladder: [{severity: P0, long: 1h, short: 5m, factor: 14, for: ‸2h}]
  probes: [{name: C, tcp: {host: h, port: 1}, every: ‸1s, ladder: [{severity: P0}]}]
"""
    check(
        runbook("name: a, wait: 1s, verify: ‸{expr: up, within: 1s, every: 2s}", base=BASE + detect),
        "warning: it must hold for longer than its long window; expected at most 1h",
        "warning: the next probe is due before this one times out (5s); expected `timeout` not longer than `every`",
        "warning: there is no time for a second look; expected `every` not longer than `within`",
    )


# Escalation and silences.


@pytest.mark.parametrize("after", ["0s", "5m"])
def test_a_level_that_is_not_later_than_the_one_before_is_never_reached(after: str) -> None:
    levels = f'after: 5m, notify: ["person:ada"]}}, {{after: ‸{after}, notify: ["team:ops"]'
    check(
        replaced('after: 0s, notify: ["person:ada"]', levels),
        "this level is never reached by itself: it is due no later than the one before it; expected more than 5m",
    )


def test_a_level_after_the_severity_has_been_raised_is_never_reached() -> None:
    raised = """\
[P0]
    levels: [{after: 0s, notify: ["person:ada"]}]
  - severities: [P1]
    raise_severity: {after: 1h, to: P0}
    levels: [{after: 0s, notify: ["person:ada"]}, {after: ‸2h, notify: ["team:ops"]}]
"""
    check(
        BASE.partition("[P0, P1]")[0] + raised,
        "this level is never reached: after 1h the incident is P0 and has another policy; expected less than 1h",
    )


def test_a_severity_cannot_be_raised_to_itself_or_below() -> None:
    check(
        BASE + "    raise_severity: {after: 1h, to: ‸P1}\n",
        "P0 is already as severe as P1; expected a severity above all of the policy's",
    )


def test_each_severity_has_one_policy() -> None:
    check(
        BASE + '  - severities: [‸P1]\n    levels: [{after: 0s, notify: ["person:ada"]}]\n',
        "P1 already has an escalation policy; expected one policy for each severity",
    )
    check(
        replaced("[P0, P1]", "[P0]").replace("{name: P1}", "{name: ‸P1}"),
        "warning: no escalation policy is for P1: nobody is paged; expected a policy under `escalate` that lists it",
    )


@pytest.mark.parametrize("matcher", ['service=~".*"', 'a=~"x|.*"', 'a=~".*.*"'])
def test_a_silence_that_matches_everything_is_refused(matcher: str) -> None:
    silence = f"silences: [{{name: s, because: x, until: 2026-01-01T00:00:00Z, match: ‸['{matcher}']}}]"
    check(BASE + silence, "this silences every alert; expected a matcher that leaves some out")
    check(BASE + silence.replace("‸", "").replace("']", "', 'team=\"shop\"']"))


def test_an_inhibition_that_mutes_everything_is_refused() -> None:
    everything = "inhibit: [{while: ['a=\"b\"'], mute: ‸['c=~\".*\"']"
    check(BASE + everything + "}]", "this mutes every alert; expected a matcher that leaves some out, or `same`")
    check(BASE + everything.replace("‸", "") + ", same: [zone]}]")


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        (
            replaced("{name: P1}]", "{name: P1, acknowledge_within: 15m, resolve_within: 4h, warn_before: ‸15m}]"),
            "warning: a target of 15m is warned of before it begins; expected less than 15m",
        ),
        (
            replaced(
                "{name: P1}]",
                "{name: P1, acknowledge_within: next business day, resolve_within: 4h, warn_before: ‸5h}]",
            ),
            "warning: a target of 4h is warned of before it begins; expected less than 4h",
        ),
        (
            replaced('notify: ["person:ada"]', "each: ‸true, notify: ['slack:#a', 'channel:term']"),
            "warning: this level tells nobody who could answer, only channels; "
            "expected a person, a team or a schedule in `notify`",
        ),
        (
            replaced("escalate:", "  roles: [{name: Incident-Commander}, {name: ‸tea maker}]\nescalate:"),
            "warning: incidents have no role 'tea maker': nobody is given it; "
            "expected one of incident commander, technical lead, communications lead, support lead",
        ),
    ],
)
def test_warnings_roles_and_answers_that_cannot_be_are_told(marked: str, message: str) -> None:
    check(marked, message)


def test_warnings_roles_and_answers_that_can_be_are_clean() -> None:
    check(replaced("{name: P1}]", "{name: P1, acknowledge_within: 15m, resolve_within: 4h, warn_before: 14m}]"))
    check(replaced("{name: P1}]", "{name: P1, acknowledge_within: next business day, warn_before: 1h}]"))
    check(replaced("{name: P1}]", "{name: P1, warn_before: 1h}]"))
    check(replaced('notify: ["person:ada"]', "each: true, notify: ['slack:#a', 'team:ops']"))
    check(replaced('notify: ["person:ada"]', "each: false, notify: ['slack:#a']"))
    roles = ("incident commander", "technical_lead", "Communications Lead", "SUPPORT-LEAD", "commander")
    check(replaced("escalate:", f"  roles: [{', '.join(f'{{name: {role}}}' for role in roles)}]\nescalate:"))
    check(replaced("{name: ada, contacts", "{name: ada, access: admin, contacts"))


# Runbooks.


def test_a_step_that_no_path_leads_to_is_told() -> None:
    check(
        runbook("name: a, wait: 1s", "name: ‸b, wait: 1s"),
        "no path leads to the step 'b'; "
        "expected a step before it with on_success, on_failure or on_skip that leads here",
    )
    check(runbook("name: a, wait: 1s, when: 'true'", "name: b, wait: 1s"))
    check(runbook("name: a, wait: 1s, on_success: next", "name: b, wait: 1s, on_failure: next"))


def test_a_loop_needs_a_budget() -> None:
    first, second = "name: a, wait: 1s, on_success: b", "name: b, wait: 1s, on_failure: a"
    check(
        runbook(first.replace("a,", "‸a,"), second),
        "the step 'a' can lead back to itself without end; expected a `budget` for the runbook or the step",
    )
    check(runbook(first, second, more="when: 'true'\n      budget: {actions: 3, per: 1h}"))
    check(runbook(first, second) + "  budget: {actions: 3, per: 1h}\n")
    check(runbook(first, second + ", budget: {actions: 3, per: 1h}"))


def test_a_runbook_that_nothing_uses_is_told() -> None:
    text = runbook("name: a, wait: 1s", more="description: x")
    check(
        text.replace("name: r\n", "name: ‸r\n"),
        "warning: nothing uses the runbook 'r'; expected a `when`, or a rule that names it",
    )
    check(runbook("name: a, wait: 1s", more="description: x", base=rule("      runbook: r\n")))


# People.


def test_a_person_without_contacts_is_told() -> None:
    check(
        replaced('ada, contacts: [{channel: slack, address: "#a"}]', "‸ada"),
        "ada cannot be reached: there are no contacts; expected `contacts` with at least one channel and address",
    )


def test_a_team_of_nobody_is_told() -> None:
    check(replaced("[ada, grace]", "‸[]"), "the team ops has no members; expected at least one member")
