# ruff: noqa: E501 - pictures of what is printed
"""A failure as people see it, and as machines do."""

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.cells import cell_len

from tocsin_rehearsal.cases import (
    Difference,
    Expectation,
    Moment,
    Result,
    Seen,
    check,
    judge,
    junit,
    seen_of,
    side_by_side,
    side_by_side_styled,
)

S = timedelta(seconds=1)


def page(at: timedelta, who: str, text: str = "") -> Moment:
    fields = {
        "outcome": "delivered", "target": f"person:{who}", "channel": "slack", "level": 1, "way": 1, "severity": "P0",
        "incident": "i",
    }  # fmt: skip
    return Moment(at, "page", text or f"{who} is paged by slack (level 1)", fields)


def event(at: timedelta, type_: str) -> Moment:
    return Moment(at, "event", f"{type_}: something", {"type": type_})


def expect(*said: dict[str, Any]) -> list[Expectation]:
    return [Expectation.model_validate(each) for each in said]


def rendered(expectations: list[Expectation], seen: Seen, **how: Any) -> list[str]:
    return side_by_side(judge(expectations, seen), seen, **how).splitlines()


FAILING = expect(
    {"between": ["0s", "5s"], "pages": "ada"}, {"by": "20s", "pages": "grace"}, {"at": "30s", "incident": "open"}
)
COURSE = seen_of(
    [page(4 * S, "ada"), page(25 * S, "grace"), event(4 * S, "RunbookStarted"), event(4 * S, "DeadlineSet")], 60 * S
)


def test_expected_and_seen_stand_side_by_side_with_the_first_difference_marked() -> None:
    assert rendered(FAILING, COURSE) == [
        "  expected                                            | seen",
        "  ----------------------------------------------------+-----------------------------------------------------------------",
        "  between 0s and 5s: ada is paged                     | 4s ada is paged by slack (level 1)",
        "                                                      | 4s RunbookStarted: something",
        "> by 20s: grace is paged                              | 25s grace is paged by slack (level 1), which is too late",
        "                                                      | 25s grace is paged by slack (level 1)",
        "x at 30s: incident open                               | 30s no incident",
    ]


def test_what_never_came_says_so_in_its_place() -> None:
    assert rendered(expect({"by": "5s", "pages": "ada"}), seen_of([], 60 * S))[-1] == (
        "> by 5s: ada is paged                                 | (nobody is paged, since no alert fires)"
    )


def test_what_nobody_wanted_stands_beside_what_it_broke() -> None:
    lines = rendered(expect({"throughout": True, "nobody_paged": True}), seen_of([page(4 * S, "ada")], 60 * S))
    assert lines[2:] == ["> throughout: nobody is paged                         | 4s ada is paged by slack (level 1)"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("text", ["a word " * 60, "x" * 500, "🔴 P0 🔥 " * 40, "火" * 300, "", "one"])
def test_no_line_is_longer_than_asked_for(width: int, text: str) -> None:
    seen = seen_of([page(4 * S, "ada", text)], 60 * S)
    said = expect(
        {"by": "5s", "messages": {"containing": [text[:300] or "x", "y" * 200]}}, {"by": "5s", "pages": "eve"}
    )
    lines = rendered(said, seen, width=width)
    assert max(map(cell_len, lines)) <= width
    assert {line.replace("+", "|")[: width // 2 + 4].count("|") for line in lines if "|" in line or "+" in line} == {1}


def test_a_narrower_terminal_than_sixty_columns_gets_sixty() -> None:
    assert rendered(FAILING, COURSE, width=10) == rendered(FAILING, COURSE, width=60)


def test_of_a_long_course_the_part_around_the_first_difference_is_shown() -> None:
    seen = seen_of([page(number * S, "ada") for number in range(200)], 300 * S)
    late = expect(
        {"by": "100s", "pages": "grace"}, {"by": "101s", "pages": "eve"}, {"by": "299s", "incident": "open"},
    )  # fmt: skip
    lines = rendered(late, seen)
    assert len(lines) < 60
    assert lines[2] == "  … 81 rows before this …                             |"
    assert [line for line in lines if line.startswith(">")] == [
        "> by 1m40s: grace is paged                            | 0s ada is paged by slack (level 1)"
    ]
    assert lines[-1] == "  … 82 rows after this, 1 of them a difference …      |"


def test_what_was_asked_for_is_shown_too() -> None:
    sent = Moment(
        4 * S, "message", "message by slack",
        {"channel": "slack", "to": "#x", "person": None, "about": "opened", "text": "t", "incident": "i"},
    )  # fmt: skip
    due = Moment(4 * S, "deadline", "update is due", {"deadline": "d", "state": "over", "incident": "i"})
    seen = seen_of([sent, due], 60 * S)
    assert len(rendered(expect({"by": "5s", "pages": "none"}), seen)) == 3
    assert len(rendered(expect({"by": "5s", "messages": "bye", "deadlines": "none"}), seen)) == 6


def test_styles_mark_what_text_marks_with_signs() -> None:
    verdicts = judge(FAILING, COURSE)
    styled = side_by_side_styled(verdicts, COURSE)
    assert styled.plain == side_by_side(verdicts, COURSE)
    styles = {styled.plain[span.start : span.end].strip()[:8]: str(span.style) for span in styled.spans}
    assert styles["> by 20s"] == "bold red"
    assert styles["between "] == "green"


# --- JUnit ------------------------------------------------------------------------------------------------------------

ALLOWED: dict[str, tuple[set[str], set[str], set[str]]] = {  # element → required and further attributes, children
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors"}, {"time", "skipped"}, {"testcase"}),
    "testcase": ({"name"}, {"time", "classname"}, {"failure", "error"}),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
}
"""The part of the Jenkins xUnit plugin's junit-10.xsd that a report of ours may use."""

DIFFERENCE = Difference(("expect", 0, "pages", 0), 5 * S, "by 5s: ada is paged", "nothing of the kind")
RESULTS = [
    Result("b.yaml", 5, "who <is> & paged", 0.0125 * S),
    Result("a.yaml", 7, "nobody answers", S, (DIFFERENCE,), shown="> by 5s: ada is paged | \x1b \ud800 🔴"),
    Result("a.yaml", 17, "no picture", S, (DIFFERENCE, DIFFERENCE)),
    Result("a.yaml", 30, "the world breaks", 2 * S, error="a service died\nwith more"),
]


def valid(root: ET.Element) -> bool:
    def is_valid(element: ET.Element) -> bool:
        required, further, children = ALLOWED[element.tag]
        names = set(element.attrib)
        return (
            required <= names <= required | further
            and {child.tag for child in element} <= children
            and float(element.get("time", "0")) >= 0
            and all(is_valid(child) for child in element)
        )

    return root.tag == "testsuites" and is_valid(root)


def test_a_report_is_valid_and_counts() -> None:
    root = ET.fromstring(junit(RESULTS).encode())  # noqa: S314 - our own
    assert valid(root)
    assert root.attrib == {"name": "tocsin test", "tests": "4", "failures": "2", "errors": "1", "time": "4.013"}
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("time")) for suite in root] == [
        ("a.yaml", "3", "2", "4.000"), ("b.yaml", "1", "0", "0.013"),
    ]  # fmt: skip


def test_a_failure_says_where_and_what() -> None:
    root = ET.fromstring(junit(RESULTS).encode())  # noqa: S314 - our own
    first, second = root.findall(".//failure")
    assert first.get("message") == "expected by 5s: ada is paged; seen: nothing of the kind"
    assert first.text == "a.yaml:7\n> by 5s: ada is paged | \ufffd \ufffd 🔴"
    assert second.text == f"a.yaml:17\n{DIFFERENCE}\n{DIFFERENCE}"


def test_a_test_that_could_not_be_run_is_an_error() -> None:
    (error,) = ET.fromstring(junit(RESULTS).encode()).findall(".//error")  # noqa: S314 - our own
    assert (error.get("message"), error.text) == ("a service died", "a.yaml:30\na service died\nwith more")


def test_names_survive_whatever_they_hold() -> None:
    names = [case.get("name") for case in ET.fromstring(junit(RESULTS).encode()).iter("testcase")]  # noqa: S314
    assert names == ["nobody answers", "no picture", "the world breaks", "who <is> & paged"]


def test_no_results_are_a_report_too() -> None:
    root = ET.fromstring(junit([]).encode())  # noqa: S314 - our own
    assert valid(root)
    assert root.get("tests") == "0"


def test_a_result_without_differences_has_passed() -> None:
    assert [result.passed for result in RESULTS] == [True, False, False, False]
    assert check([], COURSE) == []
