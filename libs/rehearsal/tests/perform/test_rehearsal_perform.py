"""Tests as people write them, performed; and what of a playbook they have reached."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin_rehearsal.cases.loader import CasesError, load_cases
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.perform.case import perform, result_of
from tocsin_rehearsal.perform.coverage import Coverage

STOREFRONT = Path(__file__).parents[4] / "examples" / "storefront" / "playbook.yaml"
HEAD = "apiVersion: tocsin/v1\nkind: PlaybookTest\nplaybook: playbook.yaml\n"
GIVEN = "    given: {alerts: [{labels: {alertname: QueueStuck, service: queue, severity: P1}}]}\n"
SICK = """\
    given:
      alerts: [{labels: {alertname: Broken, service: checkout, severity: P1}}]
      world: {http: {url: "*/health", answers: {status: 503}}}
"""

Play = Callable[..., Result]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Performs the one test of this text."""
    (tmp_path / "playbook.yaml").write_text(STOREFRONT.read_text())

    def performed(text: str, head: str = HEAD) -> Result:
        (tmp_path / "test.yaml").write_text(f"{head}tests:\n  - name: a test\n{text}")
        file = load_cases(tmp_path / "test.yaml")
        return result_of(file, file.cases[0])

    return performed


def said(result: Result) -> str:
    return "\n".join(map(str, result.differences))


def test_what_is_expected_and_happens_passes(play: Play) -> None:
    result = play(f"{GIVEN}    expect: [{{by: 5s, pages: {{who: ada}}}}, {{at: 1m, incident: triggered}}]\n")
    assert result.passed, result.shown


def test_what_is_expected_and_does_not_happen_fails_and_shows_what_did(play: Play) -> None:
    result = play(f"{GIVEN}    expect: [{{by: 5s, pages: {{who: grace}}}}]\n    until: 30s\n")
    assert not result.passed
    assert "grace is paged" in said(result)
    assert "ada is paged by slack (level 1)" in result.shown


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("{ack: ada}", "{at: 10s, incident: acknowledged}"),
        ("{resolve: ada}", "{at: 10s, incident: resolved}"),
        ("{escalate: ada}", "{by: 10s, pages: {who: grace}}"),
        ("{severity: {to: P0, by: ada}}", "{at: 10s, incident: {severity: P0}}"),
        ("{note: {text: seen, by: ada}}", "{by: 10s, events: {type: NoteAdded, with: {text: seen}}}"),
        ("{assign: {role: incident_commander, person: grace, by: ada}}", "{by: 10s, events: {type: RoleAssigned}}"),
        ("{stop_automation: ada}", "{by: 10s, events: {type: AutomationStopped}}"),
        ("{fire: {labels: {alertname: More, service: other, severity: P2}}}", "{by: 10s, alerts: More}"),
        ("{clear: {alertname: QueueStuck}}", "{at: 8s, incident: monitoring}"),
        ("{kill: escalator}", "{between: [6s, 50s], pages: none}"),
        ("{nats: down}", "{between: [6s, 50s], pages: none}"),
    ],
)
def test_everything_that_can_be_done_is_done(play: Play, act: str, expected: str) -> None:
    text = f"{GIVEN}    at: [{{at: 5s, do: {act}}}]\n    expect: [{expected}]\n    until: 1m\n"
    result = play(text)
    assert result.passed, said(result) + result.shown


def test_what_is_killed_can_be_started_again(play: Play) -> None:
    acts = "[{at: 5s, do: {kill: escalator}}, {at: 40s, do: {restart: escalator}}]"
    result = play(
        f"{GIVEN}    at: {acts}\n    expect: [{{between: [40s, 45s], pages: {{who: grace}}}}]\n    until: 1m\n"
    )
    assert result.passed, result.shown


def test_an_order_about_nothing_is_a_failure_that_names_it(play: Play) -> None:
    result = play("    at: [{at: 5s, do: {ack: ada}}]\n    expect: [{throughout: true, pages: none}]\n")
    assert "there is no incident" in said(result)
    assert "at 5s" in said(result)
    result = play(f"{GIVEN}    at: [{{at: 5s, do: {{approve: ada}}}}]\n    expect: [{{by: 5s, pages: {{who: ada}}}}]\n")
    assert "no action waits for a yes" in said(result)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ("{status: 200}", "succeeded"),
        ("{status: 400}", "failed"),
        ("{status: 500}", "unknown"),
        ("{refuse: true}", "failed"),
        ("{lost_after_effect: true}", "unknown"),
        ("{hang: true}", "unknown"),
    ],
)
def test_actions_meet_what_the_test_says(play: Play, answers: str, outcome: str) -> None:
    given = SICK.replace("{http: {", f"{{http: [{{action: clear-cache, answers: {answers}}}, {{").replace(
        "}}}\n", "}}]}\n"
    )
    text = f"{given}    expect: [{{by: 1m, actions: {{step: clear-cache, outcome: {outcome}}}}}]\n    until: 2m\n"
    result = play(text)
    assert result.passed, said(result) + result.shown


def test_a_channel_in_trouble_for_a_while_takes_messages_again_after(play: Play) -> None:
    text = (
        "    given:\n      alerts: [{labels: {alertname: Q, service: queue, severity: P1}}]\n"
        "      world: {slack: {status: 500, until: 20s}}\n"
        "    expect:\n      - {by: 15s, messages: {channel: email, to: ada@storefront.example}}\n"
        "      - {between: [20s, 1m], messages: {channel: slack}}\n"
    )
    result = play(text)
    assert result.passed, said(result) + result.shown


def asking(tmp_path: Path) -> str:
    """The head of a test for the storefront's playbook, whose runbook asks first."""
    text = STOREFRONT.read_text()
    (tmp_path / "asks.yaml").write_text(text.replace("automation: automatic", "automation: approve"))
    return HEAD.replace("playbook.yaml", "asks.yaml")


def test_who_is_asked_to_approve_is_asked_and_not_paged(play: Play, tmp_path: Path) -> None:
    expect = (
        "    expect:\n      - {by: 10s, approvals: {who: ada, step: clear-cache}}\n"
        "      - {between: [2s, 10s], pages: none}\n      - {by: 10s, pages: {who: ada, times: 1}}\n"
    )
    result = play(f"{SICK}{expect}    until: 14s\n", asking(tmp_path))
    assert result.passed, said(result) + result.shown


SLOW = """\
    given:
      series:
        shop:
          storefront_requests_total{route="/checkout", code="500"}: 0+1x60
          storefront_requests_total{route="/checkout", code="200"}: 0+99x60
      interval: 1s
    expect: [{by: 30s, alerts: CheckoutErrors, pages: ada, actions: clear-cache}]
"""


def test_where_no_alert_fires_the_values_are_told(play: Play) -> None:
    result = play(SLOW)
    seen = [each.seen for each in result.differences]
    assert seen[0].startswith("at 30s no alert fires: CheckoutErrors was 0.01 at most (at ")
    assert "needs above 0." in seen[0]
    assert seen[1].startswith("nobody is paged, since no alert fires")
    assert seen[2] == "nothing is run, since no alert fires"


def test_a_rule_that_sees_nothing_had_no_value(play: Play) -> None:
    result = play("    expect: [{by: 30s, alerts: CheckoutErrors}]\n")
    assert "CheckoutErrors had no value" in said(result)


def test_recorded_series_and_rules_that_cannot_be_evaluated_are_looked_at_as_well(play: Play, tmp_path: Path) -> None:
    (tmp_path / "night.om").write_text(recorded(range(20), errors=0))
    text = STOREFRONT.read_text()
    expr = "storefront_requests_total * on() storefront_requests_total"
    rule = f"    - {{name: Clash, expr: {expr}, ladder: [{{severity: P1, above: 1}}]}}\n"
    (tmp_path / "clash.yaml").write_text(text.replace("  rules:\n", f"  rules:\n{rule}", 1))
    given = "    given: {interval: 1s, series: [{file: night.om, from: 10s}]}\n"
    result = play(
        f"{given}    expect: [{{by: 40s, alerts: CheckoutErrors}}, {{by: 40s, alerts: Clash}}]\n",
        HEAD.replace("playbook.yaml", "clash.yaml"),
    )
    assert "CheckoutErrors was 0 at most" in said(result)
    assert "Clash had no value" in said(result)


@pytest.mark.parametrize("verb", ["kill", "restart"])
def test_the_recorder_cannot_be_killed_where_it_does_not_run(play: Play, verb: str) -> None:
    with pytest.raises(CasesError, match="the recorder does not run in a test"):
        play(f"{GIVEN}    at: [{{at: 5s, do: {{{verb}: recorder}}}}]\n    expect: [{{by: 5s, pages: ada}}]\n")


def test_a_service_that_breaks_is_an_error_and_not_a_failure(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin_escalator.audit import Audit

    async def breaks(_: Audit) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Audit, "run", breaks)
    result = play(f"{GIVEN}    expect: [{{by: 5s, pages: {{who: ada}}}}]\n")
    assert result.error is not None
    assert "escalator-1 has died" in result.error


def recorded(seconds: range, errors: int) -> str:
    lines = []
    for second in seconds:
        for code, each in (("500", errors), ("200", 10)):
            series = f'storefront_requests_total{{route="/checkout", code="{code}"}}'
            lines.append(f"{series} {second * each} {1_700_000_000 + second}\n")
    return "".join(lines) + "# EOF\n"


def test_recorded_series_are_shown_with_their_own_spacing(play: Play, tmp_path: Path) -> None:
    (tmp_path / "night.om").write_text(recorded(range(60), errors=10))
    given = "    given: {interval: 1s, series: [{file: night.om, from: 10s}]}\n"
    expect = "    expect: [{at: 9s, alerts: none}, {between: [10s, 20s], alerts: CheckoutErrors}]\n"
    text = f"{given}{expect}    until: 2m\n"
    result = play(text)
    assert result.passed, said(result) + result.shown


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the recording has no samples"),
        (b"a 1\n", "the recording has a sample without a time: a"),
        (b"a{ 1 2\n", "line 1"),
        (b"\xff\xfe", "the recording cannot be read: UnicodeDecodeError"),
    ],
)
def test_what_is_no_recording_is_said_at_its_place(play: Play, tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "night.om").write_bytes(content)
    with pytest.raises(CasesError) as raised:
        play("    given: {series: [{file: night.om}]}\n    expect: [{throughout: true, pages: none}]\n    until: 1m\n")
    assert "test.yaml:6:29: " in str(raised.value)
    assert problem in str(raised.value)


def test_coverage_counts_what_was_reached_and_names_the_rest(tmp_path: Path) -> None:
    (tmp_path / "playbook.yaml").write_text(STOREFRONT.read_text())
    expect = "    expect: [{by: 1m, actions: {step: clear-cache, outcome: did_not_help}}]\n    until: 2m\n"
    (tmp_path / "test.yaml").write_text(f"{HEAD}tests:\n  - name: a test\n{SICK}{expect}")
    file = load_cases(tmp_path / "test.yaml")
    coverage = Coverage(file.playbooks[0].playbook)
    assert coverage.missing == coverage.parts
    coverage.take(perform(file, file.cases[0]).world)
    reached = {str(part) for part in coverage.parts} - {str(part) for part in coverage.missing}
    assert {"remediate: checkout-failing/clear-cache", "remediate: checkout-failing/clear-cache on failure"} <= reached
    assert {"escalate: P1 at 0s", "escalate: P1 at 15s"} <= reached
    missing = {str(part) for part in coverage.missing}
    assert {"detect: rule CheckoutErrors", "escalate: P3 at 0s", "classify: customer data may be exposed"} <= missing
    assert 0 < coverage.share < 1


def test_a_condition_that_decides_at_the_opening_is_counted(tmp_path: Path) -> None:
    (tmp_path / "playbook.yaml").write_text(STOREFRONT.read_text())
    labels = "{alertname: Leak, service: queue, severity: P2, pii: exposed}"
    given = f"    given: {{alerts: [{{labels: {labels}}}]}}\n"
    expect = "    expect: [{by: 5s, incident: {severity: P0}}]\n"
    (tmp_path / "test.yaml").write_text(f"{HEAD}tests:\n  - name: a test\n{given}{expect}    until: 10s\n")
    file = load_cases(tmp_path / "test.yaml")
    coverage = Coverage(file.playbooks[0].playbook)
    coverage.take(perform(file, file.cases[0]).world)
    assert "classify: customer data may be exposed" not in {str(part) for part in coverage.missing}
