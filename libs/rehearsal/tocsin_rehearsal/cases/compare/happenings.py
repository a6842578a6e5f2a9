"""Pages, actions, messages and events: what happened in a time, and what did not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from tocsin_rehearsal.cases.compare.fitting import Happening, fits
from tocsin_rehearsal.cases.compare.matching import matching
from tocsin_rehearsal.cases.compare.nearest import at_moment, instead, is_silent
from tocsin_rehearsal.cases.compare.verdict import Place, Verdict
from tocsin_rehearsal.cases.model import Expectation
from tocsin_rehearsal.cases.peaks import told_of_peaks
from tocsin_rehearsal.cases.seen import Kind, Moment, Seen
from tocsin_rehearsal.cases.wording import NO_ALERT, NOTHING, OTHERS, in_words, when

KINDS: Mapping[str, Kind] = {
    "pages": "page",
    "approvals": "approval",
    "actions": "action",
    "messages": "message",
    "events": "event",
}
_COUNTING = {"pages": "delivered", "approvals": "delivered", "actions": "started"}
"""Of pages and requests those that arrive count, of actions those that are run."""


def judge(
    expectation: Expectation, name: str, items: Sequence[Happening], seen: Seen, place: Place
) -> Iterator[Verdict]:
    """The verdicts on one key of an expectation; no items mean that nothing of the kind may happen."""
    begin, end = expectation.window(seen.until)
    inside = seen.of(KINDS[name], begin, end)
    if not items:
        yield from _nothing(expectation, name, inside, end, place)
        return
    counted = [(index, item) for index, item in enumerate(items) if item.times is not None]
    for index, item in counted:
        yield _counted(expectation, item, seen, inside, end, (*place, index))
    once = [(index, item) for index, item in enumerate(items) if item.times is None]
    options = [[at for at, moment in enumerate(inside) if fits(item, moment, seen)] for _, item in once]
    for (index, item), found in zip(once, matching(options), strict=True):
        met = None if found is None else inside[found]
        yield _once(expectation, item, met, seen, end, (*place, index))
    if name in expectation.only:
        yield from _others(expectation, name, items, seen, inside, end, place)


def _nothing(
    expectation: Expectation, name: str, inside: Sequence[Moment], end: timedelta, place: Place
) -> Iterator[Verdict]:
    """Nothing may happen: of actions, nothing may be run; what is only proposed is no action."""
    broken = next((moment for moment in inside if name != "actions" or moment.fields["outcome"] == "started"), None)
    if broken is None:
        yield Verdict(place, end, when(expectation), NOTHING[name], is_met=True)
    else:
        yield Verdict(place, broken.at, when(expectation), NOTHING[name], False, broken, at_moment(broken))


def _once(
    expectation: Expectation, item: Happening, met: Moment | None, seen: Seen, end: timedelta, place: Place
) -> Verdict:
    if met is not None:
        return Verdict(place, met.at, when(expectation), in_words(item), is_met=True, moment=met)
    return _missing(expectation, item, seen, end, place, instead(item, expectation, seen))


def _missing(expectation: Expectation, item: Happening, seen: Seen, end: timedelta, place: Place, said: str) -> Verdict:
    """It did not come; where no alert has fired, that is why."""
    why = ""
    if is_silent(item, seen, end):
        said, why = f"{said}, since {NO_ALERT}", told_of_peaks(seen.peaks, end)
    return Verdict(place, end, when(expectation), in_words(item), False, None, said, why)


def _counted(
    expectation: Expectation, item: Happening, seen: Seen, inside: Sequence[Moment], end: timedelta, place: Place
) -> Verdict:
    found = [moment for moment in inside if fits(item, moment, seen)]
    wanted = item.times or 0
    if len(found) == wanted:
        last = found[-1] if found else None
        return Verdict(place, last.at if last else end, when(expectation), in_words(item), True, last)
    if len(found) > wanted:
        extra = found[wanted]
        count = f"{len(found)} times; the one too many " if wanted else ""
        return Verdict(place, extra.at, when(expectation), in_words(item), False, extra, f"{count}{at_moment(extra)}")
    said = f"{len(found)} time{'s' if len(found) > 1 else ''}" if found else instead(item, expectation, seen)
    return _missing(expectation, item, seen, end, place, said)


def _others(
    expectation: Expectation,
    name: str,
    items: Sequence[Happening],
    seen: Seen,
    inside: Sequence[Moment],
    end: timedelta,
    place: Place,
) -> Iterator[Verdict]:
    """Of what `only` names, what no item describes."""
    counting = _COUNTING.get(name)
    strange = [
        moment
        for moment in inside
        if (counting is None or moment.fields["outcome"] == counting)
        and not any(fits(item, moment, seen, any_outcome=True) for item in items)
    ]
    for moment in strange:
        yield Verdict(place, moment.at, when(expectation), OTHERS[name], False, moment, at_moment(moment))
    if not strange:
        yield Verdict(place, end, when(expectation), OTHERS[name], is_met=True)
