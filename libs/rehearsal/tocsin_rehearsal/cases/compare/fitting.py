"""Whether something that happened is what was expected, and else in what it differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tocsin_playbook.model import AnyTarget, ChannelRef
from tocsin_rehearsal.cases.model import (
    ActionExpected,
    ApprovalExpected,
    EventExpected,
    MessageExpected,
    PageExpected,
)
from tocsin_rehearsal.cases.seen import Fields, Kind, Moment, Seen

__all__ = ["KIND_OF", "Happening", "Misfit", "fits", "misfits", "value_of"]

Happening = PageExpected | ApprovalExpected | ActionExpected | MessageExpected | EventExpected


class Misfit(NamedTuple):
    """A field that is another than expected, by its name in the format, and what it is."""

    name: str
    value: object


def fits(item: Happening, moment: Moment, seen: Seen, *, any_outcome: bool = False) -> bool:
    """Whether this is such a moment. `any_outcome`: whatever came of it."""
    return not any(each.name != "outcome" or not any_outcome for each in misfits(item, moment, seen))


def misfits(item: Happening, moment: Moment, seen: Seen) -> Iterator[Misfit]:
    """In what it differs; nothing where it fits."""
    yield from _MISFITS[type(item)](item, moment.fields)
    if item.incident:
        labels = seen.labels_of(moment.fields["incident"])
        if not item.incident.items() <= labels.items():
            yield Misfit("incident", {name: labels.get(name) for name in item.incident})


def _is(name: str, wanted: object, actual: object) -> Iterator[Misfit]:
    if wanted is not None and wanted != actual:
        yield Misfit(name, actual)


def _told(item: PageExpected | ApprovalExpected, fields: Fields) -> Iterator[Misfit]:
    if not _is_target(item.who, str(fields["target"])):
        yield Misfit("who", fields["target"])
    yield from _is("outcome", item.outcome, fields["outcome"])
    yield from _is("channel", item.channel, fields["channel"])


def _is_target(who: AnyTarget | None, target: str) -> bool:
    if isinstance(who, ChannelRef) and who.address is None:
        return target == str(who) or target.startswith(f"{who}:")
    return who is None or str(who) == target


def _page(item: PageExpected, fields: Fields) -> Iterator[Misfit]:
    yield from _told(item, fields)
    yield from _is("level", item.level, fields["level"])
    yield from _is("way", item.way, fields["way"])
    yield from _is("severity", item.severity, fields["severity"])


def _approval(item: ApprovalExpected, fields: Fields) -> Iterator[Misfit]:
    yield from _told(item, fields)
    yield from _is("runbook", item.runbook, fields["runbook"])
    yield from _is("step", item.step, fields["step"])


def _action(item: ActionExpected, fields: Fields) -> Iterator[Misfit]:
    yield from _is("runbook", item.runbook, fields["runbook"])
    yield from _is("step", item.step, fields["step"])
    yield from _is("outcome", item.outcome, fields["outcome"])


def _message(item: MessageExpected, fields: Fields) -> Iterator[Misfit]:
    for name in ("channel", "to", "person", "about"):
        yield from _is(name, getattr(item, name), fields[name])
    if not all(text in str(fields["text"]) for text in item.containing):
        yield Misfit("containing", fields["text"])


def _event(item: EventExpected, fields: Fields) -> Iterator[Misfit]:
    if fields["type"] != item.type:
        yield Misfit("type", fields["type"])
        return
    for name, wanted in item.fields.items():
        if (value := value_of(fields, name)) != wanted:
            yield Misfit(name, value)


def value_of(fields: object, dotted: str) -> object:
    """`by.name` in what an event says; a name that holds dots itself, as it is."""
    if not isinstance(fields, Mapping):
        return None
    if dotted in fields:
        return fields[dotted]
    first, _, rest = dotted.partition(".")
    return value_of(fields.get(first), rest) if rest else None


# `Any`: each row takes an item of its own type.
_MISFITS: Mapping[type[Happening], Callable[[Any, Fields], Iterator[Misfit]]] = {
    PageExpected: _page,
    ApprovalExpected: _approval,
    ActionExpected: _action,
    MessageExpected: _message,
    EventExpected: _event,
}
KIND_OF: Mapping[type[Happening], Kind] = {
    PageExpected: "page",
    ApprovalExpected: "approval",
    ActionExpected: "action",
    MessageExpected: "message",
    EventExpected: "event",
}
