"""Whatever is read as a file of tests, nothing is raised but CasesError, and every problem has a place."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin_playbook import Problem
from tocsin_rehearsal.cases import CasesError, load_cases

ROOT = Path(__file__).parents[4]
PLAYBOOK = ROOT / "examples/storefront/playbook.yaml"
EXAMPLE = (Path(__file__).parent / "examples" / "nobody_acknowledges.yaml").read_text(encoding="utf-8")
HEAD = f"apiVersion: tocsin/v1\nkind: PlaybookTest\nplaybook: {PLAYBOOK}\ntests:\n"
MARKS = list("\"'{}[]:\n\t|>-&*!%@`#\\?~=()")
WORDS = ["&a ", "*a", "<<: ", "!!python/object/apply:os.system ", "0777", "no", ".inf", "1e999", "true", "null", "  "]
CHARACTERS = ["\x00", "\u202e", '"\\U99999999"', "none", "5m", "[5m, 1m]", "{}", "[]"]
FRAGMENTS = st.sampled_from([*MARKS, *WORDS, *CHARACTERS])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["5m", "none", "ada", "-1s", "", "up", "x" * 50]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["by", "at", "x"]), inner, max_size=2),
    max_leaves=4,
)
PATHS = [
    "start", "replicas", "playbook", "tests", "tests.0", "tests.0.name", "tests.0.given", "tests.0.until",
    "tests.0.given.series", "tests.0.given.series.shop", "tests.0.given.series.shop.up", "tests.0.given.interval",
    "tests.0.given.alerts", "tests.0.given.alerts.0", "tests.0.given.alerts.0.labels", "tests.0.given.world",
    "tests.0.given.world.slack", "tests.0.given.world.http", "tests.0.given.world.nats", "tests.0.given.probes",
    "tests.0.given.world.http.answers", "tests.0.given.deployments", "tests.0.at", "tests.0.at.0", "tests.0.at.0.at",
    "tests.0.at.0.do", "tests.0.at.0.do.ack", "tests.0.at.0.do.severity", "tests.0.at.0.do.clear", "tests.0.expect",
    "tests.0.expect.0", "tests.0.expect.0.at", "tests.0.expect.0.between", "tests.0.expect.0.throughout",
    "tests.0.expect.0.alerts", "tests.0.expect.0.incident", "tests.0.expect.0.pages", "tests.0.expect.0.pages.who",
    "tests.0.expect.0.actions", "tests.0.expect.0.messages", "tests.0.expect.0.messages.containing",
    "tests.0.expect.0.status_page", "tests.0.expect.0.deadlines", "tests.0.expect.0.events", "tests.0.expect.0.only",
    "tests.0.expect.0.events.with", "tests.0.expect.0.nobody_paged", "nonsense", "tests.0.nonsense",
]  # fmt: skip


def read(folder: Path, text: str) -> list[str]:
    """All complaints, after a look at whether each has a place and says something."""
    file = folder / "t.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    problems: tuple[Problem, ...] = ()
    try:
        load_cases(file)
    except CasesError as error:
        problems = error.problems or (Problem("", 0, 0, (), "", ""),)  # an error that says nothing is a failure too
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
        assert problem.expected
    return [str(problem) for problem in problems]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@settings(deadline=None)
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_raises_anything_but_a_cases_error(folder: Path, text: str) -> None:
    read(folder, text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = EXAMPLE.replace("../../../../../examples/storefront/playbook.yaml", str(PLAYBOOK))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 40))
        text = text[:at] + draw(FRAGMENTS | st.text(max_size=5)) + text[at + length :]
    return text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=mutated())
def test_no_broken_file_raises_anything_but_a_cases_error(folder: Path, text: str) -> None:
    read(folder, text)


def put(document: object, path: list[str], value: object) -> object:
    """The document with a value at a path; what is not there on the way is made."""
    if not path:
        return value
    first, *rest = path
    if first.isdigit():
        items = list(document) if isinstance(document, list) else [{}]
        return [put(items[0], rest, value), *items[1:]]
    entries = dict(document) if isinstance(document, dict) else {}
    return {**entries, first: put(entries.get(first, {}), rest, value)}


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PATHS), value=ANYTHING)
def test_a_wrong_type_anywhere_is_a_complaint_with_a_place(folder: Path, path: str, value: object) -> None:
    sound = {
        "apiVersion": "tocsin/v1",
        "kind": "PlaybookTest",
        "playbook": str(PLAYBOOK),
        "tests": [{"name": "a", "expect": [{"at": "1s", "incident": "none"}]}],
    }
    read(folder, json.dumps(put(sound, path.split("."), value), indent=1))


def test_an_empty_file_is_one_complaint(folder: Path) -> None:
    assert read(folder, "") == [f"{folder}/t.yaml:1:1: the document is empty; expected a file of tests"]


def test_thousands_of_cases_load(folder: Path) -> None:
    text = HEAD + "".join(f"  - {{name: n{number}, expect: [{{by: 1s, incident: none}}]}}\n" for number in range(2000))
    assert read(folder, text) == []


def test_ten_thousand_cases_are_too_many_and_are_refused_while_reading(folder: Path) -> None:
    text = HEAD + "".join(
        f"  - {{name: n{number}, expect: [{{by: 1s, incident: none}}]}}\n" for number in range(10_000)
    )
    (complaint,) = read(folder, text)
    assert complaint.endswith("the document has more than 50000 values; expected a smaller file of tests")


def test_thousands_of_wrong_cases_are_all_complained_of(folder: Path) -> None:
    text = HEAD + "".join(f"  - {{name: n{number}, expect: [{{by: 1s, pages: bob}}]}}\n" for number in range(2000))
    assert len(read(folder, text)) == 2000


def test_cases_without_form_are_all_complained_of(folder: Path) -> None:
    assert len(read(folder, HEAD + "  - {name: 5, expect: []}\n" * 1500)) == 3000


def test_a_bomb_of_aliases_is_refused(folder: Path) -> None:
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (complaint,) = read(folder, "\n".join(lines))
    assert "aliases" in complaint or "values" in complaint


def test_an_alias_to_itself_is_refused(folder: Path) -> None:
    assert "the alias refers to no anchor before it" in read(folder, HEAD + "  - &a {name: a, expect: *a}\n")[0]


def test_a_key_given_twice_is_refused(folder: Path) -> None:
    text = HEAD + "  - name: a\n    expect: [{by: 1s, by: 2s, incident: none}]\n"
    assert "the key 'by' was already given in line 6" in read(folder, text)[0]


def test_series_that_would_not_fit_into_memory_are_refused(folder: Path) -> None:
    series = "".join(f"          m{number}: 0+1x99999\n" for number in range(30))
    text = (
        HEAD
        + f"  - name: a\n    given:\n      series:\n        shop:\n{series}    expect: [{{by: 1s, incident: none}}]\n"
    )
    (complaint,) = read(folder, text)
    assert "the series have more than 2000000 values in all" in complaint


def test_a_file_that_is_too_large_is_refused_unread(folder: Path) -> None:
    assert "the file is larger than 1048576 bytes" in read(folder, "#" * 1_100_000)[0]


def test_a_folder_is_no_file_of_tests(folder: Path) -> None:
    with pytest.raises(CasesError, match="the file cannot be read: Is a directory"):
        load_cases(folder)


def test_a_recorded_file_with_an_impossible_name_is_not_there(folder: Path) -> None:
    text = (
        HEAD + "  - name: a\n    given: {series: [{file: " + "x" * 300 + "}]}\n    expect: [{by: 1s, incident: none}]\n"
    )
    assert "there is no file" in read(folder, text)[0]
