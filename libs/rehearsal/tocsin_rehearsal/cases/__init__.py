"""Tests of playbooks: their format, what is wrong with one, and what was expected against what was seen.

`load_cases` reads a file; `fill` makes a timeline of what a world did; `check` compares; `side_by_side` and `junit`
tell what came of it.
"""

from tocsin_rehearsal.cases.compare.check import check, judge
from tocsin_rehearsal.cases.compare.verdict import Difference, Verdict
from tocsin_rehearsal.cases.filling import fill
from tocsin_rehearsal.cases.loader import CasesError, TestFile, load_cases
from tocsin_rehearsal.cases.model import Case, CaseFile, Expectation
from tocsin_rehearsal.cases.reference import reference
from tocsin_rehearsal.cases.results import Result, junit
from tocsin_rehearsal.cases.schema import cases_schema
from tocsin_rehearsal.cases.seen import Moment, Seen, State, seen_of
from tocsin_rehearsal.cases.side_by_side import side_by_side, side_by_side_styled

__all__ = [
    "Case",
    "CaseFile",
    "CasesError",
    "Difference",
    "Expectation",
    "Moment",
    "Result",
    "Seen",
    "State",
    "TestFile",
    "Verdict",
    "cases_schema",
    "check",
    "fill",
    "judge",
    "junit",
    "load_cases",
    "reference",
    "seen_of",
    "side_by_side",
    "side_by_side_styled",
]
