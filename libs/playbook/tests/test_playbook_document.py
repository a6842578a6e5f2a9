"""Reading YAML: libyaml is quick, ruamel.yaml is the judge, and nobody can tell which of them has read a document."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbook_documents import FRAGMENTS, document, outcome, spoilt
from ruamel.yaml.events import Event

from tocsin_playbook import Position, ruamel_yaml
from tocsin_playbook.document import Mapping, Node, Scalar, Sequence, read_document, read_with_ruamel
from tocsin_playbook.plain import Ambiguous, Value, meaning

ROOT = Path(__file__).parents[3]
FOLDERS = ("deploy", "docs", "examples", "libs", "playbooks", "services", "tests")
FILES = [ROOT / "docker-compose.yml", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.y*ml")))]
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

USUAL = {
    "words, numbers and nothing": "a: b c\nn: [1, -2.5, true, null, ~]\nempty:\nlist:\n- x\n-\n-   y\n",
    "a flow collection over several lines": '{"a": [b,\n  c], d: {e: f,},\n\n "g":h}\n',
    "quoted text": "'it''s': \"\\u00e9 \\\n  x\\/y\"\n? 'b'\n: 'c\n\n  d'\n",
    "block text": "a: |2-\n    x\n   y\n\nb: >+ # a comment\n  x\n  y\n\n   z\n\n# end\nc: |\n",
    "plain text over lines": "a: b\n  c\n\n  d  # e\nf: g#h\n",
    "aliases": "a: &x [1, &y b]\nc: [*x, *y]\nd: *y\ne: &z {f: g}\n",
    "text that is not ASCII": "größe: '🙂' # é\n日本: [e\u0301, 🙂🙂, ä]\n",
    "a document start": "# first\n--- # second\na: b\n",
    "no last line break": "a:\n  - b:",
    "comments and trailing spaces": "a:   \n\n  # x\n  b: c   # y\n #\nd: e  \n",
}
LEFT_TO_RUAMEL = {
    "a tab": "a:\tb\n",
    "a tab before a comment": "a: b\t# c\n",
    "a carriage return": "a: b\r\nc: d\r\n",
    "a next line": "a: b\x85c: d\n",
    "a line separator": "a: 'b\u2028  c'\n",
    "a paragraph separator": "a: 'b\u2029  c'\n",
    "a byte order mark": "\ufeffa: b\n",
    "a byte order mark inside": "a: [\ufeffb, c]\n",
    "a pair in a list": "[a: b]\n",
    "a pair to libyaml alone": '["a":b]\n',
    "an alias as a pair": "- &a x\n- [*a :b]\n",
    "an alias as a key": "a: &x y\n*x: z\n",
    "a name before a colon": "a: &b:, \n",
    "a name before a question mark": "a: &b?c\n",
    "a comment glued to the head of a text": "a: |#c\n  b\n",
    "a text that begins with spaces": "a: |\n  \n    b\n",
    "a text that begins with spaces after a comment": "a: >- # c\n  \n    b\n",
    "a text of spaces": "a: |\n  \n    ",
    "a text with a name": "a: &x # c\n  |\n  b\n",
    "an end mark": "a: b\n...\n",
    "two end marks": "a: b\n...\n...\n",
    "a word": "a\n",
    "a text at the first column": "|\na\n...\n",
    "nothing": "---",
    "no character at all": "",
    "a directive": "%YAML 1.1\n---\na: b\n",
    "a tag": "a: !x b\n",
    "a tag on a list": "a: !!seq []\n",
    "the tag that says nothing": "a: ! b\n",
    "a merge key": "a: {<<: {b: c}}\n",
    "a second document": "a: b\n---\nc: d\n",
    "a key twice": "a: b\na: c\n",
    "an old switch": "a: no\n",
    "an alias of nothing": "a: *b\n",
    "a name that libyaml does not know": "a: &ä b\nc: *ä\n",
    "a deep document": "[" * 33 + "]" * 33,
    "half a surrogate pair": "a: \ud800\n",
    "an escaped half of a surrogate pair": 'a: "\\ud800"\n',
    "an escape of no character": 'a: "\\UFFFFFFFF"\n',
    "a control character": "a: \x00\n",
    "no YAML": "a: [b\n",
}


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that ruamel.yaml has been asked about."""
    texts: list[str] = []
    ask = ruamel_yaml.events

    def events(text: str) -> Iterator[Event]:
        texts.append(text)
        return ask(text)

    monkeypatch.setattr(ruamel_yaml, "events", events)
    return texts


def agree(text: str) -> None:
    assert outcome(read_document, text) == outcome(read_with_ruamel, text)


@pytest.mark.parametrize("text", USUAL.values(), ids=USUAL)
def test_a_usual_document_is_read_quickly_and_as_ruamel_reads_it(text: str, judged: list[str]) -> None:
    read_document(text, "p.yaml")
    assert judged == []
    agree(text)


@pytest.mark.parametrize("text", LEFT_TO_RUAMEL.values(), ids=LEFT_TO_RUAMEL)
def test_what_libyaml_may_see_otherwise_is_left_to_ruamel(text: str, judged: list[str]) -> None:
    first = outcome(read_document, text)
    assert judged == [text]
    assert first == outcome(read_with_ruamel, text)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_both_parsers_agree_on_the_files_of_this_repository(path: Path) -> None:
    agree(path.read_text(encoding="utf-8"))


@PATIENT
@given(st.randoms())
def test_both_parsers_agree_on_documents_in_all_styles(random: Random) -> None:
    agree(document(random))


@PATIENT
@given(st.randoms())
def test_both_parsers_agree_on_spoilt_documents(random: Random) -> None:
    agree(spoilt(document(random), random))


@PATIENT
@given(st.lists(st.sampled_from(FRAGMENTS) | st.sampled_from("ab\n ") | st.text(max_size=2), max_size=20))
def test_both_parsers_agree_on_any_text(parts: list[str]) -> None:
    text = "".join(parts)
    agree(text)
    agree(f"a: {text}")
    agree(f"[{text}]")
    agree(f"{{{text}}}")


@pytest.mark.parametrize("length", [1022, 1023, 1024, 1025])
@pytest.mark.parametrize("shape", ["{}: v", "{} : v", "'{}' : v", "a: {{b: c, {} : d}}", "? {}\n: v", "&a {}: v"])
@pytest.mark.parametrize("character", ["x", "é", "🙂"])
def test_both_parsers_agree_how_long_a_key_may_be(shape: str, length: int, character: str) -> None:
    agree(shape.format(character * length))


def test_positions_count_characters() -> None:
    text = "größe: '🙂🙂' # 🙂\n🙂 b: [ä, 🙂,\n  e\u0301 x]\nlist:\n- >-\n  🙂\n- {k: }\n"
    root = read_document(text, "p.yaml")
    assert isinstance(root, Mapping)
    assert [(key, at.line, at.column) for key, (at, _) in root.entries.items()] == [
        ("größe", 1, 1), ("🙂 b", 2, 1), ("list", 4, 1),
    ]  # fmt: skip
    assert root.entries["größe"][1] == Scalar("🙂🙂", "🙂🙂", "'", Position(1, 8), Position(1, 12))
    flow, block = root.entries["🙂 b"][1], root.entries["list"][1]
    assert isinstance(flow, Sequence)
    assert isinstance(block, Sequence)
    assert [(item.start, ends(item)) for item in flow.items] == [
        (Position(2, 7), Position(2, 8)), (Position(2, 10), Position(2, 11)), (Position(3, 3), Position(3, 7)),
    ]  # fmt: skip
    assert (flow.start, block.start) == (Position(2, 6), Position(5, 1))
    assert block.items[0] == Scalar("🙂", "🙂", ">", Position(5, 3), Position(7, 1))


def ends(node: Node) -> Position | None:
    return node.end if isinstance(node, Scalar) else None


def test_a_value_that_is_missing_begins_and_ends_behind_its_key() -> None:
    root = read_document("{a: , b}\n", "p.yaml")
    assert isinstance(root, Mapping)
    assert root.entries["a"][1] == Scalar(None, "", None, Position(1, 3), Position(1, 3))
    assert root.entries["b"][1] == Scalar(None, "", None, Position(1, 8), Position(1, 8))


def test_a_hundredth_problem_that_ends_the_text_is_told_as_the_others_are() -> None:
    text = "".join(f"a{number}: !x b\n" for number in range(99)) + "b: ["
    problems = outcome(read_document, text)
    assert len(problems) == 100
    assert "expected the node content" in problems[-1]


def test_where_pyyaml_comes_without_libyaml_ruamel_reads_alone(
    monkeypatch: pytest.MonkeyPatch, judged: list[str]
) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    monkeypatch.delattr(yaml, "CBaseLoader")
    assert outcome(read_document, "a: b\n") == outcome(read_with_ruamel, "a: b\n")
    assert judged == ["a: b\n", "a: b\n"]


def test_the_package_can_be_imported_without_libyaml() -> None:
    script = (
        "import sys; sys.modules['yaml._yaml'] = None\n"
        "from tocsin_playbook.document import read_document, to_data\n"
        "print(to_data(read_document('{a: [1, b]}', 'p.yaml')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "{'a': [1, 'b']}\n"


@pytest.mark.parametrize(
    "text", ["yes", "No", "oN", "OFF", "007", "-01", "0o7", "0x1F", "0b1", ".inf", "-.INF", ".NaN"]
)
def test_what_older_readers_take_for_something_else_has_no_meaning(text: str) -> None:
    assert isinstance(meaning(text, is_key=False), Ambiguous)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("Null", None), ("TRUE", True), ("false", False), ("0", 0), ("-12", -12), ("+3", 3),
        (".5", 0.5), ("-1.", -1.0), ("1e3", 1000.0), ("1e", "1e"), ("+", "+"), (".", "."), ("-.nan", "-.nan"),
        ("nothing", "nothing"), ("once", "once"), ("yesterday", "yesterday"), ("0x", "0x"), ("12:30", "12:30"),
    ],
)  # fmt: skip
def test_plain_text_means_what_it_means_in_yaml_1_2(text: str, value: Value) -> None:
    found = meaning(text, is_key=False)
    assert (type(found), found) == (type(value), value)


def test_an_old_switch_is_a_word_where_it_is_a_key() -> None:
    assert meaning("on", is_key=True) == "on"
