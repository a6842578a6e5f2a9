# ruff: noqa: E501 - tables of cases, one a line
"""Reading a playbook: what is refused, where, and in which words."""

from pathlib import Path

import pytest

from tocsin_playbook import PlaybookError, load, load_checked, revision_of
from tocsin_playbook.document import MAX_ALIASES, MAX_BYTES, MAX_NODES

STOREFRONT = Path(__file__).parents[3] / "examples" / "storefront" / "playbook.yaml"
HEAD = "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: shop}\nseverities: [{name: P0}]\n"


def complaints(text: str | bytes) -> list[str]:
    with pytest.raises(PlaybookError) as refused:
        load(text, source="p.yaml")
    return [str(problem) for problem in refused.value.problems]


def test_the_storefront_loads_as_written() -> None:
    loaded = load(STOREFRONT.read_bytes(), source="playbook.yaml")
    assert loaded.playbook.metadata.name == "storefront"
    assert [severity.name for severity in loaded.playbook.severities] == ["P0", "P1", "P2", "P3"]
    assert loaded.playbook.detect.rules[0].ladder[0].above == 0.25


def test_a_playbook_survives_being_written_as_data() -> None:
    playbook = load(STOREFRONT.read_text()).playbook
    data = playbook.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert type(playbook).model_validate(data) == playbook


def test_the_least_playbook_is_its_head() -> None:
    assert load(HEAD).playbook.review.sections[0] == "summary"


def test_the_revision_does_not_depend_on_line_endings() -> None:
    revision = load(HEAD).revision
    assert len(revision) == 12
    assert load("\ufeff" + HEAD.replace("\n", "\r\n") + "\r\n\n").revision == revision
    assert load(HEAD.encode()).revision == revision == revision_of(HEAD.rstrip())
    assert load(HEAD + "# a word\n").revision != revision


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        ("kind: Playbook", "p.yaml:5:1: the key 'kind' was already given in line 2; expected each key once"),
        ("review: !!python/object/apply:os.system {}", "p.yaml:5:9: tags are not part of a playbook; expected a plain value without `!`"),
        ("review: !x {}", "p.yaml:5:9: tags are not part of a playbook; expected a plain value without `!`"),
        ("<<: {}", "p.yaml:5:1: merge keys are not part of a playbook; expected the keys written out"),
        ("review:\n\tdue_within: 1h", "p.yaml:6:1: a tab is used for indentation or between values; expected YAML"),
        ("review: *x", "p.yaml:5:9: the alias refers to no anchor before it; expected an anchor of this name, already complete"),
        ("---\na: b", "p.yaml:5:1: a second document begins; expected one playbook in one document"),
        ("? [a]\n: b", "p.yaml:5:3: a key is a list or a mapping; expected a word as the key"),
        ("1: b", "p.yaml:5:1: the key '1' is no word; expected a word; quote it if it is one"),
        ("review: {sections: [no]}", 'p.yaml:5:21: no is a word to some YAML readers and a switch to others; expected quote it if it is a word ("no"), or write true or false'),
        ("review: {sections: [true]}", 'p.yaml:5:21: true is a switch, not a word; expected text: quote it ("true")'),
        ("review: {sections: [12]}", "p.yaml:5:21: '12' is a number, not text; expected text: quote it (\"12\")"),
        ("review: {sections: [0777]}", "p.yaml:5:21: '0777' is octal to some YAML readers; expected quote it, or write a decimal number"),
        ("review: {sections: [{}]}", "p.yaml:5:21: a mapping stands where text is wanted; expected text"),
        ("review: {sections: []}", "p.yaml:5:20: it is empty or too short; expected at least 1"),
        ("group: {by: .nan}", "p.yaml:5:13: .nan is not a finite number; expected a finite number"),
        ("group: {by: 1e999}", "p.yaml:5:13: '1e999' is too large or too long a number; expected a finite number"),
        ("group: {by: 99999999999999999999}", "p.yaml:5:13: a number stands where a list is wanted; expected a list"),
        ("reviw: {}", "p.yaml:5:1: there is no key 'reviw' here; expected `review`"),
        ("review: {due_wthin: 1h}", "p.yaml:5:10: there is no key 'due_wthin' here; expected `due_within`"),
        ("review: {due_within: 48}", "p.yaml:5:22: 48 is a duration without a unit; expected a duration like 500ms, 15s, 1h30m, 2d or 1w"),
        ("review:", "p.yaml:5:7: nothing stands where a mapping is wanted; expected a mapping"),
        ("escalate: [{severities: [P0], levels: [{after: 0s, notify: [ada]}]}]", "p.yaml:5:61: 'ada' does not say what it refers to; expected person:<name>, team:<name>, schedule:<name> or channel:<channel>:<address>"),
        ("escalate: [{severities: [P0], levels: [{after: 0s, notify: ['person:a']}], repeat: 101}]", "p.yaml:5:84: the number is out of range; expected at most 100"),
        ("sources: [{name: a}]", "p.yaml:5:11: none of prometheus, push, webhook is given; expected exactly one of prometheus, push, webhook"),
        ("sources: [{name: a, push: {}, webhook: {}}]", "p.yaml:5:11: push and webhook exclude each other; expected exactly one of prometheus, push, webhook"),
        ("communicate: {channels: [{name: s, slack: {}}]}", "p.yaml:5:36: `token` is missing; expected `token`: The bot token"),
        ("communicate: {channels: [{name: s, smtp: {host: '-', from: a@b.c}}]}", "p.yaml:5:49: the text has not the right form; expected text that matches ^[A-Za-z0-9]([A-Za-z0-9.\\-:]{0,252}[A-Za-z0-9])?$"),
        ("remediate: {runbooks: [{name: r, steps: [{name: s, kubernetes: {}}]}]}", "p.yaml:5:64: `action` is missing; expected `action`: rollout_restart, rollout_undo or scale"),
        ("remediate: {runbooks: [{name: r, steps: [{name: s, kubernetes: {action: exec}}]}]}", "p.yaml:5:64: there is no action 'exec'; expected 'rollout_restart', 'rollout_undo', 'scale'"),
        ("remediate: {runbooks: [{name: r, steps: [{name: s, kubernetes: {action: scale, namespce: a}}]}]}", "p.yaml:5:80: there is no key 'namespce' here; expected `namespace`"),
        ("remediate: {runbooks: [{name: r, steps: [{name: s, wait: 1s, retry: {attempts: 1.5}}]}]}", "p.yaml:5:80: a number stands where a whole number is wanted; expected a whole number"),
        ("communicate: {status_page: {approval: 1}}", "p.yaml:5:39: a number stands where true or false is wanted; expected true or false"),
        ("communicate: {templates: {opend: x}}", "p.yaml:5:27: 'opend' is not one of the words allowed here; expected 'page', 'reminder', 'approval', 'role', 'warning', 'war_room', 'opened', 'severity_changed', 'acknowledged', 'escalated', 'deadline_missed', 'action', 'update', 'monitoring', 'resolved', 'reopened', 'closed' or 'review'"),
        ("detect: {rules: [{name: a, expr: up, ladder: [{severity: P0, above: 1}], summary: 'now {{ value | pct }}'}]}", "p.yaml:5:99: there is no form 'pct'; expected percent, duration, number"),
        ("%FOO", "p.yaml:6:1: expected '<document start>', but found the end of the text; expected YAML"),
        ("review: {", "p.yaml:6:1: expected the node content, but found the end of the text; expected YAML"),
        ('a: "\\UFFFFFFFF"', "p.yaml:1:1: the text holds an escape that means no character; expected a character that exists"),
        ("a: \x00", "p.yaml:1:1: the text holds a character that YAML does not allow; expected printable text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(addition: str, complaint: str) -> None:
    found = complaints(HEAD + addition + "\n")
    assert complaint in found, found


def test_a_directive_is_refused() -> None:
    assert complaints("%YAML 1.1\n---\n" + HEAD) == [
        "p.yaml:2:1: the document has a directive; expected no lines that begin with %"
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_document_is_no_playbook(text: str) -> None:
    assert complaints(text) == ["p.yaml:1:1: the document is empty; expected a playbook"]


def test_a_missing_key_is_told_where_its_mapping_begins() -> None:
    text = HEAD.replace("kind: Playbook\n", "")
    assert complaints(text) == ["p.yaml:1:1: `kind` is missing; expected `kind`: Always Playbook"]


def test_a_document_may_be_deep_but_not_too_deep() -> None:
    assert complaints("a: " + "[" * 31 + "]" * 31)[0].startswith("p.yaml:1:1: ")
    assert complaints("a: " + "[" * 40) == [
        "p.yaml:1:35: lists and mappings are nested more than 32 deep; expected a flatter document"
    ]


def test_a_document_may_be_large_but_not_too_large() -> None:
    too_large = f"p.yaml:1:1: the document is larger than {MAX_BYTES} bytes; expected a smaller playbook"
    assert complaints("#" * (MAX_BYTES + 1)) == [too_large]
    assert complaints("#" + "é" * (MAX_BYTES // 2)) == [too_large]
    assert complaints("#" * (MAX_BYTES - 1)) == ["p.yaml:1:1: the document is empty; expected a playbook"]


def test_a_document_with_too_many_values_is_refused() -> None:
    text = "[" + "1," * (MAX_NODES + 1) + "]"
    assert complaints(text)[0].endswith(f"the document has more than {MAX_NODES} values; expected a smaller playbook")


def test_a_billion_laughs_are_counted_not_told() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7)]
    assert "the document has more than" in complaints("\n".join(lines))[0]


def test_aliases_are_allowed_up_to_a_limit() -> None:
    playbook = load(HEAD + "review: {sections: [&s summary, *s]}\n").playbook
    assert playbook.review.sections == ("summary", "summary")
    many = HEAD + "review: {sections: [&s summary" + ", *s" * (MAX_ALIASES + 1) + "]}\n"
    assert complaints(many)[0].endswith(f"more than {MAX_ALIASES} aliases; expected a document without so many aliases")


def test_an_alias_cannot_deepen_a_document_beyond_its_limit() -> None:
    text = "a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20
    assert complaints(text) == [
        "p.yaml:2:24: lists and mappings are nested more than 32 deep; expected a flatter document"
    ]


def test_text_that_is_not_utf_8_is_told_where() -> None:
    assert complaints(b"a: b\nc: \xff\n") == ["p.yaml:2:4: the text is not UTF-8; expected UTF-8"]
    assert complaints("a: b\nc: \ud800\n") == ["p.yaml:2:4: the text holds half a surrogate pair; expected UTF-8"]


def test_many_problems_are_told_at_once_but_not_without_end() -> None:
    assert len(complaints(HEAD + "a: !x b\nc: !x d\n")) == 2
    assert len(complaints("".join(f"a{n}: !x b\n" for n in range(500)))) == 100


def test_a_key_in_the_middle_may_be_a_word_that_was_a_switch() -> None:
    text = HEAD + "communicate: {announce: [{to: ['slack:#x'], on: [opened]}]}\n"
    assert load(text).playbook.communicate.announce[0].on == ("opened",)


SECRET = "hunter2-do-not-repeat"


@pytest.mark.parametrize(
    "channel",
    [
        f"slack: {{token: {SECRET}}}",
        f"slack: {{token: {{env: '{SECRET}'}}}}",
        f"slack: {{token: {{value: {SECRET}}}}}",
        f"slack: {{token: {{file: '{SECRET}'}}}}",
        f"slack: {{token: {{file: '/a/../{SECRET}'}}}}",
        f"slack: {{token: [{SECRET}]}}",
        f"webhook: {{url: 'https://x', headers: {{Authorization: {SECRET}}}}}",
        f"webhook: {{url: 'https://x', secret: {SECRET}}}",
        f"webhook: {{url: 'https://u:{SECRET}@x'}}",
        f"apprise: {{url: 'tgram://{SECRET}'}}",
    ],
)
def test_a_secret_in_the_playbook_is_refused_and_not_repeated(channel: str) -> None:
    found = "\n".join(complaints(HEAD + f"communicate: {{channels: [{{name: c, {channel}}}]}}\n"))
    assert SECRET not in found
    assert ":5:" in found


def test_a_secret_is_kept_in_the_environment_or_a_file() -> None:
    text = "communicate: {channels: [{name: c, slack: {token: {env: TOKEN}, signing_secret: {file: /run/s}}}]}\n"
    slack = load(HEAD + text).playbook.communicate.channels[0].slack
    assert slack is not None
    assert str(slack.token) == "environment variable TOKEN"
    assert str(slack.signing_secret) == "file /run/s"


def test_what_services_load_has_no_errors() -> None:
    assert load_checked(STOREFRONT.read_text()).playbook.metadata.name == "storefront"
    assert load_checked(HEAD).playbook.metadata.name == "shop", "a warning is no error"
    with pytest.raises(PlaybookError, match="there is no person 'bob'"):
        load_checked(HEAD + "review: {owner: 'person:bob'}\n")
