"""What became of tests: for machines as JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from xml.etree import ElementTree as ET

from tocsin_rehearsal.cases.compare.verdict import Difference

SUITES = "tocsin test"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test.

    `took` is real time. `shown` is the failure as people see it. `error`: why the test could not be run to its end.
    """

    file: str
    line: int
    name: str
    took: timedelta
    differences: tuple[Difference, ...] = ()
    shown: str = ""
    error: str | None = None

    @property
    def passed(self) -> bool:
        return not self.differences and self.error is None


def junit(results: Sequence[Result]) -> str:
    """JUnit XML, one suite a file, as the Jenkins xUnit plugin's schema (junit-10.xsd) has it."""
    root = ET.Element("testsuites", {"name": SUITES, **_counts(results)})
    for file, of_file in groupby(sorted(results, key=lambda result: result.file), key=lambda result: result.file):
        suite = list(of_file)
        element = ET.SubElement(root, "testsuite", {"name": _clean(file), **_counts(suite), "skipped": "0"})
        for result in suite:
            _case(element, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(results: Iterable[Result]) -> dict[str, str]:
    every = list(results)
    return {
        "tests": str(len(every)),
        "failures": str(sum(result.error is None and not result.passed for result in every)),
        "errors": str(sum(result.error is not None for result in every)),
        "time": _seconds(sum((result.took for result in every), timedelta())),
    }


def _case(suite: ET.Element, result: Result) -> None:
    name = {"name": _clean(result.name), "classname": _clean(result.file), "time": _seconds(result.took)}
    case = ET.SubElement(suite, "testcase", name)
    if result.error is not None:
        error = ET.SubElement(case, "error", {"type": "error", "message": _clean(result.error.splitlines()[0][:400])})
        error.text = _clean(f"{result.file}:{result.line}\n{result.error}")
    elif result.differences:
        message = _clean(str(result.differences[0])[:400])
        failure = ET.SubElement(case, "failure", {"type": "difference", "message": message})
        failure.text = _clean(f"{result.file}:{result.line}\n{result.shown or _listed(result.differences)}")


def _listed(differences: Sequence[Difference]) -> str:
    return "\n".join(str(difference) for difference in differences)


def _seconds(length: timedelta) -> str:
    return f"{max(length, timedelta()).total_seconds():.3f}"


def _clean(text: str) -> str:
    """What XML 1.0 cannot hold becomes U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)
