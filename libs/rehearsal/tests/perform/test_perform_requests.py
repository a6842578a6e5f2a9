"""What people ask for in tests: each command of an incident, and which incident, alert or person it is about."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from tocsin_rehearsal.cases.loader import CasesError, load_cases
from tocsin_rehearsal.cases.model.acts import AboutIncident, Act
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.perform.asking import _COMMANDS
from tocsin_rehearsal.perform.case import result_of

PLAYBOOK = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1, acknowledge_within: 5m}]
sources: [{name: other, webhook: {}}]
group: {by: [service], reopen_within: 5m}
services: [{name: checkout}, {name: login}]
communicate: {channels: [{name: term, console: {}}, {name: mail, console: {}}]}
oncall:
  people:
    - name: ada
      access: commander
      contacts: [{channel: term, address: ada}, {channel: mail, address: ada@shop.test}]
      rules: [{contact: term}, {contact: mail, after: 1m}]
    - {name: bob, contacts: [{channel: term, address: bob}]}
    - {name: eve, contacts: [{channel: term, address: eve}]}
  teams: [{name: payments, members: [bob, eve]}]
  schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]
escalate:
  - severities: [P0, P1]
    levels: [{after: 0s, notify: ["schedule:primary"]}, {after: 10m, notify: ["person:eve"]}]
"""
HEAD = """apiVersion: tocsin/v1
kind: PlaybookTest
playbook: playbook.yaml
tests:
  - name: a test
    given:
      alerts:
        - {labels: {alertname: Errors, service: login, severity: P1}}
        - {labels: {alertname: Errors, service: checkout, severity: P1}, from: 1s}
        - {labels: {alertname: Slow, service: checkout, severity: P1}, from: 2s}
"""
LOGIN = "incident: {service: login}"

Play = Callable[..., Result]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Performs the one test with these acts, one each ten seconds, and this expectation."""
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK)

    def performed(*acts: str, expect: str, until: str = "2m") -> Result:
        given = ", ".join(f"{{at: {10 * (number + 1)}s, do: {act}}}" for number, act in enumerate(acts))
        text = f"{HEAD}    at: [{given}]\n    expect: [{expect}]\n    until: {until}\n"
        (tmp_path / "test.yaml").write_text(text)
        file = load_cases(tmp_path / "test.yaml")
        return result_of(file, file.cases[0])

    return performed


def told(result: Result) -> str:
    return "\n".join(map(str, result.differences)) + result.shown


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        (["{take_over: ada}"], "{by: 15s, incident: {phase: acknowledged, roles: {incident_commander: ada}}}"),
        (["{decline: {by: ada, because: on a train}}"], "{at: 10s, pages: [{who: eve, level: 2}]}"),
        (['{add_responder: {by: ada, target: "team:payments"}}'], "{at: 10s, pages: [{who: bob}, {who: eve}]}"),
        (["{update: {by: ada, text: It is the disk., status: identified}}"], "{by: 15s, incident: identified}"),
        (
            [
                "{state_impact: {by: ada, users_affected: 0.3, workaround: true}}",
                "{state_impact: {by: ada, data_loss: false}}",
            ],
            "{by: 25s, incident: {impact: {users_affected: 0.3, workaround: true, data_loss: false}}}",
        ),
        (["{resolve: {by: ada, false_alarm: true}}"], "{by: 15s, incident: false_alarm}"),
        (["{resolve: ada}", "{reopen: {by: ada, because: it is back}}"], "{by: 25s, incident: reopened}"),
        (
            ["{severity: {by: ada, to: P0}}", "{release_severity: ada}"],
            "{by: 25s, incident: {severity: P0, count: 0}}",
        ),
        (["{merge: {by: ada, into: {service: login}}}"], "{by: 15s, incident: {part_of: {service: login}}}"),
        (
            ["{merge: {by: ada, into: {service: login}}}", "{split: ada}"],
            "{by: 25s, incident: {part_of: {service: login}, count: 0}}",
        ),
        (
            ["{split: {by: ada, alerts: {alertname: Slow}}}"],
            "{by: 15s, incident: {labels: {service: checkout}, count: 2}}",
        ),
        (
            ["{link: {by: ada, other: {service: login}}}"],
            "{by: 15s, events: [{type: IncidentLinked, with: {relation: related}, incident: {service: checkout}}]}",
        ),
        (["{ack: {by: ada, lasting: 20s}}"], "{at: 30s, incident: {phase: triggered}}"),
        (
            [f"{{take_over: {{by: bob, {LOGIN}}}}}"],
            "{by: 15s, incident: {labels: {service: login}, phase: acknowledged}}",
        ),
        ([], "{at: 1m, pages: [{who: ada, way: 2, channel: mail, incident: {service: login}}]}"),
    ],
)
def test_what_a_person_asks_for_is_done(play: Play, acts: list[str], expected: str) -> None:
    result = play(*acts, expect=expected)
    assert result.passed, told(result)


def test_whatever_can_be_asked_has_its_command() -> None:
    kinds = {kind.__name__ for kind in get_args(AboutIncident)}
    assert {kind.__name__ for kind in _COMMANDS} == kinds
    acts = {name for name, field in Act.model_fields.items() if str(field.annotation).find("acts.") >= 0}
    assert acts  # the keys of an act name these kinds


def test_what_is_meant_must_be_there(play: Play) -> None:
    nowhere = play("{merge: {by: ada, into: {service: mail}}}", expect="{by: 15s, incident: triggered}")
    assert "merge: there is no incident with {'service': 'mail'}" in told(nowhere)
    nothing = play("{split: {by: ada, alerts: {alertname: Full}}}", expect="{by: 15s, incident: triggered}")
    assert "split: no alert with {'alertname': 'Full'} fires in it" in told(nothing)


def test_an_incident_that_is_closed_is_meant_where_no_other_is(play: Play) -> None:
    closing = ["{resolve: ada}", "{resolve: ada}"] + ["{note: {by: ada, text: wait}}"] * 31
    result = play(
        *closing,
        "{reopen: ada}",
        expect="{by: 6m, events: [{type: CommandRejected, with: {command: Reopen}}]}",
        until="6m",
    )
    assert result.passed, told(result)


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (
            '{add_responder: {by: ada, target: "team:payment"}}',
            "the playbook has no team 'payment'; expected `payments`",
        ),
        ('{add_responder: {by: ada, target: "schedule:first"}}', "the playbook has no schedule 'first'"),
        ('{add_responder: {by: ada, target: "channel:term:x"}}', "channel:term:x is a place; expected person:<name>"),
        ("{take_over: adda}", "the playbook has no person 'adda'; expected `ada`"),
        (
            "{update: {by: ada, text: so, status: fixed}}",
            "'fixed' is not one of the words allowed here; expected 'investigating'",
        ),
        ("{state_impact: {by: ada}}", "this says nothing of the impact; expected one of users_affected"),
        ("{state_impact: {by: ada, users_affected: 30}}", "the number is out of range; expected at most 1.0"),
        ("{merge: {by: ada, into: {}}}", "it is empty or too short; expected at least 1"),
    ],
)
def test_what_cannot_be_asked_is_said_at_its_place(play: Play, act: str, complaint: str) -> None:
    with pytest.raises(CasesError) as raised:
        play(act, expect="{by: 15s, incident: triggered}")
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ("{origin: checkuot}", "the playbook has no service 'checkuot'; expected `checkout`"),
        ("{roles: {incident_commander: adda}}", "the playbook has no person 'adda'; expected `ada`"),
        ("{roles: {commander: ada}}", "there is no key 'commander' here; expected `incident_commander`"),
        ("{impact: {}}", "this says nothing of the impact"),
    ],
)
def test_what_is_expected_of_an_incident_must_exist(play: Play, expected: str, complaint: str) -> None:
    with pytest.raises(CasesError) as raised:
        play(expect=f"{{by: 15s, incident: {expected}}}")
    assert complaint in str(raised.value)
