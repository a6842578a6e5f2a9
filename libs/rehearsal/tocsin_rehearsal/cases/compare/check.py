"""All expectations of a test against all that was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tocsin_rehearsal.cases.checks.not_yet import STATUS_PAGE
from tocsin_rehearsal.cases.compare import happenings, standings
from tocsin_rehearsal.cases.compare.verdict import Difference, Place, Verdict, difference_of
from tocsin_rehearsal.cases.model import Expectation
from tocsin_rehearsal.cases.seen import Seen
from tocsin_rehearsal.cases.wording import when


def check(expectations: Sequence[Expectation], seen: Seen) -> list[Difference]:
    """What was expected and was not so, in the order of time. Pure."""
    return [difference_of(verdict) for verdict in judge(expectations, seen) if not verdict.is_met]


def judge(expectations: Sequence[Expectation], seen: Seen) -> list[Verdict]:
    """What became of everything that was expected, in the order of time; of the text, where times are the same."""
    verdicts = [
        verdict
        for index, expectation in enumerate(expectations)
        for name in expectation.statements
        for verdict in _JUDGES[name](expectation, name, seen, ("expect", index, name))
    ]
    return list(_reasons_once(sorted(verdicts, key=lambda verdict: verdict.at)))


def _reasons_once(verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    """What several differences have in common is said of the first of them."""
    said = set[str]()
    for verdict in verdicts:
        yield replace(verdict, because="") if verdict.because in said else verdict
        said.add(verdict.because)


def _happenings(expectation: Expectation, name: str, seen: Seen, place: Place) -> Iterator[Verdict]:
    return happenings.judge(expectation, name, getattr(expectation, name), seen, place)


def _nobody_paged(expectation: Expectation, name: str, seen: Seen, place: Place) -> Iterator[Verdict]:
    return happenings.judge(expectation, "pages", (), seen, place)


def _status_page(expectation: Expectation, name: str, seen: Seen, place: Place) -> Iterator[Verdict]:
    """The loader refuses these; whoever makes an expectation without it must not see it pass."""
    _, end = expectation.window(seen.until)
    for component, state in (expectation.status_page or {}).items():
        yield Verdict((*place, component), end, when(expectation), f"{component} is {state}", False, seen=STATUS_PAGE)


_JUDGES: Mapping[str, Callable[[Expectation, str, Seen, Place], Iterator[Verdict]]] = {
    "alerts": standings.judge,
    "incident": standings.judge,
    "deadlines": standings.judge,
    "pages": _happenings,
    "nobody_paged": _nobody_paged,
    "approvals": _happenings,
    "actions": _happenings,
    "messages": _happenings,
    "events": _happenings,
    "status_page": _status_page,
}
