"""Whatever is read as a playbook, nothing is raised but PlaybookError, and every problem has a place."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbook_documents import outcome

from tocsin_playbook import PlaybookError, Problem, SummaryError, lint, load, parse_summary
from tocsin_playbook.checks.syntax import check_condition, check_promql
from tocsin_playbook.document import read_document, read_with_ruamel

STOREFRONT = (Path(__file__).parents[3] / "examples" / "storefront" / "playbook.yaml").read_text()
MARKS = list("\"'{}[]:\n\t|>-&*!%@`#\\?~=()")
WORDS = ["&a ", "*a", "<<: ", "!!python/object/apply:os.system ", "0777", "no", ".inf", "1e999", "true", "null", "  "]
CHARACTERS = ["\x00", "\u202e", "\ud800", '"\\U99999999"', "{{", "}}", "$window"]
FRAGMENTS = st.sampled_from([*MARKS, *WORDS, *CHARACTERS])
NO_PROBLEM = Problem("", 0, 0, (), "", "")
"""An error that says nothing is a failure too."""

PLACES = st.integers(min_value=0, max_value=len(STOREFRONT))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = STOREFRONT
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(PLACES), draw(st.integers(0, 40))
        text = text[:at] + draw(FRAGMENTS | st.text(max_size=5)) + text[at + length :]
    return text


def read(text: str | bytes) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        load(text)
    except PlaybookError as error:
        problems = error.problems or (NO_PROBLEM,)
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
        assert problem.expected


@given(st.text() | st.binary())
def test_no_text_raises_anything_but_a_playbook_error(text: str | bytes) -> None:
    read(text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated())
def test_no_broken_playbook_raises_anything_but_a_playbook_error(text: str) -> None:
    read(text)
    lint(text)
    assert outcome(read_document, text) == outcome(read_with_ruamel, text)


@given(st.text(alphabet="ab.()[]{}'\"|*+-=!~<>0159smh:@ \\,\n", max_size=40) | st.text(max_size=20))
def test_no_expression_raises_anything(text: str) -> None:
    list(check_promql(text, ()))
    list(check_condition(text, ()))


@given(st.text(alphabet="{}%| .valuebsprcnt_x0", max_size=40))
def test_no_summary_raises_anything_but_a_summary_error(text: str) -> None:
    offset = 0
    try:
        parse_summary(text).render(0.5, {})
    except SummaryError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)
