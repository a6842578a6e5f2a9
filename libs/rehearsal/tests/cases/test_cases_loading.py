# ruff: noqa: E501 - tables of cases, one a line
"""Reading a file of tests: what is refused, where, and in which words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin_rehearsal.cases import CasesError, load_cases
from tocsin_rehearsal.cases.checks.not_yet import DEPLOYMENTS, PROBES, STATUS_PAGE
from tocsin_rehearsal.cases.loader import beside

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.yaml"))
HEAD = "apiVersion: tocsin/v1\nkind: PlaybookTest\nplaybook: playbook.yaml\ntests:\n  - name: a test\n"
EXPECTED = "    expect: [{by: 5s, incident: none}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the storefront's playbook, to which a probe and a source of foreign alerts are added."""
    text = (ROOT / "examples/storefront/playbook.yaml").read_text(encoding="utf-8")
    text = text.replace("\ndetect:\n", "\n  - {name: others, webhook: {}}\n\ndetect:\n" + PROBE)
    (tmp_path / "playbook.yaml").write_text(text, encoding="utf-8")
    return tmp_path


PROBE = "  probes: [{name: front-door, tcp: {host: example.com, port: 80}, ladder: [{severity: P1}]}]\n"


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "t.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return file


def complaints(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(CasesError) as refused:
        load_cases(write(folder, text))
    return [str(problem).replace(f"{folder}/", "") for problem in refused.value.problems]


def assert_complains(folder: Path, marked: str, complaint: str) -> None:
    """The text is refused at the place that is marked with §."""
    before, text = marked.partition("§")[0], marked.replace("§", "")
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    assert any(line.startswith(f"t.yaml:{place}: {complaint}") for line in complaints(folder, text))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load(example: Path) -> None:
    loaded = load_cases(example)
    assert [each.playbook.metadata.name for each in loaded.playbooks] == ["storefront"]
    assert all(case.expect for case in loaded.cases)


def test_there_are_three_examples() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "first_step_does_not_help",
        "nobody_acknowledges",
        "page_and_acknowledge",
    ]


def test_what_is_not_said_has_a_default(folder: Path) -> None:
    document = load_cases(write(folder, HEAD + EXPECTED)).document
    assert document.start == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert document.replicas == 1
    assert document.tests[0].given.interval == timedelta(seconds=15)


def test_several_playbooks_are_in_force_together(folder: Path) -> None:
    (folder / "second.yaml").write_text(
        "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: second}\nseverities: [{name: SEV9}]\n"
    )
    text = HEAD.replace("playbook: playbook.yaml", "playbook: [playbook.yaml, second.yaml]")
    loaded = load_cases(write(folder, text + "    expect: [{by: 5s, incident: {severity: SEV9}}]\n"))
    assert [each.playbook.metadata.name for each in loaded.playbooks] == ["storefront", "second"]


def test_a_case_knows_where_it_and_its_parts_stand(folder: Path) -> None:
    loaded = load_cases(write(folder, HEAD + EXPECTED + "  - name: another\n" + EXPECTED))
    second = loaded.cases[1]
    assert loaded.line_of(second) == 7
    assert (loaded.place(second, "expect", 0, "incident").line, loaded.place(second, "expect", 0).column) == (8, 14)


def test_equal_cases_have_places_of_their_own(folder: Path) -> None:
    loaded = load_cases(write(folder, HEAD + EXPECTED + "  - name: b\n" + EXPECTED))
    assert [loaded.line_of(case) for case in loaded.cases] == [5, 7]


def test_the_only_source_of_series_need_not_be_named(folder: Path) -> None:
    (folder / "night.jsonl").write_text("up 1 1700000000000\n")
    given = "    given: {interval: 1s, series: [{from: 2s, values: {up: 1}}, {source: shop, interval: 5s, file: night.jsonl}]}\n"
    loaded = load_cases(write(folder, HEAD + given + EXPECTED))
    one, other = loaded.feeds(loaded.cases[0])
    assert (one.source, one.interval, one.begins, one.values) == (
        "shop",
        timedelta(seconds=1),
        timedelta(seconds=2),
        {"up": "1"},
    )
    assert (other.source, other.interval, other.file) == ("shop", timedelta(seconds=5), str(folder / "night.jsonl"))


def test_a_file_that_is_not_there_is_a_complaint(tmp_path: Path) -> None:
    with pytest.raises(
        CasesError, match="the file cannot be read: No such file or directory; expected a file of tests"
    ):
        load_cases(tmp_path / "t.yaml")


def test_a_series_has_two_forms(folder: Path) -> None:
    given = '    given:\n      series:\n        shop:\n          up{job="x"}: 1 1 _ stale\n          down: 0\n'
    loaded = load_cases(write(folder, HEAD + given + EXPECTED))
    (feed,) = loaded.feeds(loaded.cases[0])
    assert (feed.source, dict(feed.values)) == ("shop", {'up{job="x"}': "1 1 _ stale", "down": "0"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "t.yaml:1:1: the document is empty; expected a file of tests"),
        ("- a\n", "t.yaml:1:1: a list stands where a mapping is wanted; expected a mapping"),
        ("a", "t.yaml:1:1: text stands where a mapping is wanted; expected a mapping"),
        (b"a: \xff", "t.yaml:1:4: the text is not UTF-8; expected UTF-8"),
        ("a: !!python/name:os.system x", "t.yaml:1:4: tags are not part of a file of tests; expected a plain value without `!`"),
        ("---\na: b\n---\na: b", "t.yaml:3:1: a second document begins; expected one file of tests in one document"),
        (HEAD.replace("PlaybookTest", "Playbook") + EXPECTED, "t.yaml:2:7: 'Playbook' is not one of the words allowed here; expected 'PlaybookTest'"),
        (HEAD.replace("kind: PlaybookTest\n", "") + EXPECTED, "t.yaml:1:1: `kind` is missing; expected `kind`: Always PlaybookTest"),
        (HEAD + "    name: b\n" + EXPECTED, "t.yaml:6:5: the key 'name' was already given in line 5; expected each key once"),
        (HEAD.replace("playbook.yaml", "nowhere.yaml") + EXPECTED, "t.yaml:3:11: nowhere.yaml cannot be read: No such file or directory; expected a playbook, relative to this file"),
        (HEAD.replace("playbook.yaml", '"\\0"') + EXPECTED, "t.yaml:3:11: the text holds the invisible character U+0000; expected visible characters"),
        ("seed: 1\n" + HEAD + EXPECTED, "t.yaml:1:1: there is no key 'seed' here; expected one of apiVersion, kind, playbook, replicas, start, tests"),
        (HEAD.replace("playbook.yaml", "[playbook.yaml, ./playbook.yaml]") + EXPECTED, "t.yaml:3:27: two playbooks are called 'storefront'; expected each once"),
        ("replicas: 6\n" + HEAD + EXPECTED, "t.yaml:1:11: the number is out of range; expected at most 5"),
        ("start: 2026-01-05T09:00:00\n" + HEAD + EXPECTED, "t.yaml:1:8: the moment has no offset from UTC; expected a moment with its offset, like 2026-03-29T01:00:00Z"),
        (HEAD, "t.yaml:5:5: `expect` is missing; expected `expect`: What is expected, and when"),
        (HEAD + "    expect: []\n", "t.yaml:6:13: it is empty or too short; expected at least 1"),
        (HEAD.partition("tests:")[0] + "tests: []\n", "t.yaml:4:8: it is empty or too short; expected at least 1"),
        (HEAD + EXPECTED + "    expcet: 1\n", "t.yaml:7:5: there is no key 'expcet' here; expected `expect`"),
        (HEAD + EXPECTED + "    zzz: 1\n", "t.yaml:7:5: there is no key 'zzz' here; expected one of at, expect, given, name, until"),
        (HEAD + EXPECTED + "    until: 0s\n", "t.yaml:7:12: the duration is zero; expected a duration longer than 0s"),
        (HEAD + EXPECTED + "  - name: a test\n" + EXPECTED, "t.yaml:7:11: there are two tests called 'a test'; expected a name of its own"),
        (HEAD + EXPECTED + "    until: 4s\n", "t.yaml:6:19: 5s lies after the end of the test; expected a time up to `until`, 4s"),
        (HEAD + EXPECTED + "    at: [{at: 2m, do: {ack: ada}}]\n    until: 1m\n", "t.yaml:7:15: 2m lies after the end of the test; expected a time up to `until`, 1m"),
        (HEAD + "    expect: [{between: [1m, 3m], incident: none}]\n    until: 2m\n", "t.yaml:6:29: 3m lies after the end of the test; expected a time up to `until`, 2m"),
        (HEAD + "    given: {alerts: [{labels: {a: b}, from: 2m}]}\n" + EXPECTED + "    until: 1m\n", "t.yaml:6:45: 2m lies after the end of the test; expected a time up to `until`, 1m"),
        (HEAD + "    given: {series: [{from: 2m, values: {up: 1}}]}\n" + EXPECTED + "    until: 1m\n", "t.yaml:6:29: 2m lies after the end of the test; expected a time up to `until`, 1m"),
    ],
)  # fmt: skip
def test_a_file_is_refused_at_the_place_and_in_plain_words(folder: Path, text: str | bytes, complaint: str) -> None:
    said = complaints(folder, text)
    assert len(said) == 1
    assert said[0].startswith(complaint)


def test_a_playbook_with_errors_is_named_and_so_is_each_of_them_at_its_own_place(folder: Path) -> None:
    (folder / "tests").mkdir()
    book = (folder / "playbook.yaml").read_text()
    (folder / "bad.yaml").write_text(book.replace("kind: Playbook\n", "kind: Playbok\nzzz: 1\n"))
    (folder / "tests" / "t.yaml").write_text(HEAD.replace("playbook.yaml", "../bad.yaml") + EXPECTED)
    with pytest.raises(CasesError) as raised:
        load_cases(folder / "tests" / "t.yaml")
    said = str(raised.value).replace(f"{folder}/", "").splitlines()
    assert said[0] == "tests/t.yaml:3:11: the playbook does not load; expected one that `tocsin lint bad.yaml` accepts"
    assert [line.partition(": ")[0] for line in said[1:]] == ["bad.yaml:4:7", "bad.yaml:5:1"]


def test_a_path_behind_a_link_is_said_as_it_is_written(folder: Path) -> None:
    (folder / "real" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "real" / "deep")
    assert beside(folder / "link" / "t.yaml", "../p.yaml") == folder / "link" / ".." / "p.yaml"
    assert beside(folder / "real" / "t.yaml", "../p.yaml") == folder / "p.yaml"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("{series: §5}", "this is no mapping of series; expected source → series → values, or a list of blocks"),
        ("{series: {§shpo: {up: 1}}}", "the playbook has no source 'shpo'; expected `shop`"),
        ("{series: {§others: {up: 1}}}", "the source 'others' has no series: alerts come from it; expected shop"),
        ("{series: [{source: §shpo, values: {up: 1}}]}", "the playbook has no source 'shpo'; expected `shop`"),
        ("{series: [{source: §others, values: {up: 1}}]}", "the source 'others' has no series: alerts come from it; expected shop"),
        ("{series: {shop: §{}}}", "it is empty or too short; expected at least 1"),
        ("{series: {shop: {up: §0+1}}}", "'0+1' does not say how often; expected 0+1x followed by a number"),
        ("{series: {shop: {up: 1 1 §oops 1}}}", "'oops' is no value; expected one such as 1, 0+10x5, _, _x3 or stale"),
        ("{series: {shop: {up: §5x200000}}}", "'5x200000': more than 100000 steps in all; expected values such as 1, 0+10x5, _, _x3 or stale"),
        ("{series: {shop: {up: §true}}}", 'true is a switch, not a word; expected text: quote it ("true")'),
        ("{series: {shop: {§'a b': 1}}}", "'a b' is no series; expected name{label="),
        ("{series: {shop: {§'{job=\"a\"}': 1}}}", "'{job=\"a\"}' is no series; expected name{label="),
        ("{series: [§{source: shop}]}", "none of values, file is given; expected exactly one of values, file"),
        ("{series: [§{values: {up: 1}, file: a}]}", "values and file exclude each other; expected exactly one of values, file"),
        ("{series: [{file: §a.jsonl}]}", "there is no file 'a.jsonl'; expected a recorded file, relative to this one"),
        ("{series: [{values: {up: 1}, §every: 5s}]}", "there is no key 'every' here; expected one of file, from, interval, source, values"),
        ("{alerts: [{labels: §{}}]}", "it is empty or too short; expected at least 1"),
        ("{alerts: [§{labels: {a: b}, from: 2m, until: 1m}]}", "this ends before it begins; expected `until` after `from`"),
        ("{alerts: [{labels: {a: b}, from: §-2m}]}", "'-2m' lies before the start; expected a time after the start, such as 5m"),
        ("{alerts: [{labels: {a: b}, from: §120}]}", "120 is a duration without a unit; expected a duration like 500ms, 15s, 1h30m, 2d or 1w"),
        ("{world: {§slakc: down}}", "'slakc' is neither a channel of the playbook nor a part of the world; expected `slack`"),
        ("{world: {slack: §broken}}", "'broken' is no state of a channel; expected up, down, or what it answers, such as {status: 429}"),
        ("{world: {slack: §{}}}", "this is no trouble; expected status, hang, lost_after_effect or refuse; or the word down"),
        ("{world: {slack: {§stauts: 429}}}", "there is no key 'stauts' here; expected `status`"),
        ("{world: {slack: §{hang: true, status: 429}}}", "hang and status exclude each other; expected an answer, or one way of not answering"),
        ("{world: {slack: §{hang: true, until: 0s}}}", "this ends before it begins; expected `until` after `from`"),
        ("{world: {nats: §gone}}", "'gone' is not one of the words allowed here; expected 'up' or 'down'"),
        ("{world: {§http: {url: '*/health'}}}", "`answers` is missing; expected `answers`: In this order, each `times` times (default once)"),
        ("{world: {http: §{answers: {status: 503}}}}", "none of action, url is given; expected exactly one of action, url"),
        ("{world: {http: {url: §'*/helth', answers: {status: 503}}}}", "nothing in the playbook asks '*/helth'; expected "),
        ("{world: {http: {action: §clear-cash, answers: {}}}}", "the playbook has no step 'clear-cash'; expected `clear-cache`"),
        ("{world: {http: {action: §x/clear-cache, answers: {}}}}", "the playbook has no step 'x/clear-cache'; expected `clear-cache`"),
        ("{world: {http: {action: clear-cache, answers: §{body: a, json: b}}}}", "body and json exclude each other; expected one of body and json"),
        ("{world: {http: {action: clear-cache, answers: {status: §99}}}}", "the number is out of range; expected at least 100"),
        ("{probes: [{probe: §frnt-door}]}", "the playbook has no probe 'frnt-door'; expected `front-door`"),
    ],
)  # fmt: skip
def test_what_is_given_is_refused_at_its_place(folder: Path, given: str, complaint: str) -> None:
    assert_complains(folder, f"{HEAD}    given: {given}\n{EXPECTED}", complaint)


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        ("§{}", "nothing is done; expected one thing, or a list of things"),
        ("§[]", "it is empty or too short; expected at least 1"),
        ("§{ack: ada, resolve: ada}", "ack and resolve stand in one place; expected one thing, or a list of things"),
        ("{ack: §adda}", "the playbook has no person 'adda'; expected `ada`"),
        ("{acknowledge: {by: §bob}}", "the playbook has no person 'bob'; expected one of ada, grace"),
        ("{§acknowledge: {}}", "`by` is missing; expected `by`: The person"),
        ("{§acknowlege: ada}", "there is no key 'acknowlege' here; expected `acknowledge`"),
        ("{§acknowlege: {by: ada}}", "there is no key 'acknowlege' here; expected `acknowledge`"),
        ("{§telegram: down}", "'telegram' is neither a channel of the playbook nor anything that can be done; expected "),
        ("{kill: §escalater}", "'escalater' is not one of the words allowed here; expected 'detector', 'escalator', 'remediator', 'notifier' or 'recorder'"),
        ("{severity: {by: ada, to: §P9}}", "the playbook has no severity 'P9'; expected one of P0, P1, P2, P3"),
        ("{assign: {by: ada, role: §boss, person: ada}}", "'boss' is not one of the words allowed here; expected 'incident_commander', "),
        ("{assign: {by: ada, role: technical_lead, person: §bob}}", "the playbook has no person 'bob'; expected one of ada, grace"),
        ("{approve: {by: ada, step: §clear-cash}}", "the playbook has no step 'clear-cash'; expected `clear-cache`"),
        ("{run_action: {by: ada, runbook: §x, step: clear-cache}}", "the playbook has no runbook 'x'; expected checkout-failing"),
        ("{run_action: {by: ada, runbook: checkout-failing, step: §x}}", "the playbook has no runbook checkout-failing with a step 'x'; expected one of clear-cache, disable-payment-provider"),
        ("{clear: §{alertname: DiskFull}}", "no alert with these labels has been raised by then; expected labels of an alert that `fire` or `alerts` raises before"),
        ("{note: §ada}", "text stands where a mapping is wanted; expected a mapping"),
    ],
)  # fmt: skip
def test_what_is_done_is_refused_at_its_place(folder: Path, act: str, complaint: str) -> None:
    assert_complains(folder, f"{HEAD}    at: [{{at: 1s, do: {act}}}]\n{EXPECTED}", complaint)


@pytest.mark.parametrize(
    ("expectation", "complaint"),
    [
        ("§{incident: none}", "none of at, between, by, throughout is given; expected exactly one of at, between, by, throughout"),
        ("§{at: 1s, by: 2s, incident: none}", "at and by exclude each other; expected exactly one of at, between, by, throughout"),
        ("§{at: 1s}", "nothing is expected; expected one of alerts, incident, pages, "),
        ("{at: §-1s, incident: none}", "'-1s' lies before the start; expected a time after the start, such as 5m"),
        ("{between: §[10m, 5m], incident: none}", "the span ends before it begins; expected [5m, 10m]"),
        ("{between: §[10m], incident: none}", "this is no span of time; expected two times, such as [5m, 10m]"),
        ("{between: §10m, incident: none}", "this is no span of time; expected two times, such as [5m, 10m]"),
        ("{throughout: §false, incident: none}", "this is no span of time; expected true for the whole test, or two times, such as [5m, 10m]"),
        ("{at: 1s, pages§: }", "nothing stands here; expected what is expected, or none"),
        ("§{at: 1s, pages: ada, nobody_paged: true}", "pages and nobody_paged exclude each other; expected one of pages and nobody_paged"),
        ("§{at: 1s, pages: ada, only: actions}", "`only` names actions, and none are listed; expected `actions` with what may come"),
        ("{at: 1s, pages: §bob}", "the playbook has no person 'bob'; expected one of ada, grace"),
        ("{at: 1s, pages: §'team:shop'}", "team:shop is no person; expected who is to be paged: a person, or channel:<channel>:<address>"),
        ("{at: 1s, pages: §'chat:#incidents'}", "the playbook has no channel 'chat'; expected one of slack, email"),
        ("{at: 1s, pages: {who: ada, channel: §mail}}", "the playbook has no channel 'mail'; expected `email`"),
        ("{at: 1s, pages: {level: §0}}", "the number is out of range; expected at least 1"),
        ("{at: 1s, pages: {severity: §P7}}", "the playbook has no severity 'P7'; expected one of P0, P1, P2, P3"),
        ("{at: 1s, alerts: §{}}", "this does not say which alert; expected name, severity, source or labels"),
        ("{at: 1s, alerts: §CheckoutErors}", "nothing in the playbook, nor in this test, raises an alert 'CheckoutErors'; expected `CheckoutErrors`"),
        ("{at: 1s, alerts: {name: CheckoutErrors, severity: §SEV1}}", "the playbook has no severity 'SEV1'; expected one of P0, P1, P2, P3"),
        ("{at: 1s, alerts: {name: CheckoutErrors, source: §shpo}}", "the playbook has no source 'shpo'; expected `shop`"),
        ("{at: 1s, incident: §reslved}", "'reslved' is not one of the words allowed here; expected 'triggered', 'reopened', 'acknowledged', 'investigating', 'identified', 'mitigating', 'monitoring', 'resolved', 'false_alarm', 'closed' or 'open'"),
        ("{at: 1s, incident: {severity: §P7}}", "the playbook has no severity 'P7'; expected one of P0, P1, P2, P3"),
        ("{at: 1s, incident: {§state: open}}", "there is no key 'state' here; expected one of count, impact, labels, origin, part_of, phase, roles, severity, war_room"),
        ("{at: 1s, actions: §clear-cash}", "the playbook has no step 'clear-cash'; expected `clear-cache`"),
        ("{at: 1s, actions: {step: clear-cache, outcome: §great}}", "'great' is not one of the words allowed here; expected 'started', "),
        ("{at: 1s, messages: {channel: §mail}}", "the playbook has no channel 'mail'; expected `email`"),
        ("{at: 1s, messages: {person: §bob}}", "the playbook has no person 'bob'; expected one of ada, grace"),
        ("{at: 1s, messages: {about: §paging}}", "'paging' is not one of the words allowed here; expected 'page', "),
        ("{at: 1s, deadlines: §acknowledged}", "'acknowledged' is not one of the words allowed here; expected `acknowledge`"),
        ("{at: 1s, events: §IncidentOpend}", "there is no event 'IncidentOpend'; expected `IncidentOpened`"),
        ("{at: 1s, events: {type: IncidentOpened, with: {§sverity: P0}}}", "IncidentOpened has no field 'sverity'; expected `severity`"),
        ("{at: 1s, status_page: {shop: §fine}}", "'fine' is not one of the words allowed here; expected 'operational', "),
    ],
)  # fmt: skip
def test_what_is_expected_is_refused_at_its_place(folder: Path, expectation: str, complaint: str) -> None:
    assert_complains(folder, f"{HEAD}    expect: [{expectation}]\n", complaint)


@pytest.mark.parametrize(
    ("part", "place", "complaint"),
    [
        ("    expect: [{at: 1s, status_page: {checkout: operational}}]\n", "6:23", f"{STATUS_PAGE}; expected no `status_page`"),
        ("    given: {probes: [{probe: front-door}]}\n" + EXPECTED, "6:13", f"{PROBES}; expected no `probes`"),
        ("    given: {deployments: [{service: shop, at: 1m}]}\n" + EXPECTED, "6:13", f"{DEPLOYMENTS}; expected no `deployments`"),
    ],
)  # fmt: skip
def test_what_the_product_cannot_do_yet_is_said_at_its_line(
    folder: Path, part: str, place: str, complaint: str
) -> None:
    assert complaints(folder, HEAD + part) == [f"t.yaml:{place}: {complaint}"]


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_text(folder: Path) -> None:
    body = (
        "    given: {series: {shpo: {up: oops}}, world: {chat: down}}\n"
        "    at: [{at: 5m, do: {ack: bob}}]\n"
        "    expect: [{at: 1s, pages: [ada, eve], incident: {severity: P9}}]\n"
        "    until: 1m\n"
    )
    said = complaints(folder, HEAD + body)
    assert [line.split(": ")[0] for line in said] == [
        "t.yaml:6:22", "t.yaml:6:33", "t.yaml:6:49", "t.yaml:7:15", "t.yaml:7:29", "t.yaml:8:36", "t.yaml:8:63",
    ]  # fmt: skip


def test_all_errors_of_form_are_said_at_once(folder: Path) -> None:
    body = "    at: [{at: soon, do: {kill: 5}}]\n    expect: [{at: -1s, pages: {who: 5}}, {by: 5, incident: [1]}]\n"
    said = complaints(folder, HEAD + body)
    assert len(said) == 6
    assert not any("too short" in line for line in said)


def test_what_an_alias_repeats_is_said_once(folder: Path) -> None:
    body = "    given: &given {series: {shpo: {up: 1}}}\n" + EXPECTED + "  - name: b\n    given: *given\n" + EXPECTED
    assert complaints(folder, HEAD + body) == ["t.yaml:6:29: the playbook has no source 'shpo'; expected `shop`"]


def test_an_alert_may_be_another_system_s(folder: Path) -> None:
    body = (
        "    given: {alerts: [{labels: {alertname: DiskFull, severity: page}}]}\n"
        "    at: [{at: 1s, do: {fire: {labels: {alertname: Late}}}}, {at: 2s, do: [{clear: {alertname: Late}}]}]\n"
        "    expect: [{at: 1s, alerts: [{name: DiskFull, severity: page, source: alertmanager}, Late]}]\n"
    )
    assert load_cases(write(folder, HEAD + body)).cases


def test_an_alert_cannot_be_cleared_before_it_fires(folder: Path) -> None:
    body = (
        "    at: [{at: 2s, do: {fire: {labels: {alertname: Late}}}}, {at: 1s, do: {clear: {alertname: Late}}}]\n"
        + EXPECTED
    )
    assert "no alert with these labels has been raised by then" in complaints(folder, HEAD + body)[0]


def test_a_step_of_the_same_name_in_two_runbooks_needs_its_runbook(folder: Path) -> None:
    file = folder / "playbook.yaml"
    second = (
        "    - name: other\n      when: \"incident.labels.service == 'x'\"\n      steps:\n"
        '        - {name: clear-cache, http: {url: "http://127.0.0.1:7390/x"}, on_success: pause}\n'
        "        - {name: pause, wait: 5s}\n"
    )
    text = file.read_text(encoding="utf-8").replace("\ncommunicate:", f"{second}\ncommunicate:")
    file.write_text(text, encoding="utf-8")

    def rule(action: str) -> str:
        return f"{HEAD}    given: {{world: {{http: {{action: {action}, answers: {{}}}}}}}}\n{EXPECTED}"

    assert (
        "several runbooks have a step 'clear-cache'; expected one of checkout-failing/clear-cache, other/clear-cache"
        in complaints(folder, rule("clear-cache"))[0]
    )
    assert "the step 'pause' makes no request" in complaints(folder, rule("pause"))[0]
    assert load_cases(write(folder, rule("other/clear-cache"))).cases


def test_series_need_their_source_where_there_are_several(folder: Path) -> None:
    file = folder / "playbook.yaml"
    text = file.read_text(encoding="utf-8").replace("{name: others, webhook: {}}", "{name: others, push: {}}")
    file.write_text(text, encoding="utf-8")
    said = complaints(folder, HEAD + "    given: {series: [{values: {up: 1}}]}\n" + EXPECTED)
    assert said == ["t.yaml:6:22: the block does not say which source it is of; expected `source`: one of shop, others"]
