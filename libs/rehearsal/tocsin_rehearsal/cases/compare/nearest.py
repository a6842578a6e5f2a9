"""What there was instead of something that was expected: the nearest thing, and in what it differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from tocsin_rehearsal.cases.compare.fitting import KIND_OF, Happening, Misfit, fits, misfits
from tocsin_rehearsal.cases.model import (
    ActionExpected,
    ApprovalExpected,
    EventExpected,
    Expectation,
    MessageExpected,
    PageExpected,
)
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.seen import Moment, Seen
from tocsin_schemas.text import clean_line

__all__ = ["at_moment", "instead", "is_silent"]

_IN_ITS_TEXT = frozenset({"outcome", "who", "channel", "level", "step", "to", "about"})
"""Fields that what is said of a moment shows by itself."""

_NOTHING = {
    "page": "nobody is paged",
    "approval": "nobody is asked to approve anything",
    "action": "nothing is run",
    "message": "no message leaves",
    "event": "nothing of the kind",
}


def at_moment(moment: Moment) -> str:
    """What happened, and when."""
    return f"at {shown(moment.at)} {moment.text}"


def is_silent(item: Happening, seen: Seen, end: timedelta) -> bool:
    """Whether nothing of the kind can have come by then, because no alert has fired at all."""
    return not (isinstance(item, EventExpected) or seen.of("alert", end=end) or seen.of(KIND_OF[type(item)]))


def instead(item: Happening, expectation: Expectation, seen: Seen) -> str:
    """The same at another time, else what comes nearest at the right time, else that there is nothing."""
    begin, end = expectation.window(seen.until)
    kind = KIND_OF[type(item)]
    near = min(
        (moment for moment in seen.of(kind) if fits(item, moment, seen)),
        key=lambda moment: abs(moment.at - begin),
        default=None,
    )
    if near is not None and begin <= near.at <= end:
        return f"{at_moment(near)}, which already meets another item"
    if near is not None:
        return f"{at_moment(near)}, which is too {'early' if near.at < begin else 'late'}"
    inside = seen.of(kind, begin, end)
    if isinstance(item, MessageExpected) and item.containing and inside:
        return _nearest_message(item, inside, seen)
    return _nearest(item, inside, seen)


def _nearest(item: Happening, inside: Sequence[Moment], seen: Seen) -> str:
    """Of those that people would compare with it, the one with the fewest differences: the first, of actions the last
    (what became of them in the end)."""
    like = [moment for moment in inside if _is_like(item, moment)]
    if not like:
        return _undelivered(item, inside, seen) or _none(item, inside)
    if isinstance(item, ActionExpected):
        like.reverse()
    nearest = min(like, key=lambda moment: len(list(misfits(item, moment, seen))))
    told = [_told(each) for each in misfits(item, nearest, seen) if each.name not in _IN_ITS_TEXT]
    return f"{at_moment(nearest)}{': ' if told else ''}{', '.join(told)}"


def _is_like(item: Happening, moment: Moment) -> bool:
    """An event of the same type, the same step of a runbook; a page that was not only decided."""
    fields = moment.fields
    match item:
        case EventExpected(type=type_):
            return bool(fields["type"] == type_)
        case ActionExpected(step=step, runbook=runbook) | ApprovalExpected(step=step, runbook=runbook):
            same = step in (None, fields["step"]) and runbook in (None, fields["runbook"])
            return same and (isinstance(item, ActionExpected) or fields["outcome"] != "decided")
        case _:
            return fields.get("outcome") != "decided"


def _undelivered(item: Happening, inside: Sequence[Moment], seen: Seen) -> str:
    """That it was decided, and has reached nobody."""
    decided = next((moment for moment in inside if fits(item, moment, seen, any_outcome=True)), None)
    is_sent = isinstance(item, PageExpected | ApprovalExpected)
    return f"{at_moment(decided)}, and nothing arrives" if is_sent and decided is not None else ""


def _none(item: Happening, inside: Sequence[Moment]) -> str:
    """That there is none, and for a step of a runbook what the last step was."""
    if isinstance(item, ActionExpected) and inside:
        last = inside[-1]
        which = item.step or f"runbook {item.runbook}"
        return f"{which} does not come up; the last step is {last.fields['step']}, at {shown(last.at)}"
    if isinstance(item, EventExpected):
        return f"no {item.type}"
    return _NOTHING[KIND_OF[type(item)]]


def _told(misfit: Misfit) -> str:
    value = misfit.value
    if value is None:
        return f"{misfit.name} is not said"
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"{misfit.name} is {clean_line(said, 120)}"


def _nearest_message(item: MessageExpected, sent: Sequence[Moment], seen: Seen) -> str:
    """Of the messages that are right but for their text, the first, with what it says."""
    right = [moment for moment in sent if {each.name for each in misfits(item, moment, seen)} == {"containing"}] or sent
    text = clean_line(" ".join(str(right[0].fields["text"]).split()), 300)
    more = f" (and {len(right) - 1} more)" if len(right) > 1 else ""
    return f"at {shown(right[0].at)} {text!r}{more}"
