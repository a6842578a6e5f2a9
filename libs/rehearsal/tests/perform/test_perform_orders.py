"""Silences and overrides in tests: given, set and lifted at a time; what is refused fails the test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin_rehearsal.cases.loader import CasesError, load_cases
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.perform.case import result_of

PLAYBOOK = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1, acknowledge_within: 5m}]
sources: [{name: other, webhook: {}}]
group: {by: [service]}
communicate: {channels: [{name: term, console: {}}]}
oncall:
  people:
    - {name: ada, contacts: [{channel: term, address: ada}]}
    - {name: bob, contacts: [{channel: term, address: bob}]}
    - {name: eve, access: viewer, contacts: [{channel: term, address: eve}]}
  schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]
escalate:
  - severities: [P1]
    levels: [{after: 0s, notify: ["schedule:primary"]}, {after: 2m, notify: ["person:eve"]}]
"""
HEAD = "apiVersion: tocsin/v1\nkind: PlaybookTest\nplaybook: playbook.yaml\ntests:\n  - name: a test\n"
ALERT = "alerts: [{labels: {alertname: Errors, service: checkout, severity: P1}, from: 5s}]"
GIVEN = f"    given: {{{ALERT}}}\n"
SILENCE = "{silence: {by: ada, name: upgrade, match: ['service=\"checkout\"'], lasting: 10m}}"
OVERRIDE = "{override_on_call: {by: ada, schedule: primary, person: bob, lasting: 10m}}"

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "silences.md"

Play = Callable[[str], Result]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Performs the one test of this text."""
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK)

    def performed(text: str) -> Result:
        (tmp_path / "test.yaml").write_text(HEAD + text)
        file = load_cases(tmp_path / "test.yaml")
        return result_of(file, file.cases[0])

    return performed


def passes(result: Result) -> None:
    assert result.passed, "\n".join(map(str, result.differences)) + result.shown


def at(*acts: tuple[str, str]) -> str:
    return "    at: [" + ", ".join(f"{{at: {when}, do: {act}}}" for when, act in acts) + "]\n"


def test_a_silence_that_is_given_keeps_everybody_asleep_until_it_ends(play: Play) -> None:
    silences = "silences: [{match: ['service=\"checkout\"'], until: 3m}]"
    passes(
        play(
            f"    given: {{{ALERT}, {silences}}}\n"
            "    expect: [{between: [0s, 179s], pages: none}, {between: [180s, 182s], pages: {who: ada}}]\n"
            "    until: 4m\n"
        )
    )


def test_a_silence_that_is_given_for_the_whole_test_lasts_that_long(play: Play) -> None:
    silences = "silences: [{match: ['service=~\"check.*\"']}]"
    passes(
        play(f"    given: {{{ALERT}, {silences}}}\n    expect: [{{throughout: true, pages: none}}]\n    until: 1h\n")
    )


def test_a_silence_that_is_given_can_be_lifted_and_cannot_match_everything(play: Play) -> None:
    silences = "silences: [{name: upgrade, match: ['service=\"checkout\"']}]"
    given = f"    given: {{{ALERT}, {silences}}}\n"
    expected = (
        "    expect: [{between: [0s, 59s], pages: none}, {between: [60s, 62s], pages: {who: ada}}]\n    until: 90s\n"
    )
    passes(play(given + at(("1m", "{lift: {by: ada, name: upgrade}}")) + expected))
    wide = play(given.replace("service=", "service!=") + "    expect: [{by: 10s, pages: {who: ada}}]\n    until: 20s\n")
    assert "silences: the silence could match every alert" in "\n".join(map(str, wide.differences))


def test_a_silence_that_is_given_for_later_mutes_what_has_begun_before(play: Play) -> None:
    silences = "silences: [{match: ['service=\"checkout\"'], from: 90s}]"
    passes(
        play(
            f"    given: {{{ALERT}, {silences}}}\n"
            "    expect: [{by: 10s, pages: {who: ada}}, {between: [11s, 30m], pages: none},"
            " {by: 160s, events: {type: IncidentMuted}}]\n"
            "    until: 30m\n"
        )
    )


def test_a_silence_at_a_time_stops_the_escalation_and_its_end_goes_on_with_it(play: Play) -> None:
    passes(
        play(
            GIVEN
            + at(("1m", SILENCE), ("6m", "{lift: ada}"))
            + "    expect: [{by: 10s, pages: {who: ada}}, {between: [11s, 359s], pages: none},"
            " {between: [6m, 362s], pages: {who: ada}}, {between: [8m, 482s], pages: {who: eve}}]\n"
            "    until: 10m\n"
        )
    )


def test_what_is_lifted_is_found_by_its_name(play: Play) -> None:
    other = SILENCE.replace("upgrade", "other").replace("checkout", "search")
    passes(
        play(
            GIVEN
            + at(("0s", SILENCE), ("1s", other), ("1m", "{lift: {by: ada, name: upgrade}}"))
            + "    expect: [{between: [0s, 59s], pages: none}, {between: [60s, 62s], pages: {who: ada}}]\n"
            "    until: 90s\n"
        )
    )


def test_under_an_override_the_other_is_paged_until_it_is_lifted(play: Play) -> None:
    again = "{fire: {labels: {alertname: Errors, service: search, severity: P1}}}"
    passes(
        play(
            GIVEN
            + at(("1s", OVERRIDE), ("30s", "{lift: ada}"), ("40s", again))
            + "    expect: [{by: 10s, pages: {who: bob}}, {between: [40s, 42s], pages: {who: ada}}]\n"
            "    until: 1m\n"
        )
    )


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (SILENCE.replace("service=", "service!="), "Silence: the silence could match every alert"),
        (OVERRIDE.replace("by: ada", "by: eve"), "OverrideOnCall: eve is a viewer"),
        ("{lift: ada}", "lift: nothing has been set"),
        ("{lift: {by: ada, name: upgrade}}", "lift: nothing called upgrade stands"),
    ],
)
def test_an_order_that_cannot_be_given_fails_the_test(play: Play, act: str, complaint: str) -> None:
    result = play(GIVEN + at(("1s", act)) + "    expect: [{by: 10s, pages: {who: ada}}]\n    until: 20s\n")
    assert not result.passed
    assert complaint in "\n".join(map(str, result.differences))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (at(("1s", SILENCE.replace("service=", "service=?"))), "this is no matcher"),
        (at(("1s", OVERRIDE.replace("primary", "tertiary"))), "the playbook has no schedule 'tertiary'"),
        (at(("1s", OVERRIDE.replace("bob", "mallory"))), "the playbook has no person 'mallory'"),
        (at(("1s", "{lift: mallory}")), "the playbook has no person 'mallory'"),
        ("    given: {silences: [{match: []}]}\n", "6:32: it is empty or too short"),
    ],
)
def test_what_cannot_be_meant_is_said_at_its_line(play: Play, text: str, complaint: str) -> None:
    with pytest.raises(CasesError, match=r"t\.yaml") as error:
        play(text + "    expect: [{by: 10s, pages: {who: ada}}]\n")
    assert complaint in str(error.value)


@pytest.mark.usefixtures("play")
def test_two_replicas_that_are_killed_and_started_again_keep_a_silence(tmp_path: Path) -> None:
    text = (
        GIVEN
        + at(("0s", SILENCE), ("1m", "{kill: escalator}"), ("90s", "{restart: escalator}"))
        + "    expect: [{between: [0s, 9m], pages: none}, {between: [600s, 602s], pages: {who: ada}}]\n"
        "    until: 11m\n"
    )
    (tmp_path / "test.yaml").write_text(HEAD.replace("tests:", "replicas: 2\ntests:") + text)
    file = load_cases(tmp_path / "test.yaml")
    passes(result_of(file, file.cases[0]))


@pytest.mark.usefixtures("play")
def test_the_test_in_the_documentation_passes(tmp_path: Path) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "test.yaml").write_text(HEAD.partition("tests:")[0] + text)
    file = load_cases(tmp_path / "test.yaml")
    passes(result_of(file, file.cases[0]))
