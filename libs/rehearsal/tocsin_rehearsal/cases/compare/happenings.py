"""Pages, actions, messages and events: what happened in a time, and what did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tocsin_playbook.model import AnyTarget, ChannelRef
from tocsin_rehearsal.cases.compare.matching import matching
from tocsin_rehearsal.cases.compare.verdict import Place, Verdict
from tocsin_rehearsal.cases.model import ActionExpected, EventExpected, Expectation, MessageExpected, PageExpected
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.seen import Kind, Moment, Seen
from tocsin_rehearsal.cases.wording import NOTHING, OTHERS, in_words, when
from tocsin_schemas.text import clean_line

KINDS: Mapping[str, Kind] = {"pages": "page", "actions": "action", "messages": "message", "events": "event"}

Happening = PageExpected | ActionExpected | MessageExpected | EventExpected


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
        yield Verdict(place, broken.at, when(expectation), NOTHING[name], False, broken, _at(broken))


def _once(
    expectation: Expectation, item: Happening, met: Moment | None, seen: Seen, end: timedelta, place: Place
) -> Verdict:
    if met is not None:
        return Verdict(place, met.at, when(expectation), in_words(item), is_met=True, moment=met)
    return Verdict(place, end, when(expectation), in_words(item), is_met=False, seen=_instead(item, expectation, seen))


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
        return Verdict(place, extra.at, when(expectation), in_words(item), False, extra, f"{count}{_at(extra)}")
    said = f"{len(found)} time{'s' if len(found) > 1 else ''}" if found else _instead(item, expectation, seen)
    return Verdict(place, end, when(expectation), in_words(item), is_met=False, seen=said)


def _others(
    expectation: Expectation,
    name: str,
    items: Sequence[Happening],
    seen: Seen,
    inside: Sequence[Moment],
    end: timedelta,
    place: Place,
) -> Iterator[Verdict]:
    """Of what `only` names, what no item describes. Of pages those that arrive count, of actions those that are run."""
    counting = {"pages": "delivered", "actions": "started"}.get(name)
    strange = [
        moment
        for moment in inside
        if (counting is None or moment.fields["outcome"] == counting)
        and not any(fits(item, moment, seen, any_outcome=True) for item in items)
    ]
    for moment in strange:
        yield Verdict(place, moment.at, when(expectation), OTHERS[name], False, moment, _at(moment))
    if not strange:
        yield Verdict(place, end, when(expectation), OTHERS[name], is_met=True)


def _at(moment: Moment) -> str:
    return f"at {shown(moment.at)} {moment.text}"


def _instead(item: Happening, expectation: Expectation, seen: Seen) -> str:
    """What comes nearest: the same at another time, else something of the kind at the right time."""
    begin, end = expectation.window(seen.until)
    kind = _KIND_OF[type(item)]
    near = min(
        (moment for moment in seen.of(kind) if fits(item, moment, seen)),
        key=lambda moment: abs(moment.at - begin),
        default=None,
    )
    if near is not None and begin <= near.at <= end:
        return f"{_at(near)}, which already meets another item"
    if near is not None:
        return f"{_at(near)}, which is too {'early' if near.at < begin else 'late'}"
    if isinstance(item, MessageExpected) and item.containing:
        return _nearest_message(item, seen.of(kind, begin, end))
    like = [moment for moment in seen.of(kind, begin, end) if _is_like(item, moment)]
    same = [moment for moment in like if fits(item, moment, seen, any_outcome=True)]
    return _at((same[-1:] or like)[0]) if like else "nothing of the kind"


def _nearest_message(item: MessageExpected, sent: Sequence[Moment]) -> str:
    """Of the messages that are right but for their text, the first, with what it says."""
    bare = item.model_copy(update={"containing": ()})
    right = [moment for moment in sent if _message(bare, moment)] or sent
    if not right:
        return "nothing of the kind"
    text = clean_line(" ".join(str(right[0].fields["text"]).split()), 300)
    more = f" (and {len(right) - 1} more)" if len(right) > 1 else ""
    return f"at {shown(right[0].at)} {text!r}{more}"


# --- what fits -------------------------------------------------------------------------------------------------------


def fits(item: Happening, moment: Moment, seen: Seen, *, any_outcome: bool = False) -> bool:
    """Whether this is such a moment. `any_outcome`: whatever came of it."""
    if isinstance(item, PageExpected | ActionExpected) and not any_outcome and moment.fields["outcome"] != item.outcome:
        return False
    if item.incident and not item.incident.items() <= seen.labels_of(moment.fields["incident"]).items():
        return False
    return _FITS[type(item)](item, moment)


def _is_like(item: Happening, moment: Moment) -> bool:
    """Whether people would compare it: an event of the same type; a page that was not only decided."""
    if isinstance(item, EventExpected):
        return moment.fields["type"] == item.type
    return moment.fields.get("outcome") != "decided"


def _is(wanted: object, actual: object) -> bool:
    return wanted is None or wanted == actual


def _page(item: PageExpected, moment: Moment) -> bool:
    fields = moment.fields
    return (
        _is_target(item.who, str(fields["target"]))
        and _is(item.channel, fields["channel"])
        and _is(item.level, fields["level"])
        and _is(item.severity, fields["severity"])
    )


def _is_target(who: AnyTarget | None, target: str) -> bool:
    if isinstance(who, ChannelRef) and who.address is None:
        return target == str(who) or target.startswith(f"{who}:")
    return who is None or str(who) == target


def _action(item: ActionExpected, moment: Moment) -> bool:
    return _is(item.runbook, moment.fields["runbook"]) and _is(item.step, moment.fields["step"])


def _message(item: MessageExpected, moment: Moment) -> bool:
    fields = moment.fields
    return (
        _is(item.channel, fields["channel"])
        and _is(item.to, fields["to"])
        and _is(item.person, fields["person"])
        and _is(item.about, fields["about"])
        and all(text in str(fields["text"]) for text in item.containing)
    )


def _event(item: EventExpected, moment: Moment) -> bool:
    if moment.fields["type"] != item.type:
        return False
    return all(_value(moment.fields, name) == value for name, value in item.fields.items())


def _value(fields: object, dotted: str) -> object:
    """`by.name` in what an event says; a name that holds dots itself, as it is."""
    if not isinstance(fields, Mapping):
        return None
    if dotted in fields:
        return fields[dotted]
    first, _, rest = dotted.partition(".")
    return _value(fields.get(first), rest) if rest else None


# `Any`: each row takes an item of its own type.
_FITS: Mapping[type[Happening], Callable[[Any, Moment], bool]] = {
    PageExpected: _page,
    ActionExpected: _action,
    MessageExpected: _message,
    EventExpected: _event,
}
_KIND_OF: Mapping[type[Happening], Kind] = {
    PageExpected: "page",
    ActionExpected: "action",
    MessageExpected: "message",
    EventExpected: "event",
}
